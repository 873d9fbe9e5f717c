package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

// subject is one line of a binding: a subject that spec names, or one that it named and whose user still
// has to lose the role.
type subject struct {
	v1alpha1.SubjectStatus
	who      string
	released bool
	holding  plan.Holding // "" while it is not known
	err      error        // why it is not known, or what came of the step
}

// observedBinding is what a reconcile of a binding sees.
type observedBinding struct {
	conn     *connection
	role     plan.Role
	subjects []*subject
}

// observe resolves the role and the subjects, and lists who has the role.
func (r *OrgUserRoleBindingReconciler) observe(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) (observedBinding, error) {
	if paused(binding) {
		return observedBinding{}, isPaused()
	}
	conn, err := connect(ctx, r.Client, r.Connections, binding, binding.Status.Conditions, binding.Status.ObservedGeneration)
	if err != nil {
		return observedBinding{}, err
	}
	seen := observedBinding{conn: conn}
	if seen.role, err = r.resolveRole(ctx, conn, binding); err != nil {
		return observedBinding{}, err
	}
	var keys []roster.Key
	for _, named := range binding.Spec.Subjects {
		keys = append(keys, roster.EmailKey(named.Email))
	}
	if err := conn.roster.Confirm(ctx, conn.api, keys); err != nil {
		return observedBinding{}, refusing(r.Connections, conn, err)
	}
	for _, named := range binding.Spec.Subjects {
		s, err := r.resolveSubject(ctx, conn, binding, named)
		if err != nil {
			return observedBinding{}, err
		}
		seen.subjects = append(seen.subjects, s)
	}
	released, err := r.released(ctx, conn, binding, seen)
	if err != nil {
		return observedBinding{}, err
	}
	seen.subjects = append(seen.subjects, released...)
	return seen, r.observeHoldings(ctx, seen)
}

// resolveRole finds the one role that the reference means. Predefined roles are refused: they follow
// spec.role of the OrgUser and could be given here but never taken.
func (r *OrgUserRoleBindingReconciler) resolveRole(ctx context.Context, conn *connection, binding *v1alpha1.OrgUserRoleBinding) (plan.Role, error) {
	ref := binding.Spec.RoleRef
	begun := r.Connections.now()
	roles, err := conn.roster.Roles(ctx, conn.api, conn.roster.ReadAt())
	matches := matching(roles, ref)
	if err == nil && len(matches) == 0 {
		// It may have been made since the last resync.
		roles, err = conn.roster.Roles(ctx, conn.api, begun)
		matches = matching(roles, ref)
	}
	if err != nil {
		return plan.Role{}, refusing(r.Connections, conn, err)
	}
	switch {
	case len(matches) == 0:
		return plan.Role{}, invalidRole(noSuchRole(ref, roles))
	case len(matches) > 1:
		return plan.Role{}, invalidRole(fmt.Sprintf("%d roles of the organization have the name %q: %s; name one by spec.roleRef.id",
			len(matches), ref.Name, join(matches, func(role openai.Role) string { return role.ID })))
	case matches[0].Predefined:
		return plan.Role{}, invalidRole(fmt.Sprintf("role %q is predefined and cannot be bound; set spec.role on the OrgUsers instead", matches[0].Name))
	}
	// Those who have the role that the name meant before are to lose it, which only a deletion does.
	for _, role := range roles {
		if before := binding.Status.RoleID; ref.ID == "" && role.ID == before && matches[0].ID != before {
			return plan.Role{}, invalidRole(fmt.Sprintf("spec.roleRef.name %q meant role %s, which is called %q now, and means role %s now; "+
				"delete this binding, which takes %s away, and create it anew", ref.Name, before, role.Name, matches[0].ID, before))
		}
	}
	return plan.Role{ID: matches[0].ID, Name: matches[0].Name}, nil
}

func matching(roles []openai.Role, ref v1alpha1.RoleReference) []openai.Role {
	var matches []openai.Role
	for _, role := range roles {
		if ref.ID != "" && role.ID == ref.ID || ref.ID == "" && role.Name == ref.Name {
			matches = append(matches, role)
		}
	}
	return matches
}

