package controller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// setBindingStatus writes down who has the role and what is said.
func setBindingStatus(binding *v1alpha1.OrgUserRoleBinding, seen seenBinding, v verdict.Verdict) {
	status := &binding.Status
	if v.State != verdict.Keep {
		status.Plan = verdict.PlanLines(seen.left)
	}
	if seen.role.ID != "" && binding.DeletionTimestamp.IsZero() {
		status.RoleID, status.RoleName = seen.role.ID, verdict.Cut(seen.role.Name, 1000)
	}
	if seen.org != nil && (seen.subjects != nil || v.State == verdict.Ready) && seen.role.ID != "" {
		status.Subjects = verdict.Lines(seen.org, seen.subjects, status.Subjects)
		if status.Assigned == "" || !verdict.Unknown(seen.subjects) {
			status.Assigned = verdict.Assigned(seen.subjects)
		}
	}
	if v.State == verdict.Keep {
		return
	}
	status.ObservedGeneration = binding.Generation
	verdict.SetConditions(&status.Conditions, binding.Generation, v)
}

const (
	// linesGather is how long lines gather that are to be written down before anybody gets the role.
	linesGather = time.Second
	// statesGather is how long changes of lines gather that nothing waits for.
	statesGather = 10 * time.Second
)

// writesLater says how long the write of the status has time, 0 for none: it is made at once when Ready turns; lines that
// are to be written down gather for a second, and all else longer.
func (r *bindingReconciler) writesLater(before, after *v1alpha1.OrgUserRoleBinding, v verdict.Verdict) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	name, now := client.ObjectKeyFromObject(after), time.Now()
	last := r.written[name]
	if last.uid != after.UID {
		last = written{uid: after.UID}
	}
	wait := time.Duration(0)
	switch {
	case equality.Semantic.DeepEqual(before.Status, after.Status):
		return 0
	case v.State != verdict.Keep && turns(before, after):
	case linesToWrite(before, after):
		wait = linesGather - now.Sub(last.lines)
	default:
		wait = statesGather - now.Sub(last.any)
	}
	if wait > 0 {
		return wait
	}
	last.any = now
	if linesToWrite(before, after) {
		last.lines = now
	}
	r.written[name] = last
	return 0
}

func (r *bindingReconciler) forgetWritten(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.written, name)
}

// turns says whether the condition Ready turns, or speaks of another generation.
func turns(before, after *v1alpha1.OrgUserRoleBinding) bool {
	was, is := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	return was == nil || is == nil || was.Status != is.Status || was.Reason != is.Reason || before.Status.ObservedGeneration != after.Status.ObservedGeneration &&
		is.Status == metav1.ConditionTrue
}

// linesToWrite says whether somebody is to be written down, or forgotten.
func linesToWrite(before, after *v1alpha1.OrgUserRoleBinding) bool {
	if before.Status.RoleID != after.Status.RoleID {
		return true
	}
	known := map[string]bool{}
	for _, line := range before.Status.Subjects {
		known[line.UserID] = true
	}
	return slices.ContainsFunc(after.Status.Subjects, func(line v1alpha1.SubjectStatus) bool { return line.UserID != "" && !known[line.UserID] })
}

func (r *bindingReconciler) patchStatus(ctx context.Context, before, after *v1alpha1.OrgUserRoleBinding) error {
	// The finalizer was patched on the way: only the status is to be compared and sent, and only if nobody changed the
	// object since it was decided on.
	before.ObjectMeta = *after.ObjectMeta.DeepCopy()
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	return client.IgnoreNotFound(r.Status().Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}
