package controller

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// setOrgUserStatus writes down the member as they are and what the reconcile came to.
// left are the steps that are planned and not made.
func setOrgUserStatus(user *v1alpha1.OrgUser, m member, left []plan.Step, o outcome) {
	status := &user.Status
	if m.user.ID != "" {
		// Cut to what the CustomResourceDefinition takes: an odd value must not keep the status from being written.
		status.UserID, status.Name, status.Email = m.user.ID, cut(m.user.Name, 1000), cut(m.user.Email, 300)
		status.Role = cut(m.user.Role, 200)
		status.DeveloperPersona, status.TechnicalLevel = cut(m.user.DeveloperPersona, 1000), cut(m.user.TechnicalLevel, 1000)
		status.ScimManaged = m.user.IsSCIMManaged
		status.AddedAt = nil
		if !m.user.AddedAt.IsZero() {
			status.AddedAt = &metav1.Time{Time: m.user.AddedAt}
		}
	}
	if o.state == keep {
		return
	}
	status.Plan = planLines(left)
	if o.reason == v1alpha1.ReasonNotAMember {
		*status = v1alpha1.OrgUserStatus{Conditions: status.Conditions}
	}
	status.ObservedGeneration = user.Generation
	setConditions(&status.Conditions, user.Generation, o)
}

func (r *OrgUserReconciler) patchStatus(ctx context.Context, before, after *v1alpha1.OrgUser) error {
	// The finalizer was patched on the way: only the status is to be compared and sent.
	before.ObjectMeta = *after.ObjectMeta.DeepCopy()
	return patchStatus(ctx, r.Status(), before, after, func(o client.Object) any {
		return o.(*v1alpha1.OrgUser).Status //nolint:forcetypeassert // called with the two OrgUsers above only
	})
}

// tell sends an event for each change that was made. What was changed although the object had been ready as
// its spec stands was changed by somebody else before.
func (r *OrgUserReconciler) tell(user, before *v1alpha1.OrgUser, done []plan.Step) {
	reason := v1alpha1.EventUpdated
	if settled(before.Status.Conditions, before.Status.ObservedGeneration, user.Generation) {
		reason = v1alpha1.EventDriftCorrected
	}
	for _, step := range done {
		r.Events.Eventf(user, nil, "Normal", reason, string(step.Verb), "%s", step.Done())
	}
}
