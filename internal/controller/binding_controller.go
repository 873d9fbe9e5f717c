package controller

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// bindingReconciler writes down for one OrgUserRoleBinding whom it names, who has the role, and what is said of
// it. It changes nothing in an organization.
type bindingReconciler struct {
	shared

	mu sync.Mutex
	// written is when a binding's status was written last.
	written map[types.NamespacedName]written
}

type written struct {
	uid        types.UID
	lines, any time.Time
}

func newBindingReconciler(s shared) *bindingReconciler {
	return &bindingReconciler{shared: s, written: map[types.NamespacedName]written{}}
}

// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=orguserrolebindings,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=orguserrolebindings/status,verbs=patch

// seenBinding is what is known of a binding's subjects.
type seenBinding struct {
	org      *v1alpha1.Organization
	role     plan.Role
	subjects []*verdict.Subject
	// acts: it is to write down whom it means. left are the steps that Observe leaves undone.
	acts bool
	left []plan.Step
}

// Reconcile says of the binding what the plan says of its subjects.
func (r *bindingReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.edge.Bindings.Begun(request.NamespacedName)
	binding := &v1alpha1.OrgUserRoleBinding{}
	if err := r.Get(ctx, request.NamespacedName, binding); apierrors.IsNotFound(err) {
		r.forgetWritten(request.NamespacedName)
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, err
	}
	if !binding.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, binding)
	}
	before := binding.DeepCopy()
	seen, v, err := r.observe(ctx, binding)
	if err != nil {
		return ctrl.Result{}, err
	}
	if seen.acts {
		if err := ensureFinalizer(ctx, r.Client, binding); err != nil {
			return ctrl.Result{}, err
		}
	}
	setBindingStatus(binding, seen, v)
	if wait := r.writesLater(before, binding, v); wait > 0 {
		r.edge.Bindings.Add(request.NamespacedName, true, wait) // not by RequeueAfter, as for an OrgUser
		return ctrl.Result{}, nil
	}
	if err := r.patchStatus(ctx, before, binding); err != nil {
		return ctrl.Result{}, err
	}
	r.edge.TellMade(binding)
	r.announce(binding, before.Status.Conditions, v)
	return ctrl.Result{}, nil
}

// observe resolves the role and the subjects, and asks the plan about each.
func (r *bindingReconciler) observe(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) (seenBinding, verdict.Verdict, error) {
	var seen seenBinding
	if declared.Paused(binding) {
		return seen, verdict.Paused(), nil
	}
	org, o, v, err := r.organizationOf(ctx, binding)
	if err != nil || o == nil {
		return seen, v, err
	}
	seen.org = org
	if seen.role, v = role(o, binding); seen.role.ID == "" && binding.DeletionTimestamp.IsZero() {
		return seen, v, nil
	}
	if err := r.observeSubjects(ctx, o, binding, &seen); err != nil {
		return seen, v, err
	}
	seen.acts = org.Spec.Mode != v1alpha1.ModeObserve
	return seen, verdict.Binding(org, seen.subjects, seen.left), nil
}

// role is the role of a binding: what its reference means, or while it is deleted what it gave. Without one the verdict says
// why.
func role(o *organization.Organization, binding *v1alpha1.OrgUserRoleBinding) (plan.Role, verdict.Verdict) {
	if !binding.DeletionTimestamp.IsZero() {
		return plan.Role{ID: binding.Status.RoleID, Name: binding.Status.RoleName}, verdict.Verdict{}
	}
	grant := declared.GrantOf(binding, nil, o.Setting())
	missing := grant.RoleFact.Kind == plan.RolesUnknown || grant.RoleFact.Kind == plan.NoSuchRole
	if missing && o.Readings().WantCatalog(binding) {
		return plan.Role{}, verdict.AsItWas()
	}
	return grant.Role, verdict.InvalidRole(grant.RoleFact, grant.Refers, grant.Noted)
}

