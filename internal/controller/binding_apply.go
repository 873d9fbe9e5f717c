package controller

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// steps plans the binding: who is to get the role and who is to lose it.
func (seen observedBinding) steps() []plan.Step {
	var declared, released []plan.Holder
	for _, s := range seen.subjects {
		holder := plan.Holder{UserID: s.UserID, Who: s.who, Holding: s.holding}
		switch {
		case s.holding == "":
		case s.released:
			released = append(released, holder)
		default:
			declared = append(declared, holder)
		}
	}
	return plan.Binding(seen.role, declared, released)
}

// converge plans and applies, and returns the steps that were made. What came of a step that was not made is
// kept with its subject; only what concerns all is returned.
func (r *OrgUserRoleBindingReconciler) converge(ctx context.Context, binding, before *v1alpha1.OrgUserRoleBinding, seen observedBinding) (progress, error) {
	steps := seen.steps()
	if seen.conn.observeOnly {
		return progress{left: steps}, nil
	}
	if err := ensureFinalizer(ctx, r.Client, binding); err != nil {
		return progress{}, err
	}
	if len(steps) > callsPerPass {
		for _, step := range steps[callsPerPass:] {
			seen.each(step.UserID, func(s *subject) { s.err = errMoreToDo })
		}
		steps = steps[:callsPerPass]
	}
	if err := r.noteAhead(ctx, binding, before, seen, steps); err != nil {
		return progress{}, err
	}
	done, err := r.apply(ctx, binding, seen, steps)
	return progress{done: done}, err
}

// noteAhead writes down who is about to get the role. If the manager is killed between the call and the next
// status, a subject that is taken out meanwhile still loses the role.
func (r *OrgUserRoleBindingReconciler) noteAhead(ctx context.Context, binding, before *v1alpha1.OrgUserRoleBinding, seen observedBinding, steps []plan.Step) error {
	noted := map[string]bool{}
	for _, line := range before.Status.Subjects {
		noted[line.UserID] = true
	}
	if !slices.ContainsFunc(steps, func(step plan.Step) bool { return step.Verb == plan.Assign && !noted[step.UserID] }) {
		return nil
	}
	setBindingStatus(binding, seen, nil, outcome{state: keep})
	if err := r.patchStatus(ctx, before, binding); err != nil {
		return err
	}
	binding.DeepCopyInto(before)
	return nil
}

func (r *OrgUserRoleBindingReconciler) apply(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding, seen observedBinding, steps []plan.Step) ([]plan.Step, error) {
	made := make([]bool, len(steps))
	order := make([]int, len(steps))
	for i := range order {
		order[i] = i
	}
	atOnce(order, func(i int) {
		step := steps[i]
		holding, err := plan.Holding(""), r.standsAs(ctx, seen.conn, binding)
		if err == nil {
			holding, err = r.make(ctx, seen.conn, step)
		}
		made[i] = err == nil && holding != plan.Inherited
		seen.each(step.UserID, func(s *subject) { s.holding, s.err = holding, err })
	})
	var done []plan.Step
	for i, step := range steps {
		if made[i] {
			seen.conn.note(ctx, step)
			done = append(done, step)
		}
	}
	return done, seen.refused(r.Connections)
}

// standsAs is asked before each step, since many steps take their time: errAsItWas says that the binding was changed
// or paused meanwhile, or its Organization was. The pass after this one takes it from there.
func (r *OrgUserRoleBindingReconciler) standsAs(ctx context.Context, conn *connection, binding *v1alpha1.OrgUserRoleBinding) error {
	current, org := &v1alpha1.OrgUserRoleBinding{}, &v1alpha1.Organization{}
	if err := firstError(r.Get(ctx, client.ObjectKeyFromObject(binding), current), r.Get(ctx, conn.object, org)); apierrors.IsNotFound(err) {
		return errAsItWas
	} else if err != nil {
		return err
	}
	if current.UID != binding.UID || current.Generation != binding.Generation || paused(current) ||
		paused(org) || org.Spec.Mode == v1alpha1.ModeObserve {
		return errAsItWas
	}
	return nil
}

// make makes one step and returns how the user has the role afterwards.
func (r *OrgUserRoleBindingReconciler) make(ctx context.Context, conn *connection, step plan.Step) (plan.Holding, error) {
	var err error
	after := plan.Held
	if step.Verb == plan.Assign {
		if _, err = conn.changes.AssignRole(ctx, step.UserID, step.Role.ID); err == nil {
			conn.roster.SetAssigned(step.UserID, openai.RoleAssignment{RoleID: step.Role.ID, RoleName: step.Role.Name})
		}
	} else {
		after, err = unassign(ctx, conn, step)
	}
	if err != nil {
		// A lost answer may have been carried out: the next try lists before it writes.
		conn.roster.ForgetAssignments(step.UserID)
		return "", err
	}
	return after, nil
}

// unassign looks at the assignment afresh and takes it away if it is one that can be.
func unassign(ctx context.Context, conn *connection, step plan.Step) (plan.Holding, error) {
	assignment, err := conn.api.GetUserRole(ctx, step.UserID, step.Role.ID)
	if err == nil && (assignment.Inherited || assignment.Predefined) {
		conn.roster.SetAssigned(step.UserID, assignment)
		return plan.Inherited, nil
	}
	if err == nil {
		err = conn.changes.UnassignRole(ctx, step.UserID, step.Role.ID)
	}
	if err != nil && !openai.IsNotFound(err) {
		return "", err
	}
	conn.roster.SetUnassigned(step.UserID, step.Role.ID)
	return plan.NotHeld, nil
}

// each runs the function for every subject that is the user.
func (seen observedBinding) each(userID string, run func(*subject)) {
	for _, s := range seen.subjects {
		if s.UserID == userID {
			run(s)
		}
	}
}
