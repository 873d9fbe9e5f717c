package declared

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Indexes of the cache. Each value begins with the name of the Organization that the object refers to.
const (
	// byOrganization finds the objects of an Organization.
	byOrganization = "organization"
	// byPerson finds OrgUsers and OrgUserRoleBindings by the email or user ID that they name or remember.
	byPerson = "person"
	// byOrgUser finds OrgUserRoleBindings by the OrgUsers that they name.
	byOrgUser = "orgUser"
	// byUnsettled finds the objects of an Organization that are not ready as their spec stands.
	byUnsettled = "unsettled"
)

func indexValue(organization, value string) string { return organization + "|" + value }

func personValue(organization string, key plan.Key) string {
	if key.ID != "" {
		return indexValue(organization, "id:"+key.ID)
	}
	return indexValue(organization, "email:"+key.Email)
}

// OrganizationOf names the Organization that an object refers to, or is.
func OrganizationOf(object client.Object) types.NamespacedName {
	name := ""
	switch o := object.(type) {
	case *v1alpha1.Organization:
		name = o.Name
	case *v1alpha1.OrgUser:
		name = o.Spec.OrganizationRef.Name
	case *v1alpha1.OrgUserRoleBinding:
		name = o.Spec.OrganizationRef.Name
	}
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: name}
}

// AddIndexes adds what objects are found by. There is none of Organizations: a manager that comes back to what is left
// of deleted kinds must start without that one.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	type index struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}
	for _, i := range []index{
		{&v1alpha1.OrgUser{}, byOrganization, organizationValue},
		{&v1alpha1.OrgUserRoleBinding{}, byOrganization, organizationValue},
		{&v1alpha1.OrgUser{}, byUnsettled, unsettledValue},
		{&v1alpha1.OrgUserRoleBinding{}, byUnsettled, unsettledValue},
		{&v1alpha1.OrgUser{}, byPerson, personValues},
		{&v1alpha1.OrgUserRoleBinding{}, byPerson, personValues},
		{&v1alpha1.OrgUserRoleBinding{}, byOrgUser, orgUserValues},
	} {
		if err := indexer.IndexField(ctx, i.object, i.name, i.values); err != nil {
			return err
		}
	}
	return nil
}

func organizationValue(object client.Object) []string { return []string{OrganizationOf(object).Name} }

func unsettledValue(object client.Object) []string {
	if object.GetDeletionTimestamp().IsZero() && Settled(object) {
		return nil
	}
	return organizationValue(object)
}

// Settled says whether an object's status already says of its present generation that it is ready.
func Settled(object client.Object) bool {
	var conditions []metav1.Condition
	var observed int64
	switch o := object.(type) {
	case *v1alpha1.OrgUser:
		conditions, observed = o.Status.Conditions, o.Status.ObservedGeneration
	case *v1alpha1.OrgUserRoleBinding:
		conditions, observed = o.Status.Conditions, o.Status.ObservedGeneration
	case *v1alpha1.Organization:
		conditions, observed = o.Status.Conditions, o.Status.ObservedGeneration
	}
	return observed == object.GetGeneration() && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
}

// KeysOf are the keys of everybody whom the object names or remembers.
func KeysOf(object client.Object) []plan.Key {
	var keys []plan.Key
	add := func(id, email string) {
		if id != "" {
			keys = append(keys, plan.IDKey(id))
		}
		if email != "" {
			keys = append(keys, plan.EmailKey(email))
		}
	}
	switch o := object.(type) {
	case *v1alpha1.OrgUser:
		add(o.Spec.UserID, o.Spec.Email)
		if o.Status.UserID != o.Spec.UserID {
			add(o.Status.UserID, "")
		}
	case *v1alpha1.OrgUserRoleBinding:
		for _, subject := range o.Spec.Subjects {
			add(subject.UserID, subject.Email)
		}
		for _, line := range o.Status.Subjects {
			add(line.UserID, "") // also where the subject names the ID: it may be in the spec no more
		}
	case *v1alpha1.Organization:
		for _, leaver := range o.Status.Leaving {
			add(leaver.UserID, "")
		}
	}
	return keys
}

func personValues(object client.Object) []string {
	organization := OrganizationOf(object).Name
	keys := KeysOf(object)
	seen := make(map[string]bool, len(keys))
	values := make([]string, 0, len(keys))
	for _, key := range keys {
		if value := personValue(organization, key); !seen[value] {
			seen[value] = true
			values = append(values, value)
		}
	}
	return values
}

func orgUserValues(object client.Object) []string {
	binding, ok := object.(*v1alpha1.OrgUserRoleBinding)
	if !ok {
		return nil
	}
	var values []string
	for _, subject := range binding.Spec.Subjects {
		if subject.OrgUser != "" {
			values = append(values, indexValue(binding.Spec.OrganizationRef.Name, subject.OrgUser))
		}
	}
	return values
}