// questions are what is asked of the plan about the subjects of one binding.
type questions struct {
	o       *organization.Organization
	binding *v1alpha1.OrgUserRoleBinding
	seen    *seenBinding
	asked   map[string]plan.Decision
	// named are the users whom a subject or a line means.
	named map[string]bool
	// unknown are the keys of those who must be looked for.
	unknown []plan.Key
}

// observeSubjects asks the plan about everybody whom the spec names, and about those whom the status remembers.
func (r *bindingReconciler) observeSubjects(ctx context.Context, o *organization.Organization, binding *v1alpha1.OrgUserRoleBinding, seen *seenBinding) error {
	q := questions{o, binding, seen, map[string]plan.Decision{}, map[string]bool{}, nil}
	if binding.DeletionTimestamp.IsZero() {
		for _, subject := range binding.Spec.Subjects {
			found, err := r.cache.Subject(ctx, binding, subject, o.Roster())
			if err != nil {
				return err
			}
			if err := q.subject(ctx, subject, found); err != nil {
				return err
			}
		}
	}
	o.Wake(pending.Edited, false, q.unknown...) // all at once, so that one call looks for them
	for i := range binding.Status.Subjects {
		if err := q.line(ctx, &binding.Status.Subjects[i]); err != nil {
			return err
		}
	}
	return nil
}

// subject asks about whom a subject of the spec means.
func (q *questions) subject(ctx context.Context, subject v1alpha1.Subject, found declared.Subject) error {
	named := subject.Email + subject.UserID + subject.OrgUser
	s := &verdict.Subject{SubjectStatus: v1alpha1.SubjectStatus{Subject: subject, UserID: found.User.ID}, Who: named}
	q.seen.subjects = append(q.seen.subjects, s)
	switch {
	case found.User.ID != "":
		s.Who = found.User.Who()
		q.named[found.User.ID] = true
		if err := q.ask(ctx, s, found.User.ID); err != nil {
			return err
		}
		switch {
		case found.Fact.Kind == plan.AddressChanged:
			s.Who, s.Said.Fact = named, found.Fact // it knows who has the address now
		case found.Fact.Kind != plan.None && s.Said.Holding == "":
			s.Said.Fact = found.Fact
		}
		return nil
	case found.Fact.Kind != plan.Unknown || len(found.Keys) == 0:
		s.Said.Fact = found.Fact
	default:
		s.Said.Fact = q.o.LookFact(found.Keys[0])
		q.unknown = append(q.unknown, found.Keys...)
	}
	if len(found.Keys) > 0 {
		s.Who = found.Keys[0].ID + found.Keys[0].Email
	}
	return nil
}

// line asks about whom a line of the status remembers and no subject means.
func (q *questions) line(ctx context.Context, line *v1alpha1.SubjectStatus) error {
	if line.UserID == "" || q.named[line.UserID] {
		return nil
	}
	q.named[line.UserID] = true
	user, there := q.o.Roster().User(line.UserID)
	if !there {
		user = plan.User{ID: line.UserID}
	}
	s := &verdict.Subject{SubjectStatus: v1alpha1.SubjectStatus{Subject: line.Subject, UserID: line.UserID}, Who: user.Who(), Released: true}
	q.seen.subjects = append(q.seen.subjects, s)
	return q.ask(ctx, s, line.UserID)
}

// ask asks the plan about one user.
func (q *questions) ask(ctx context.Context, s *verdict.Subject, userID string) error {
	d, again := q.asked[userID]
	if !again {
		var err error
		if d, err = q.o.Decide(ctx, userID); err != nil {
			return err
		}
		q.asked[userID] = d
	}
	said, known := d.Grants[string(q.binding.UID)]
	if !known {
		said = plan.Said{Fact: plan.Fact{Kind: plan.NotWritten}}
	}
	s.Said = said
	for _, due := range d.Steps {
		if due.Step.Role.ID != q.seen.role.ID || (due.Step.Verb == plan.Assign) == s.Released {
			continue
		}
		s.Step = due.Step
		if q.seen.org.Spec.Mode == v1alpha1.ModeObserve && !again {
			q.seen.left = append(q.seen.left, due.Step)
		}
	}
	return nil
}
