package statemetrics

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
)

// unknown is the condition and the reason of an object that was not looked at yet.
const unknown = "Unknown"

// look counts all objects in the cache. Nothing is copied: what is listed is read, never written.
func (m *Metrics) look(ctx context.Context) (counted, []v1alpha1.Organization, error) {
	seen := counted{objects: map[objectSeries]int{}, of: map[types.NamespacedName]orgUserCounts{}}
	organizations, users, bindings := &v1alpha1.OrganizationList{}, &v1alpha1.OrgUserList{}, &v1alpha1.OrgUserRoleBindingList{}
	for _, list := range []client.ObjectList{organizations, users, bindings} {
		if err := m.Cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return seen, nil, err
		}
	}
	exists := make(map[types.NamespacedName]bool, len(organizations.Items))
	for i := range organizations.Items {
		name := client.ObjectKeyFromObject(&organizations.Items[i])
		exists[name] = true
		seen.add("Organization", name.String(), organizations.Items[i].Status.Conditions)
	}
	for i := range users.Items {
		user := &users.Items[i]
		name := declared.OrganizationOf(user)
		reason := seen.add("OrgUser", labelOf(name, exists), user.Status.Conditions)
		counts := seen.of[name]
		counts.declared++
		if reason == v1alpha1.ReasonHeld {
			counts.held++
		}
		seen.of[name] = counts
	}
	for i := range bindings.Items {
		seen.add("OrgUserRoleBinding", labelOf(declared.OrganizationOf(&bindings.Items[i]), exists), bindings.Items[i].Status.Conditions)
	}
	return seen, organizations.Items, nil
}

// labelOf keeps names that nothing bounds, such as typing errors, out of the label.
func labelOf(organization types.NamespacedName, exists map[types.NamespacedName]bool) string {
	if !exists[organization] {
		return ""
	}
	return organization.String()
}

// add counts one object and returns the reason of its condition.
func (c counted) add(kind, organization string, conditions []metav1.Condition) string {
	series := objectSeries{organization: organization, kind: kind, condition: unknown, reason: unknown}
	for _, condition := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if found := meta.FindStatusCondition(conditions, condition); found != nil && found.Status == metav1.ConditionTrue {
			series.condition, series.reason = condition, found.Reason
			break
		}
	}
	c.objects[series]++
	return series.reason
}
