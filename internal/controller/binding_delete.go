package controller

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

const bindingCRD = "orguserrolebindings.openai.rollcall.dev"

// finalize takes the role from those who have it from this binding, or lets them keep it, and then lets the
// object go.
func (r *OrgUserRoleBindingReconciler) finalize(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) (ctrl.Result, error) {
	if waits, err := stillWaits(ctx, r.Live, binding); err != nil || !waits {
		return ctrl.Result{}, err
	}
	before := binding.DeepCopy()
	seen, made, end, err := r.leave(ctx, binding)
	result := bindingOutcome(seen, made, err)
	r.tell(binding, before, made.done)
	if result.state == ready {
		if err := dropFinalizer(ctx, r.Client, binding); err != nil {
			return ctrl.Result{}, err
		}
		end.tell(ctx, r.Events, binding, "OrgUserRoleBinding")
		return ctrl.Result{}, nil
	}
	if result.state != keep {
		result.message = withRetain("taking the role away waits: "+result.message, "the assignments")
	}
	setBindingStatus(binding, seen, nil, result)
	if err := r.patchStatus(ctx, before, binding); err != nil {
		return ctrl.Result{}, err
	}
	announceTurn(r.Events, binding, before.Status.Conditions, result)
	return result.result, result.err
}

// leave decides whether the assignments go with the object, and takes them away if so.
func (r *OrgUserRoleBindingReconciler) leave(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) (observedBinding, progress, farewell, error) {
	var seen observedBinding
	var made progress
	if binding.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRetain {
		return seen, made, retainedAssignments("spec.deletionPolicy is Retain"), nil
	}
	if going, err := teardown(ctx, r.Live, binding, bindingCRD); err != nil || going.why != "" {
		return seen, made, retainedAssignments(going.why).in(going), err
	}
	if paused(binding) {
		return seen, made, farewell{}, isPaused()
	}
	conn, err := connect(ctx, r.Client, r.Connections, binding, binding.Status.Conditions, binding.Status.ObservedGeneration)
	if err != nil {
		return seen, made, farewell{}, err
	}
	if conn.observeOnly {
		return seen, made, retainedAssignments("the Organization's mode is Observe"), nil
	}
	seen = observedBinding{conn: conn, role: plan.Role{ID: binding.Status.RoleID, Name: binding.Status.RoleName}}
	if seen.subjects, err = r.released(ctx, conn, binding, seen); err != nil {
		return seen, made, farewell{}, err
	}
	if err := r.observeHoldings(ctx, seen); err != nil {
		return seen, made, farewell{}, err
	}
	// The look at the surroundings comes last. Each call asks once more whether the binding still stands as it did.
	if going, err := teardown(ctx, r.Live, binding, bindingCRD); err != nil || going.why != "" {
		return observedBinding{}, made, retainedAssignments(going.why).in(going), err
	}
	made, err = r.converge(ctx, binding, binding.DeepCopy(), seen)
	return seen, made, farewell{reason: v1alpha1.EventReleased, message: "nobody has the role from this binding any more"}, err
}

func retainedAssignments(why string) farewell {
	return farewell{reason: v1alpha1.EventRetained, message: "the role assignments stay: " + why}
}