func noSuchRole(ref v1alpha1.RoleReference, roles []openai.Role) string {
	roles = slices.DeleteFunc(slices.Clone(roles), func(role openai.Role) bool { return role.Predefined })
	slices.SortFunc(roles, func(a, b openai.Role) int { return strings.Compare(a.Name, b.Name) })
	has := "it has no roles that can be bound"
	if len(roles) > 0 {
		has = "it has " + join(roles[:min(len(roles), 20)], func(role openai.Role) string { return fmt.Sprintf("%q (%s)", role.Name, role.ID) })
		if len(roles) > 20 {
			has += fmt.Sprintf(" and %d more", len(roles)-20)
		}
	}
	if ref.ID != "" {
		return fmt.Sprintf("the organization has no role with the ID %q, which spec.roleRef.id names; %s", ref.ID, has)
	}
	return fmt.Sprintf("the organization has no role with the name %q, which spec.roleRef.name names; %s", ref.Name, has)
}

func join[T any](items []T, word func(T) string) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = word(item)
	}
	return strings.Join(words, ", ")
}

// resolveSubject finds the member that a subject names. What stands against one subject is kept with it, so
// that it does not hold up the others; only what concerns all is returned.
func (r *OrgUserRoleBindingReconciler) resolveSubject(ctx context.Context, conn *connection, binding *v1alpha1.OrgUserRoleBinding, named v1alpha1.Subject) (*subject, error) {
	s := &subject{SubjectStatus: v1alpha1.SubjectStatus{Subject: named}, who: named.Email + named.UserID + named.OrgUser}
	key, err := r.keyOf(ctx, binding, named)
	if err == nil {
		var found openai.User
		if found, err = findOne(ctx, conn, key); err == nil {
			s.UserID, s.who = found.ID, displayName(found)
			return s, nil
		}
		s.who = key.ID + key.Email
	}
	if !isFact(err) {
		return nil, refusing(r.Connections, conn, err)
	}
	s.err = err
	return s, nil
}

func displayName(user openai.User) string {
	return plan.ObservedUser{ID: user.ID, Email: user.Email}.Who()
}

func (r *OrgUserRoleBindingReconciler) keyOf(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding, named v1alpha1.Subject) (roster.Key, error) {
	switch {
	case named.Email != "":
		return roster.EmailKey(named.Email), nil
	case named.UserID != "":
		return roster.IDKey(named.UserID), nil
	}
	user := &v1alpha1.OrgUser{}
	err := r.Get(ctx, client.ObjectKey{Namespace: binding.Namespace, Name: named.OrgUser}, user)
	switch {
	case apierrors.IsNotFound(err):
		return roster.Key{}, noSuchOrgUser(named.OrgUser, binding.Namespace)
	case err != nil:
		return roster.Key{}, err
	case user.Spec.OrganizationRef.Name != binding.Spec.OrganizationRef.Name:
		return roster.Key{}, otherOrganizationsUser(named.OrgUser, user.Spec.OrganizationRef.Name, binding.Spec.OrganizationRef.Name)
	}
	return personOf(user), nil
}

// released returns the users who have the role from this binding, by its status, whom neither it nor any
// other names now. A subject that is named but cannot be resolved keeps what it has.
func (r *OrgUserRoleBindingReconciler) released(ctx context.Context, conn *connection, binding *v1alpha1.OrgUserRoleBinding, seen observedBinding) ([]*subject, error) {
	named := map[string]bool{}
	unresolved := map[v1alpha1.Subject]*subject{}
	for _, s := range seen.subjects {
		if s.UserID != "" {
			named[s.UserID] = true
		} else {
			unresolved[s.Subject] = s
		}
	}
	var released []*subject
	for _, line := range binding.Status.Subjects {
		if line.UserID == "" || named[line.UserID] {
			continue
		}
		if s := unresolved[line.Subject]; s != nil {
			if len(conn.roster.Known(roster.IDKey(line.UserID))) > 0 {
				s.UserID = line.UserID
			}
			continue
		}
		named[line.UserID] = true
		elsewhere, err := r.declaredElsewhere(ctx, conn, binding, seen.role, line.UserID)
		if err != nil {
			return nil, err
		}
		if !elsewhere {
			released = append(released, &subject{
				SubjectStatus: v1alpha1.SubjectStatus{Subject: line.Subject, UserID: line.UserID},
				who:           nameOf(conn, line.UserID), released: true,
			})
		}
	}
	return released, nil
}

