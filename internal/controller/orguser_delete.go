package controller

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

const orgUserCRD = "orgusers.openai.rollcall.dev"

// finalize removes the person or lets them stay, and then lets the object go.
func (r *OrgUserReconciler) finalize(ctx context.Context, user *v1alpha1.OrgUser) (ctrl.Result, error) {
	if waits, err := stillWaits(ctx, r.Live, user); err != nil || !waits {
		return ctrl.Result{}, err
	}
	before := user.DeepCopy()
	end, err := r.leave(ctx, user)
	if err == nil {
		if err := dropFinalizer(ctx, r.Client, user); err != nil {
			return ctrl.Result{}, err
		}
		end.tell(ctx, r.Events, user, "OrgUser")
		return ctrl.Result{}, nil
	}
	result := outcomeOf(err, "")
	var left []plan.Step
	if result.reason == v1alpha1.ReasonHeld {
		left = plan.Removal(plan.ObservedUser{ID: user.Status.UserID, Email: user.Status.Email})
	}
	if result.reason != v1alpha1.ReasonHeld {
		result.message = fmt.Sprintf("the removal of %s waits: %s", who(user), result.message)
	}
	result.message = withRetain(result.message, "the person in the organization")
	setOrgUserStatus(user, member{}, left, result)
	if err := r.patchStatus(ctx, before, user); err != nil {
		return ctrl.Result{}, err
	}
	announceTurn(r.Events, user, before.Status.Conditions, result)
	return result.result, result.err
}

// leave decides whether the person leaves with the object, and removes them if so.
func (r *OrgUserReconciler) leave(ctx context.Context, user *v1alpha1.OrgUser) (farewell, error) {
	if end, err := r.stays(ctx, user); err != nil || end.reason != "" {
		return end, err
	}
	conn, err := connect(ctx, r.Client, r.Connections, user, user.Status.Conditions, user.Status.ObservedGeneration)
	if err != nil {
		return farewell{}, err
	}
	if conn.observeOnly {
		return retained(who(user), "the Organization's mode is Observe"), nil
	}
	userID := user.Status.UserID
	if userID == "" {
		// They had left, or the manager was killed before it could write down whom it had matched.
		found, err := conn.roster.Find(ctx, conn.api, personOf(user))
		if err != nil {
			return farewell{}, refusing(r.Connections, conn, err)
		}
		if len(found) != 1 {
			return farewell{reason: v1alpha1.EventReleased, message: fmt.Sprintf("%s is not a member, so nobody is removed", who(user))}, nil
		}
		userID = found[0].ID
	}
	var end farewell
	err = conn.exclusively(ctx, func() error {
		end, err = r.remove(ctx, conn, user, userID)
		return err
	})
	return end, refusing(r.Connections, conn, err)
}

// stays says why the person stays although their object goes. Where they are to leave, it returns no farewell.
func (r *OrgUserReconciler) stays(ctx context.Context, user *v1alpha1.OrgUser) (farewell, error) {
	if user.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRetain {
		return retained(who(user), "spec.deletionPolicy is Retain"), nil
	}
	if going, err := teardown(ctx, r.Live, user, orgUserCRD); err != nil || going.why != "" {
		return retained(who(user), going.why).in(going), err
	}
	if paused(user) {
		return farewell{}, isPaused()
	}
	return farewell{}, nil
}

// remove looks at the user afresh and removes them if they are who the object stands for.
func (r *OrgUserReconciler) remove(ctx context.Context, conn *connection, user *v1alpha1.OrgUser, userID string) (farewell, error) {
	fresh, found, err := conn.roster.Fresh(ctx, conn.api, userID)
	if err != nil {
		return farewell{}, err
	}
	if !found {
		return r.alreadyGone(ctx, conn, user, userID)
	}
	if user.Spec.Email != "" && roster.EmailKey(fresh.Email) != roster.EmailKey(user.Spec.Email) {
		return farewell{}, otherPerson(who(user), userID, "the address of another user, or of none; "+userID+" has "+fresh.Email)
	}
	heirs, err := r.rivals(ctx, conn, user, fresh)
	if err != nil {
		return farewell{}, err
	}
	if len(heirs) > 0 {
		return retained(who(user), fmt.Sprintf("OrgUser %s/%s declares the same person", heirs[0].Namespace, heirs[0].Name)), nil
	}
	for _, step := range plan.Removal(member{user: fresh}.observed()) {
		ticket, err := r.gate().ask(ctx, conn, user, step)
		if err != nil {
			return farewell{}, err
		}
		// The look at the object and its surroundings comes last, since the removal may have waited for its turn: after
		// it only the removal is counted, which fails if the Organization changed meanwhile.
		if waits, err := stillWaits(ctx, r.Live, user); err != nil || !waits {
			return farewell{}, firstError(err, errAsItWas)
		}
		if end, err := r.stays(ctx, user); err != nil || end.reason != "" {
			return end, err
		}
		if err := ticket.remove(ctx, conn); err != nil {
			return farewell{}, err
		}
	}
	return farewell{reason: v1alpha1.EventRemoved, message: fmt.Sprintf("removed %s (%s) from the organization", who(user), fresh.ID)}, nil
}

// alreadyGone tells a user who is gone from one who came back under another ID.
func (r *OrgUserReconciler) alreadyGone(ctx context.Context, conn *connection, user *v1alpha1.OrgUser, userID string) (farewell, error) {
	if user.Spec.Email != "" {
		back, err := conn.roster.Find(ctx, conn.api, personOf(user))
		if err != nil {
			return farewell{}, err
		}
		if len(back) > 0 {
			return farewell{}, otherPerson(who(user), userID, "user "+back[0].ID)
		}
	}
	return farewell{reason: v1alpha1.EventRemoved, message: fmt.Sprintf("%s (%s) is not in the organization any more", who(user), userID)}, nil
}

func retained(who, why string) farewell {
	return farewell{reason: v1alpha1.EventRetained, message: fmt.Sprintf("%s stays in the organization: %s", who, why)}
}
