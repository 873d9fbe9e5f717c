package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/edge"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// finalize writes down that the person is to leave, or why they stay, and lets the object go: the same name can be
// created again at once.
func (r *orgUserReconciler) finalize(ctx context.Context, user *v1alpha1.OrgUser) (ctrl.Result, error) {
	if waits, err := stillWaits(ctx, r.live, user); err != nil || !waits {
		return ctrl.Result{}, err
	}
	before := user.DeepCopy()
	end, v, err := r.leave(ctx, user)
	if err != nil {
		return ctrl.Result{}, err
	}
	if end.Reason != "" {
		if err := dropFinalizer(ctx, r.Client, user); err != nil {
			return ctrl.Result{}, err
		}
		r.edge.Tell(ctx, user, "OrgUser", end)
		return ctrl.Result{}, nil
	}
	if v.Reason != v1alpha1.ReasonPaused {
		v = verdict.RemovalWaits(v, who(user))
	} else {
		v = verdict.WithRetain(v, "the person in the organization")
	}
	setOrgUserStatus(user, seenUser{}, v)
	if err := r.patchStatus(ctx, before, user); err != nil {
		return ctrl.Result{}, err
	}
	r.announce(user, before.Status.Conditions, v)
	return ctrl.Result{RequeueAfter: verdict.SecretPoll}, nil
}

// leave decides whether the person is to leave with the object. The farewell says how it ends; without one the verdict
// says what it waits for.
func (r *orgUserReconciler) leave(ctx context.Context, user *v1alpha1.OrgUser) (edge.Farewell, verdict.Verdict, error) {
	var none verdict.Verdict
	name := declared.OrganizationOf(user)
	look := r.cache.NewLook(r.live)
	stays := func(why string) (edge.Farewell, verdict.Verdict, error) {
		return retained(who(user), why), none, r.forgetLeaver(ctx, user)
	}
	if user.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRetain {
		return stays("spec.deletionPolicy is Retain")
	}
	down, err := look.Teardown(ctx, user.Namespace, declared.OrgUserCRD)
	if err != nil {
		return edge.Farewell{}, none, err
	}
	if down.Why != "" {
		end := retained(who(user), down.Why)
		end.NamespaceGoing = down.Namespace
		return end, none, nil
	}
	org, err := look.Organization(ctx, name)
	if err != nil {
		return edge.Farewell{}, none, fmt.Errorf("read Organization %s: %w", name.Name, err)
	}
	if org == nil || !org.DeletionTimestamp.IsZero() {
		return retained(who(user), "Organization "+name.Name+" is gone or being deleted"), none, nil
	}
	if declared.Paused(user) {
		return edge.Farewell{}, verdict.Paused(), nil
	}
	if org.Spec.Mode == v1alpha1.ModeObserve {
		return stays("the Organization's mode is Observe")
	}
	userID, v, err := r.whoLeaves(ctx, user)
	if err != nil || v.State != verdict.Ready {
		return edge.Farewell{}, v, err
	}
	if userID == "" {
		return edge.Farewell{Reason: v1alpha1.EventReleased, Message: fmt.Sprintf("%s is not a member, so nobody is removed", who(user))}, none, nil
	}
	heir, err := r.heir(ctx, look, user, userID)
	if err != nil {
		return edge.Farewell{}, none, err
	}
	if heir != nil {
		return stays(fmt.Sprintf("OrgUser %s/%s declares the same person", heir.Namespace, heir.Name))
	}
	return r.remember(ctx, user, org, userID)
}

// whoLeaves is the user whom the object stands for, "" for nobody.
func (r *orgUserReconciler) whoLeaves(ctx context.Context, user *v1alpha1.OrgUser) (string, verdict.Verdict, error) {
	if user.Status.UserID != "" {
		return user.Status.UserID, verdict.Verdict{}, nil
	}
	// The manager was killed before it could write down whom it had matched.
	_, o, v, err := r.organizationOf(ctx, user)
	if err != nil {
		return "", v, err
	}
	if o == nil {
		return "", v, nil
	}
	standing := declared.ClaimOf(user, nil).Standing(o.Roster())
	if standing.Fact.Kind == plan.Unknown {
		keys := declared.KeysOf(user)
		o.Wake(pending.Edited, true, keys...)
		v := verdict.OrgUser(o.LookFact(keys[0]), who(user), nil, nil)
		return "", v, nil
	}
	return standing.User.ID, verdict.Verdict{}, nil
}

