package controller

import (
	"context"
	"slices"
	"strings"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// desired is what the OrgUser declares, as the plan takes it.
func desired(user *v1alpha1.OrgUser) plan.DesiredUser {
	return plan.DesiredUser{
		Role: string(user.Spec.Role), RoleID: user.Spec.RoleID,
		DeveloperPersona: user.Spec.DeveloperPersona, TechnicalLevel: user.Spec.TechnicalLevel,
	}
}

// progress is what became of a plan.
type progress struct {
	// done are the steps that were made, left those that Observe or the guard leaves undone.
	done, left []plan.Step
}

// converge plans and applies. It returns the member as they are afterwards.
func (r *OrgUserReconciler) converge(ctx context.Context, user *v1alpha1.OrgUser, m member) (member, progress, error) {
	steps := plan.User(desired(user), m.observed())
	if m.conn.observeOnly {
		return m, progress{left: steps}, observedOnly(steps)
	}
	if err := ensureFinalizer(ctx, r.Client, user); err != nil {
		return m, progress{}, err
	}
	if !slices.ContainsFunc(steps, plan.Step.MayDemote) {
		return r.apply(ctx, user, m, steps)
	}
	// A change that takes owner from whoever has it is made one at a time, on a fresh look, and if the guard lets it
	// pass: the user may have become an owner since they were read.
	var made progress
	err := m.conn.exclusively(ctx, func() error {
		fresh, found, err := m.conn.roster.Fresh(ctx, m.conn.api, m.user.ID)
		if err != nil {
			return refusing(r.Connections, m.conn, err)
		}
		if !found {
			return notAMember(who(user))
		}
		m.user = fresh
		steps := plan.User(desired(user), m.observed())
		for _, step := range steps {
			if !step.DemotesOwner {
				continue
			}
			if _, err := r.gate().ask(ctx, m.conn, user, step); err != nil {
				made.left = steps
				return refusing(r.Connections, m.conn, err)
			}
		}
		m, made, err = r.apply(ctx, user, m, steps)
		return err
	})
	return m, made, err
}

// apply makes the steps and looks whether they were taken over.
func (r *OrgUserReconciler) apply(ctx context.Context, user *v1alpha1.OrgUser, m member, steps []plan.Step) (member, progress, error) {
	var made progress
	for _, step := range steps {
		updated, err := m.conn.changes.UpdateUser(ctx, m.user.ID, updateOf(step))
		if err != nil {
			return m, made, r.failed(ctx, m, err)
		}
		m.conn.note(ctx, step)
		m.conn.roster.Put(updated)
		if updated.Role != m.user.Role {
			r.Connections.Recount(m.conn)
		}
		m.user = updated
		if user.Spec.RoleID != "" {
			m.conn.roster.ForgetAssignments(m.user.ID)
			if m, err = r.complete(ctx, user, m); err != nil {
				return m, made, err
			}
		}
		made.done = append(made.done, step)
	}
	if len(made.done) > 0 && m.user.Role == plan.RoleOwner {
		// One who is held because of too few owners may go on now.
		r.Connections.Nudge(m.conn)
	}
	if left := plan.User(desired(user), m.observed()); len(made.done) > 0 && len(left) > 0 {
		return m, made, notTakenOver(sentences(left))
	}
	return m, made, nil
}

// failed keeps what a failed change teaches: a lost answer means that the user must be looked at before the
// next try, and a user who is not found may just have left.
func (r *OrgUserReconciler) failed(ctx context.Context, m member, err error) error {
	switch {
	case openai.IsNotFound(err):
		if _, found, lookErr := m.conn.roster.Fresh(ctx, m.conn.api, m.user.ID); lookErr == nil && !found {
			return notAMember(m.observed().Who())
		}
	case openai.IsTransient(err):
		m.conn.roster.Doubt(m.user.ID)
	}
	return refusing(r.Connections, m.conn, err)
}

func updateOf(step plan.Step) openai.UserUpdate {
	var update openai.UserUpdate
	for _, change := range step.Changes {
		to := change.To
		switch change.Field {
		case plan.FieldRole:
			update.Role = &to
		case plan.FieldRoleID:
			update.RoleID = &to
		case plan.FieldDeveloperPersona:
			update.DeveloperPersona = &to
		case plan.FieldTechnicalLevel:
			update.TechnicalLevel = &to
		}
	}
	return update
}

// refusing tells the Connections if the API refused the key. It returns the error as it is.
func refusing(connections *Connections, conn *connection, err error) error {
	if refusesKey(err) {
		connections.Refuse(conn)
	}
	return err
}

func sentences(steps []plan.Step) string {
	all := make([]string, len(steps))
	for i, step := range steps {
		all[i] = step.String()
	}
	return strings.Join(all, "; ")
}
