package controller

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// orgUserReconciler writes down for one OrgUser whom it stands for and what is said of it. It changes nothing in an
// organization.
type orgUserReconciler struct {
	shared
}

// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=orgusers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=orgusers/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=organizations.openai.rollcall.dev;orgusers.openai.rollcall.dev;orguserrolebindings.openai.rollcall.dev,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// seenUser is what is known of whom an OrgUser declares.
type seenUser struct {
	// member is the member as the status shows them, with an ID if there is one.
	member v1alpha1.OrgUserStatus
	// acts: the object acts for the member, and is to write down that it does.
	acts, takesOver bool
	fact            plan.Fact
	steps           []plan.Step
	// again is when it is looked at again, though nothing wakes it.
	again time.Duration
}

// Reconcile says of the OrgUser what the plan says of it.
func (r *orgUserReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.edge.OrgUsers.Begun(request.NamespacedName)
	user := &v1alpha1.OrgUser{}
	if err := r.Get(ctx, request.NamespacedName, user); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !user.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, user)
	}
	before := user.DeepCopy()
	org, seen, v, err := r.observe(ctx, user)
	if err != nil {
		return ctrl.Result{}, err
	}
	if seen.acts {
		if err := ensureFinalizer(ctx, r.Client, user); err != nil {
			return ctrl.Result{}, err
		}
	}
	setOrgUserStatus(user, seen, v)
	if err := r.patchStatus(ctx, before, user); err != nil {
		return ctrl.Result{}, err
	}
	r.announce(user, before.Status.Conditions, v)
	announceHeld(r.events, user, before.Status.Conditions, v, seen.fact, org)
	if seen.again > 0 {
		// Not by RequeueAfter: that keeps the priority of whatever had it looked at now, and many who wait would go first.
		r.edge.OrgUsers.Add(request.NamespacedName, true, seen.again)
	}
	return ctrl.Result{}, nil
}

// observe finds whom the OrgUser stands for, and what is to be said of it.
func (r *orgUserReconciler) observe(ctx context.Context, user *v1alpha1.OrgUser) (*v1alpha1.Organization, seenUser, verdict.Verdict, error) {
	var seen seenUser
	if declared.Paused(user) {
		return nil, seen, verdict.Paused(), nil
	}
	org, o, v, err := r.organizationOf(ctx, user)
	if err != nil || o == nil {
		return org, seen, v, err
	}
	standing := declared.ClaimOf(user, nil).Standing(o.Roster())
	if !standing.Resolved() {
		seen.fact = standing.Fact
		if seen.fact.Kind == plan.Unknown {
			keys := declared.KeysOf(user)
			seen.fact = o.LookFact(keys[0])
			o.Wake(pending.Edited, false, keys...)
		}
		return org, seen, verdict.OrgUser(seen.fact, who(user), org, nil), nil
	}
	d, err := o.Decide(ctx, standing.User.ID)
	if err != nil {
		return org, seen, v, err
	}
	seen.member = memberOf(o.Roster(), standing.User.ID)
	seen.fact = d.Claims[string(user.UID)].Fact
	for _, due := range d.Steps {
		for _, uid := range due.For {
			if uid == string(user.UID) {
				seen.steps = append(seen.steps, due.Step)
			}
		}
	}
	seen.acts = d.Acts == string(user.UID) && seen.fact.Kind != plan.Observed && seen.fact.Kind != plan.Unknown
	seen.takesOver = seen.acts && d.TakesOver
	switch {
	case seen.fact.Kind == plan.NotWritten && len(seen.steps) == 0:
		seen.fact = plan.Fact{} // it is written down with what is said now
	case seen.fact.Kind == plan.Pending:
		v := r.pending(o, &seen)
		return org, seen, v, nil
	}
	return org, seen, verdict.OrgUser(seen.fact, who(user), org, seen.steps), nil
}

// patience is how long a change waits for its turn before that is said.
const patience = 10 * time.Second

// pending says of an object whose change waits for its turn that it does, once it has waited long.
func (r *orgUserReconciler) pending(o *organization.Organization, seen *seenUser) verdict.Verdict {
	since, waits := o.WaitsSince(plan.IDKey(seen.member.UserID))
	if waits && time.Since(since) >= patience {
		return verdict.AwaitsTurn()
	}
	seen.again = patience + time.Second
	return verdict.AsItWas()
}

// who names the person as the manifest does.
func who(user *v1alpha1.OrgUser) string {
	if user.Spec.Email != "" {
		return user.Spec.Email
	}
	return user.Spec.UserID
}