// heir is another OrgUser, which acts or is to, of the same person: then nothing changes with this one.
func (r *orgUserReconciler) heir(ctx context.Context, look *declared.Look, user *v1alpha1.OrgUser, userID string) (*v1alpha1.OrgUser, error) {
	keys := []plan.Key{plan.IDKey(userID)}
	names := []client.ObjectKey{declared.OrganizationOf(user)}
	var directory plan.Directory
	if o := r.organizations.Of(names[0]); o != nil {
		keys, names, directory = o.Roster().KeysOf(userID), o.Objects(), o.Roster()
	}
	found, err := r.cache.Gather(ctx, names, keys)
	if err != nil {
		return nil, err
	}
	found.Bindings, found.Organizations = nil, nil
	now, err := look.Again(ctx, found)
	if err != nil {
		return nil, err
	}
	for _, other := range now.Users {
		stands := other.Status.UserID == userID || other.Spec.UserID == userID
		if directory != nil {
			standing := declared.ClaimOf(other, nil).Standing(directory)
			stands = standing.User.ID == userID && standing.Fact.Kind == plan.None
		}
		if other.UID != user.UID && other.DeletionTimestamp.IsZero() && stands && controllerutil.ContainsFinalizer(other, v1alpha1.Finalizer) {
			return other, nil
		}
	}
	return nil, nil //nolint:nilnil // nobody, which is no error
}

var errTooManyLeavers = errors.New("status.leaving is full")

// remember writes the person down as a leaver, behind whom the object may go.
func (r *orgUserReconciler) remember(ctx context.Context, user *v1alpha1.OrgUser, org *v1alpha1.Organization, userID string) (edge.Farewell, verdict.Verdict, error) {
	line := v1alpha1.Leaver{UserID: userID, Email: user.Spec.Email, OrgUser: user.Name, Since: *user.DeletionTimestamp}
	err := r.edge.Write(ctx, client.ObjectKeyFromObject(org), func(org *v1alpha1.Organization) error {
		if org.Spec.Mode == v1alpha1.ModeObserve {
			return errors.New("the mode became Observe a moment ago")
		}
		if slices.ContainsFunc(org.Status.Leaving, func(l v1alpha1.Leaver) bool { return l.UserID == userID }) {
			return nil
		}
		if len(org.Status.Leaving) >= declared.MaxLeavers {
			return errTooManyLeavers
		}
		line.Due = metav1.NewTime(declared.DueAt(org, &line))
		org.Status.Leaving = append(org.Status.Leaving, line)
		org.Status.LeavingUsers = new(int32(len(org.Status.Leaving))) //nolint:gosec // at most MaxLeavers
		return nil
	})
	if errors.Is(err, errTooManyLeavers) {
		return edge.Farewell{}, verdict.TooManyLeavers(who(user), declared.MaxLeavers), nil
	}
	if err != nil {
		return edge.Farewell{}, verdict.Verdict{}, err
	}
	if err := r.isRemembered(ctx, org, userID); err != nil {
		return edge.Farewell{}, verdict.Verdict{}, err
	}
	delay := declared.RemovalDelay(org)
	message := fmt.Sprintf("%s (%s) leaves the organization: OrgUser %s was deleted; they are removed behind the guard", who(user), userID, user.Name)
	if delay > 0 {
		message += fmt.Sprintf(", %s after that at the earliest, unless an OrgUser names them again", verdict.Words(delay))
	}
	r.events.Eventf(org, user, "Normal", v1alpha1.EventLeaving, "Leave "+userID, "%s", message)
	return edge.Farewell{Reason: v1alpha1.EventLeaving, Message: message}, verdict.Verdict{}, nil
}

// isRemembered sees that the leaver was kept: an API server whose kinds are older than this manager drops the field without
// a word, and nobody would remember them.
func (r *orgUserReconciler) isRemembered(ctx context.Context, org *v1alpha1.Organization, userID string) error {
	kept := &v1alpha1.Organization{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(org), kept); err != nil {
		return err
	}
	if !slices.ContainsFunc(kept.Status.Leaving, func(l v1alpha1.Leaver) bool { return l.UserID == userID }) && kept.Status.LeavingUsers == nil {
		return errors.New("the API server did not keep status.leaving: its CustomResourceDefinitions are older than this manager; apply config/crd of this version")
	}
	return nil
}

// forgetLeaver takes back that the person is to leave, if this object's deletion had it so.
func (r *orgUserReconciler) forgetLeaver(ctx context.Context, user *v1alpha1.OrgUser) error {
	org, err := r.cache.Organization(ctx, declared.OrganizationOf(user))
	if err != nil || org == nil || user.Status.UserID == "" {
		return err
	}
	mine := func(l v1alpha1.Leaver) bool {
		return l.UserID == user.Status.UserID && l.OrgUser == user.Name && l.Since.Equal(user.DeletionTimestamp)
	}
	if !slices.ContainsFunc(org.Status.Leaving, mine) {
		return nil
	}
	return r.edge.Write(ctx, client.ObjectKeyFromObject(org), func(org *v1alpha1.Organization) error {
		org.Status.Leaving = slices.DeleteFunc(org.Status.Leaving, mine)
		org.Status.LeavingUsers = new(int32(len(org.Status.Leaving))) //nolint:gosec // at most MaxLeavers
		return nil
	})
}

func retained(who, why string) edge.Farewell {
	return edge.Farewell{Reason: v1alpha1.EventRetained, Message: fmt.Sprintf("%s stays in the organization: %s", who, why)}
}
