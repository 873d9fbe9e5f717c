package controller

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// setOrgUserStatus writes down the member as they are and what is said.
func setOrgUserStatus(user *v1alpha1.OrgUser, seen seenUser, v verdict.Verdict) {
	status := &user.Status
	if seen.member.UserID != "" && (v.State != verdict.Keep || seen.takesOver) {
		member := seen.member
		member.ObservedGeneration, member.Plan, member.Conditions = status.ObservedGeneration, status.Plan, status.Conditions
		*status = member
	}
	if v.State == verdict.Keep {
		return
	}
	status.Plan = verdict.PlanLines(left(seen))
	if v.Reason == v1alpha1.ReasonNotAMember {
		// Whom it was matched with is remembered: an object that knew somebody never means somebody else by accident.
		*status = v1alpha1.OrgUserStatus{UserID: status.UserID, Conditions: status.Conditions}
	}
	status.ObservedGeneration = user.Generation
	verdict.SetConditions(&status.Conditions, user.Generation, v)
}

// memberOf is a member as the status of an OrgUser shows them; nothing where there is none.
func memberOf(known *roster.Roster, userID string) v1alpha1.OrgUserStatus {
	user, _ := known.Get(userID)
	// Cut to what the CustomResourceDefinition takes: an odd value must not keep the status from being written.
	member := v1alpha1.OrgUserStatus{
		UserID: user.ID, Name: verdict.Cut(user.Name, 1000), Email: verdict.Cut(user.Email, 300), Role: verdict.Cut(user.Role, 200),
		DeveloperPersona: verdict.Cut(user.DeveloperPersona, 1000), TechnicalLevel: verdict.Cut(user.TechnicalLevel, 1000),
		ScimManaged: user.IsSCIMManaged,
	}
	if !user.AddedAt.IsZero() {
		member.AddedAt = &metav1.Time{Time: user.AddedAt}
	}
	return member
}

// left are the steps that Observe or the guard leaves undone.
func left(seen seenUser) []plan.Step {
	if seen.fact.Kind == plan.Observed || seen.fact.Kind == plan.Guarded {
		return seen.steps
	}
	return nil
}

func (r *orgUserReconciler) patchStatus(ctx context.Context, before, after *v1alpha1.OrgUser) error {
	// The finalizer was patched on the way: only the status is to be compared and sent.
	before.ObjectMeta = *after.ObjectMeta.DeepCopy()
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	return client.IgnoreNotFound(r.Status().Patch(ctx, after, client.MergeFrom(before)))
}

// announceHeld tells once that the guard holds something, with the numbers, which change and so are in no condition.
func announceHeld(recorder events.EventRecorder, object client.Object, before []metav1.Condition, v verdict.Verdict, f plan.Fact, org *v1alpha1.Organization) {
	if v.State == verdict.Keep || v.Reason != v1alpha1.ReasonHeld || f.Kind != plan.Guarded {
		return
	}
	if ready := meta.FindStatusCondition(before, v1alpha1.ConditionReady); ready != nil && ready.Reason == v1alpha1.ReasonHeld {
		return
	}
	until := verdict.Clock(time.Unix(f.Until, 0), time.Now())
	recorder.Eventf(object, nil, "Warning", v1alpha1.ReasonHeld, "Guard", "%s. %s", v.Message, verdict.HeldNumbers(f, org, until))
}
