package controller

import (
	"context"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/log"

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

// converge plans and applies. It returns the member as they are afterwards and the steps that were made.
func (r *OrgUserReconciler) converge(ctx context.Context, user *v1alpha1.OrgUser, m member) (member, []plan.Step, error) {
	steps := plan.User(desired(user), m.observed())
	if !slices.ContainsFunc(steps, func(s plan.Step) bool { return s.DemotesOwner }) {
		return r.apply(ctx, user, m, steps)
	}
	// A change of an owner is made one at a time, and on a fresh look.
	var done []plan.Step
	err := m.conn.exclusively(ctx, func() error {
		fresh, found, err := m.conn.roster.Fresh(ctx, m.conn.api, m.user.ID)
		if err != nil {
			return refusing(r.Connections, m.conn, err)
		}
		if !found {
			return notAMember(who(user))
		}
		m.user = fresh
		m, done, err = r.apply(ctx, user, m, plan.User(desired(user), m.observed()))
		return err
	})
	return m, done, err
}

// apply makes the steps and looks whether they were taken over.
func (r *OrgUserReconciler) apply(ctx context.Context, user *v1alpha1.OrgUser, m member, steps []plan.Step) (member, []plan.Step, error) {
	var done []plan.Step
	for _, step := range steps {
		updated, err := m.conn.api.UpdateUser(ctx, m.user.ID, updateOf(step))
		if err != nil {
			return m, done, r.failed(ctx, m, err)
		}
		log.FromContext(ctx).Info("updated user", "userID", m.user.ID, "change", step.String())
		m.user = updated
		m.conn.roster.Put(updated)
		if user.Spec.RoleID != "" {
			m.conn.roster.ForgetAssignments(m.user.ID)
			if m, err = r.complete(ctx, user, m); err != nil {
				return m, done, err
			}
		}
		done = append(done, step)
	}
	if left := plan.User(desired(user), m.observed()); len(done) > 0 && len(left) > 0 {
		return m, done, notTakenOver(sentences(left))
	}
	return m, done, nil
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
