package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

// undeclared is what the organization has and no object declares.
type undeclared struct {
	// users and roles are the steps that would remove it.
	users, roles []plan.Step
	// resolved says that every object was matched, so that nobody is called undeclared for a typo.
	resolved bool
	// left are the steps that Observe or the guard leaves undone.
	left []plan.Step
	// held is how many of them the guard holds.
	held int
}

// sightings is how many whole readings in a row must have found something undeclared before it is removed.
const sightings = 2

// tidy looks for what is undeclared and, where the spec says so, removes it.
func (r *OrganizationReconciler) tidy(ctx context.Context, org *v1alpha1.Organization, reading *reading) error {
	policy := org.Spec.Undeclared
	conn := reading.conn
	siblings, err := finder{r.Client}.siblings(ctx, r.Connections, conn)
	if err != nil {
		return err
	}
	found, err := r.findUndeclared(ctx, org, conn, siblings)
	if err != nil {
		return err
	}
	reading.undeclared = &found
	defer func() { conn.ledger.hold(found.held) }()
	var steps []plan.Step
	if policy.Users == v1alpha1.UndeclaredUsersRemove {
		steps = append(steps, found.users...)
	}
	if policy.RoleAssignments == v1alpha1.UndeclaredRolesUnassign {
		steps = append(steps, found.roles...)
	}
	if policy.Users == v1alpha1.UndeclaredUsersRemove || policy.RoleAssignments == v1alpha1.UndeclaredRolesUnassign {
		if len(siblings) > 1 {
			return sharedOrganization(org, siblings)
		}
	}
	if org.Spec.Mode == v1alpha1.ModeObserve {
		found.left = steps
		return nil
	}
	if !found.resolved {
		steps = nil
	}
	ripe := r.Connections.Sighted(conn.object, steps)
	return r.remove(ctx, org, conn, &found, ripe)
}

// findUndeclared compares the roster with all objects of the organization.
func (r *OrganizationReconciler) findUndeclared(ctx context.Context, org *v1alpha1.Organization, conn *connection, siblings []types.NamespacedName) (undeclared, error) {
	found := undeclared{}
	declared, resolved, err := r.declared(ctx, conn, siblings)
	if err != nil {
		return found, err
	}
	found.resolved = resolved && len(declared) > 0
	if org.Spec.Undeclared.Users != v1alpha1.UndeclaredUsersIgnore {
		for _, user := range conn.roster.Users() {
			if declared[user.ID] == nil && removable(user) {
				found.users = append(found.users, plan.Removal(member{user: user}.observed())...)
			}
		}
	}
	if org.Spec.Undeclared.RoleAssignments != v1alpha1.UndeclaredRolesIgnore {
		found.roles, err = r.undeclaredRoles(ctx, conn, siblings, declared)
	}
	return found, err
}

// removable says whether a user may be counted and removed as undeclared.
func removable(user openai.User) bool {
	return !user.IsServiceAccount && !user.IsSCIMManaged && !user.IsDefault
}

// declared returns the members whom OrgUsers declare, by ID, and whether each OrgUser was matched with one.
func (r *OrganizationReconciler) declared(ctx context.Context, conn *connection, siblings []types.NamespacedName) (map[string]*v1alpha1.OrgUser, bool, error) {
	declared, resolved := map[string]*v1alpha1.OrgUser{}, true
	for _, sibling := range siblings {
		users, err := finder{r.Client}.orgUsers(ctx, sibling.Namespace, byOrganization, sibling.Name)
		if err != nil {
			return nil, false, err
		}
		for i := range users {
			members := conn.roster.Known(personOf(&users[i]))
			resolved = resolved && len(members) == 1
			for _, m := range members {
				declared[m.ID] = &users[i]
			}
		}
	}
	return declared, resolved, nil
}

// undeclaredRoles returns the direct assignments of roles that are not predefined, to declared users, that
// neither a binding nor an OrgUser's roleID declares. Users whose roles are not known yet are listed soon.
func (r *OrganizationReconciler) undeclaredRoles(ctx context.Context, conn *connection, siblings []types.NamespacedName, declared map[string]*v1alpha1.OrgUser) ([]plan.Step, error) {
	var steps []plan.Step
	for id, orgUser := range declared {
		if !conn.roster.KnowsAssignments(id) {
			conn.roster.WantAssignments(id)
			continue
		}
		known := conn.roster.Known(roster.IDKey(id))
		assignments, err := conn.roster.Assignments(ctx, conn.api, id)
		if err != nil || len(known) == 0 {
			return nil, err
		}
		bindings, err := finder{r.Client}.bindingsOf(ctx, siblings, roster.Keys(known[0]))
		if err != nil {
			return nil, err
		}
		for _, a := range assignments {
			role := plan.Role{ID: a.RoleID, Name: a.RoleName}
			if !a.Predefined && !a.Inherited && !givenByAny(bindings, role) && orgUser.Spec.RoleID != a.RoleID {
				steps = append(steps, plan.Step{Verb: plan.Unassign, UserID: id, Who: displayName(known[0]), Role: role})
			}
		}
	}
	slices.SortFunc(steps, plan.Compare)
	return steps, nil
}

