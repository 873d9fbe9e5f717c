package controller

import (
	"context"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/edge"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// finalize waits until the role is taken from those who have it from this binding, or says why they keep it, and lets the
// object go.
func (r *bindingReconciler) finalize(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) (ctrl.Result, error) {
	if waits, err := stillWaits(ctx, r.live, binding); err != nil || !waits {
		return ctrl.Result{}, err
	}
	before := binding.DeepCopy()
	end, seen, v, err := r.leave(ctx, binding)
	if err != nil {
		return ctrl.Result{}, err
	}
	if end.Reason != "" {
		r.edge.TellMade(binding)
		if err := dropFinalizer(ctx, r.Client, binding); err != nil {
			return ctrl.Result{}, err
		}
		r.edge.Tell(ctx, binding, "OrgUserRoleBinding", end)
		return ctrl.Result{}, nil
	}
	if v.Reason == v1alpha1.ReasonPaused {
		v = verdict.WithRetain(v, "the assignments")
	} else {
		v = verdict.Unassigning(v)
	}
	setBindingStatus(binding, seen, v)
	if wait := r.writesLater(before, binding, v); wait > 0 {
		return ctrl.Result{RequeueAfter: min(wait, time.Second)}, nil
	}
	if err := r.patchStatus(ctx, before, binding); err != nil {
		return ctrl.Result{}, err
	}
	r.announce(binding, before.Status.Conditions, v)
	return ctrl.Result{RequeueAfter: verdict.SecretPoll}, nil
}

// leave decides whether the assignments go with the object. The farewell says how it ends; without one the verdict says
// what it waits for.
func (r *bindingReconciler) leave(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) (edge.Farewell, seenBinding, verdict.Verdict, error) {
	var seen seenBinding
	var none verdict.Verdict
	if binding.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRetain {
		return retainedAssignments("spec.deletionPolicy is Retain"), seen, none, nil
	}
	name := declared.OrganizationOf(binding)
	look := r.cache.NewLook(r.live)
	down, err := look.Teardown(ctx, binding.Namespace, declared.BindingCRD)
	if err != nil {
		return edge.Farewell{}, seen, none, err
	}
	if down.Why != "" {
		end := retainedAssignments(down.Why)
		end.NamespaceGoing = down.Namespace
		return end, seen, none, nil
	}
	org, err := look.Organization(ctx, name)
	if err != nil {
		return edge.Farewell{}, seen, none, fmt.Errorf("read Organization %s: %w", name.Name, err)
	}
	if org == nil || !org.DeletionTimestamp.IsZero() {
		return retainedAssignments("Organization " + name.Name + " is gone or being deleted"), seen, none, nil
	}
	if declared.Paused(binding) {
		return edge.Farewell{}, seen, verdict.Paused(), nil
	}
	if org.Spec.Mode == v1alpha1.ModeObserve {
		return retainedAssignments("the Organization's mode is Observe"), seen, none, nil
	}
	if len(r.cache.Lines(binding)) == 0 {
		return edge.Farewell{Reason: v1alpha1.EventReleased, Message: "nobody has the role from this binding any more"}, seen, none, nil
	}
	seen, v, err := r.observe(ctx, binding)
	if err != nil || seen.org == nil {
		return edge.Farewell{}, seen, v, err
	}
	var waits []plan.Key
	for _, s := range seen.subjects {
		if !s.Said.Forget {
			waits = append(waits, plan.IDKey(s.UserID))
		}
	}
	if len(waits) == 0 {
		return edge.Farewell{Reason: v1alpha1.EventReleased, Message: "nobody has the role from this binding any more"}, seen, none, nil
	}
	if o := r.organizations.Usable(name); o != nil {
		o.Wake(pending.Edited, false, waits...)
	}
	if v.State == verdict.Ready {
		v = verdict.AsItWas()
	}
	return edge.Farewell{}, seen, v, nil
}

func retainedAssignments(why string) edge.Farewell {
	return edge.Farewell{Reason: v1alpha1.EventRetained, Message: "the role assignments stay: " + why}
}