func nameOf(conn *connection, userID string) string {
	for _, user := range conn.roster.Known(roster.IDKey(userID)) {
		return displayName(user)
	}
	return userID
}

// declaredElsewhere says whether another binding gives the role to the user; also one of another namespace,
// under an Organization that stands for the same organization.
func (r *OrgUserRoleBindingReconciler) declaredElsewhere(ctx context.Context, conn *connection, binding *v1alpha1.OrgUserRoleBinding, role plan.Role, userID string) (bool, error) {
	find := finder{r.Client}
	siblings, err := find.siblings(ctx, r.Connections, conn)
	if err != nil {
		return false, err
	}
	others, err := find.bindingsOf(ctx, siblings, conn.roster.KeysOf(userID))
	if err != nil {
		return false, err
	}
	others = slices.DeleteFunc(others, func(other *v1alpha1.OrgUserRoleBinding) bool {
		return other.UID == binding.UID || !other.DeletionTimestamp.IsZero()
	})
	return givenByAny(others, role), nil
}

// givenByAny says whether one of the bindings gives the role: by its ID, or by the name that it has or had.
func givenByAny(bindings []*v1alpha1.OrgUserRoleBinding, role plan.Role) bool {
	return slices.ContainsFunc(bindings, func(binding *v1alpha1.OrgUserRoleBinding) bool {
		ref := binding.Spec.RoleRef
		return ref.ID == role.ID || ref.ID == "" && (ref.Name == role.Name || binding.Status.RoleID == role.ID)
	})
}

// observeHoldings fills in how each user has the role, or why that is not known. At most callsPerPass users
// whose roles are not known yet are asked for; the others come in the next pass.
func (r *OrgUserRoleBindingReconciler) observeHoldings(ctx context.Context, seen observedBinding) error {
	unknown := 0
	var ask []*subject
	for _, s := range seen.subjects {
		switch {
		case s.UserID == "" || s.err != nil:
			continue
		case !seen.conn.roster.KnowsAssignments(s.UserID):
			unknown++
		}
		if unknown > callsPerPass {
			s.err = errMoreToDo
			continue
		}
		ask = append(ask, s)
	}
	atOnce(ask, func(s *subject) { s.holding, s.err = holding(ctx, seen, s) })
	return seen.refused(r.Connections)
}

func holding(ctx context.Context, seen observedBinding, s *subject) (plan.Holding, error) {
	assignments, err := seen.conn.roster.Assignments(ctx, seen.conn.api, s.UserID)
	if openai.IsNotFound(err) {
		seen.conn.roster.Drop(s.UserID)
		if s.released {
			return plan.NotHeld, nil
		}
		return "", notAMember(s.who)
	}
	return holdingOf(assignments, seen.role.ID), err
}

// refused returns the error with which the API refused the key, if it did: then all subjects wait.
func (seen observedBinding) refused(connections *Connections) error {
	for _, s := range seen.subjects {
		if refusesKey(s.err) {
			return refusing(connections, seen.conn, s.err)
		}
	}
	return nil
}

const (
	// callsPerPass bounds the work of one pass, so that the status of a large binding shows how far it is.
	callsPerPass = 100
	// callsAtOnce bounds the calls that one binding has under way.
	callsAtOnce = 8
)

// atOnce runs the function for every item, callsAtOnce at a time, and returns when all are done.
func atOnce[T any](items []T, run func(T)) {
	var group errgroup.Group
	group.SetLimit(callsAtOnce)
	for _, item := range items {
		group.Go(func() error {
			run(item)
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
}

func holdingOf(assignments []openai.RoleAssignment, roleID string) plan.Holding {
	for _, assignment := range assignments {
		switch {
		case assignment.RoleID != roleID:
		case assignment.Inherited:
			return plan.Inherited
		default:
			return plan.Held
		}
	}
	return plan.NotHeld
}