// remove carries out the steps that are ripe. What the guard holds is left for later.
func (r *OrganizationReconciler) remove(ctx context.Context, org *v1alpha1.Organization, conn *connection, found *undeclared, ripe []plan.Step) error {
	var held error
	windowFull := false
	for i, step := range ripe {
		if windowFull && step.Verb == plan.Remove {
			found.left = append(found.left, step)
			found.held++
			continue
		}
		err := conn.exclusively(ctx, func() error { return r.removeOne(ctx, org, conn, step) })
		switch {
		case heldBy(err) != "":
			found.left = append(found.left, step)
			found.held++
			held = err
			windowFull = windowFull || heldBy(err) == plan.RuleMaxRemovals
		case openai.IsRejected(err), openai.IsUnauthorized(err) && !refusesKey(err):
			// It concerns this step only: those behind it are not to wait.
			r.Events.Eventf(org, nil, "Warning", v1alpha1.ReasonRejected, aboutStep(step), "to %s: %s", step, describe(err))
		case err != nil:
			found.left = append(found.left, ripe[i:]...)
			return refusing(r.Connections, conn, err)
		}
	}
	return held
}

// aboutStep is the action of an event about a step: events that differ in their note only would be counted as one.
func aboutStep(step plan.Step) string {
	return cut(strings.TrimSpace(fmt.Sprintf("%s %s %s", step.Verb, step.UserID, step.Role.ID)), 120)
}

// removeOne looks at everything afresh and makes one step.
func (r *OrganizationReconciler) removeOne(ctx context.Context, org *v1alpha1.Organization, conn *connection, step plan.Step) error {
	run := r.unassignUndeclared
	if step.Verb == plan.Remove {
		run = r.removeUndeclared
	}
	done, err := run(ctx, org, conn, step)
	if err != nil || !done {
		return err
	}
	r.Events.Eventf(org, nil, "Normal", v1alpha1.EventUndeclaredRemoved, aboutStep(step), "%s: no object declares it", step.Done())
	return nil
}

func (r *OrganizationReconciler) unassignUndeclared(ctx context.Context, org *v1alpha1.Organization, conn *connection, step plan.Step) (bool, error) {
	current := &v1alpha1.Organization{}
	if err := r.Live.Get(ctx, conn.object, current); err != nil {
		return false, err
	}
	if current.Spec.Mode == v1alpha1.ModeObserve || paused(current) || current.Spec.Undeclared.RoleAssignments != v1alpha1.UndeclaredRolesUnassign {
		return false, errAsItWas
	}
	if declared, err := r.declaresRole(ctx, conn, step); err != nil || declared {
		return false, firstError(err, errAsItWas)
	}
	if going, err := teardown(ctx, r.Live, org, bindingCRD); err != nil || going.why != "" {
		return false, err
	}
	after, err := unassign(ctx, conn, step)
	if after == plan.NotHeld {
		conn.note(ctx, step)
	}
	return after == plan.NotHeld, err
}

// declaresRole says whether an object gives the user the role by now, or another Organization object may.
func (r *OrganizationReconciler) declaresRole(ctx context.Context, conn *connection, step plan.Step) (bool, error) {
	find, keys := finder{r.Client}, conn.roster.KeysOf(step.UserID)
	siblings, err := find.siblings(ctx, r.Connections, conn)
	if err != nil {
		return false, err
	}
	users, err := find.orgUsersOf(ctx, siblings, keys)
	if err != nil {
		return false, err
	}
	bindings, err := find.bindingsOf(ctx, siblings, keys)
	byRoleID := slices.ContainsFunc(users, func(user *v1alpha1.OrgUser) bool { return user.Spec.RoleID == step.Role.ID })
	return len(siblings) > 1 || byRoleID || givenByAny(bindings, step.Role), err
}

func (r *OrganizationReconciler) removeUndeclared(ctx context.Context, org *v1alpha1.Organization, conn *connection, step plan.Step) (bool, error) {
	fresh, there, err := conn.roster.Fresh(ctx, conn.api, step.UserID)
	if err != nil || !there || !removable(fresh) || displayName(fresh) != step.Who {
		return false, err
	}
	find := finder{r.Client}
	siblings, err := find.siblings(ctx, r.Connections, conn)
	if err != nil {
		return false, err
	}
	declaring, err := find.orgUsersOf(ctx, siblings, roster.Keys(fresh))
	if err != nil || len(declaring) > 0 {
		return false, err
	}
	if len(siblings) > 1 {
		return false, errAsItWas // there is another Organization object for this one since a moment
	}
	ticket, err := r.gate().ask(ctx, conn, org, plan.Removal(member{user: fresh}.observed())[0])
	if err != nil {
		return false, err
	}
	if ticket.organization.Spec.Undeclared.Users != v1alpha1.UndeclaredUsersRemove {
		return false, errAsItWas
	}
	if going, err := teardown(ctx, r.Live, org, orgUserCRD); err != nil || going.why != "" {
		return false, err
	}
	return true, ticket.remove(ctx, conn)
}
