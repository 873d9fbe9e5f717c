package roster

import (
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// assignments are one user's roles as last listed.
type assignments struct {
	roles    []openai.RoleAssignment
	listedAt time.Time
	again    bool // listed more than once
	due      bool // to be listed before the interval is over
}

// Assignments returns the user's roles, if they are known.
func (r *Roster) Assignments(userID string) ([]openai.RoleAssignment, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	known, ok := r.assignments[userID]
	return known.roles, ok
}

// RolesListedAt is when the user's roles were listed; zero if they are not known.
func (r *Roster) RolesListedAt(userID string) time.Time {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.assignments[userID].listedAt
}

// ListedRoles takes over the whole list of a user's roles, asked for at the time given. It says whether it differs from
// what was known, and whether it was taken: a change that overtook the list makes it worthless.
func (r *Roster) ListedRoles(begun time.Time, userID string, roles []openai.RoleAssignment) (changed, taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.editedAt[userID]; ok && !begun.After(at) {
		return false, false
	}
	before, again := r.assignments[userID]
	r.assignments[userID] = assignments{roles: roles, listedAt: begun, again: again}
	delete(r.editedAt, userID)
	if d, ok := r.doubts[userID]; ok && begun.After(d.lostAt) {
		d.roles = false
		r.settle(userID, d, begun)
	}
	return !again || !sameAssignments(before.roles, roles), true
}

// SetAssigned keeps that the user holds a role.
func (r *Roster) SetAssigned(userID string, assigned openai.RoleAssignment) {
	r.editAssignments(userID, func(roles []openai.RoleAssignment) []openai.RoleAssignment {
		roles = slices.DeleteFunc(roles, func(a openai.RoleAssignment) bool { return plan.SameRole(a.RoleID, assigned.RoleID) })
		return append(roles, assigned)
	})
}

// SetUnassigned keeps that the user does not hold a role, by whichever of its IDs it was listed.
func (r *Roster) SetUnassigned(userID, roleID string) {
	r.editAssignments(userID, func(roles []openai.RoleAssignment) []openai.RoleAssignment {
		return slices.DeleteFunc(roles, func(a openai.RoleAssignment) bool { return plan.SameRole(a.RoleID, roleID) })
	})
}

func (r *Roster) editAssignments(userID string, edit func([]openai.RoleAssignment) []openai.RoleAssignment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.editedAt[userID] = r.now()
	if known, ok := r.assignments[userID]; ok {
		known.roles = edit(slices.Clone(known.roles))
		r.assignments[userID] = known
	}
}

// ForgetAssignments forgets the user's roles, which are not kept fresh then.
func (r *Roster) ForgetAssignments(userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.editedAt[userID] = r.now()
	delete(r.assignments, userID)
}

// ExpireAssignments makes every user's roles due, without forgetting them.
func (r *Roster) ExpireAssignments() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, known := range r.assignments {
		known.due = true
		r.assignments[id] = known
	}
}

// DueAssignments returns the users whose roles are to be listed again now, those first that wait longest. Roles that
// were first listed together, as after a start, are listed again spread over the second half of the interval, and keep
// that distance.
func (r *Roster) DueAssignments(interval time.Duration) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := r.now()
	var due []string
	for id, known := range r.assignments {
		wait := interval
		if !known.again {
			wait = interval/2 + spread(id, interval/2)
		}
		if known.due || now.Sub(known.listedAt) >= wait {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b string) int { return r.assignments[a].listedAt.Compare(r.assignments[b].listedAt) })
	return due
}

// spread gives each user a part of the span, always the same.
func spread(userID string, span time.Duration) time.Duration {
	hash := fnv.New64a()
	hash.Write([]byte(userID))
	return time.Duration(hash.Sum64() % uint64(max(span, 1))) //nolint:gosec // less than the span, which is an int64
}

func sameAssignments(a, b []openai.RoleAssignment) bool {
	return maps.Equal(byRole(a), byRole(b))
}

func byRole(roles []openai.RoleAssignment) map[string]openai.RoleAssignment {
	m := make(map[string]openai.RoleAssignment, len(roles))
	for _, role := range roles {
		m[role.RoleID] = role
	}
	return m
}

// Roles returns the organization's roles, and when their list was asked for: zero if it never was.
func (r *Roster) Roles() ([]openai.Role, time.Time) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.roles, r.rolesAt
}

// SetRoles takes over the list of the organization's roles, asked for at the time given. It says whether it differs.
func (r *Roster) SetRoles(begun time.Time, roles []openai.Role) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	differs := r.rolesAt.IsZero() || !slices.Equal(r.roles, roles)
	r.roles, r.rolesAt = roles, begun
	return differs
}
