package roster

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

// assignments are one user's roles as last listed.
type assignments struct {
	roles    []openai.RoleAssignment
	listedAt time.Time
	again    bool // listed more than once
	due      bool // to be listed before the interval is over
}

// Assignments returns the user's roles. It asks the API only for a user whose roles are not known; they
// are kept fresh by RefreshAssignments.
func (r *Roster) Assignments(ctx context.Context, api API, userID string) ([]openai.RoleAssignment, error) {
	r.mu.Lock()
	known, ok := r.assignments[userID]
	r.mu.Unlock()
	if ok {
		return known.roles, nil
	}
	return r.listAssignments(ctx, api, userID)
}

// KnowsAssignments says whether Assignments would answer without asking the API.
func (r *Roster) KnowsAssignments(userID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.assignments[userID]
	return ok
}

// listAssignments asks once for all who ask together, and again if rollcall changed the user's roles while
// the list was on its way.
func (r *Roster) listAssignments(ctx context.Context, api API, userID string) ([]openai.RoleAssignment, error) {
	roles, err, _ := r.listing.Do(userID, func() (any, error) {
		for {
			r.mu.Lock()
			edits := r.edits[userID]
			r.mu.Unlock()
			begun := r.now()
			roles, err := api.ListUserRoles(ctx, userID)
			if err != nil {
				return nil, err
			}
			r.mu.Lock()
			current := r.edits[userID] == edits
			if current {
				_, again := r.assignments[userID]
				r.assignments[userID] = assignments{roles: roles, listedAt: begun, again: again}
				delete(r.wanted, userID)
			}
			r.mu.Unlock()
			if current {
				return roles, nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return roles.([]openai.RoleAssignment), nil //nolint:forcetypeassert // the function above returns nothing else
}

// SetAssigned keeps that rollcall assigned a role to the user.
func (r *Roster) SetAssigned(userID string, assigned openai.RoleAssignment) {
	r.editAssignments(userID, func(roles []openai.RoleAssignment) []openai.RoleAssignment {
		roles = slices.DeleteFunc(roles, func(a openai.RoleAssignment) bool { return a.RoleID == assigned.RoleID })
		return append(roles, assigned)
	})
}

// SetUnassigned keeps that a role is not assigned to the user, and tells: another binding may count on it.
func (r *Roster) SetUnassigned(userID, roleID string) {
	r.editAssignments(userID, func(roles []openai.RoleAssignment) []openai.RoleAssignment {
		return slices.DeleteFunc(roles, func(a openai.RoleAssignment) bool { return a.RoleID == roleID })
	})
	r.publish(r.KeysOf(userID))
}

func (r *Roster) editAssignments(userID string, edit func([]openai.RoleAssignment) []openai.RoleAssignment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.edits[userID]++
	if known, ok := r.assignments[userID]; ok {
		known.roles = edit(slices.Clone(known.roles))
		r.assignments[userID] = known
	}
}

// ForgetAssignments forgets the user's roles: the next to ask lists them, and until then they are not kept
// fresh.
func (r *Roster) ForgetAssignments(userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.edits[userID]++
	delete(r.assignments, userID)
	delete(r.wanted, userID)
}

// KeysOf returns the keys of a user by their ID: also the email of one whom the roster knows.
func (r *Roster) KeysOf(userID string) []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	if user, ok := r.users[userID]; ok {
		return Keys(user)
	}
	return []Key{IDKey(userID)}
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

// WantAssignments has the user's roles listed soon, if they are not known.
func (r *Roster) WantAssignments(userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted[userID] = true
}

// DueAssignments returns the users whose roles are to be listed now. Roles that were first listed together,
// as after a start, are listed again spread over the second half of the interval, and keep that distance.
func (r *Roster) DueAssignments(interval time.Duration) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []string
	for id := range r.wanted {
		if _, ok := r.assignments[id]; !ok {
			due = append(due, id)
		}
	}
	for id, known := range r.assignments {
		wait := interval
		if !known.again {
			wait = interval/2 + spread(id, interval/2)
		}
		if known.due || r.now().Sub(known.listedAt) >= wait {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	return due
}

// spread gives each user a part of the span, always the same.
func spread(userID string, span time.Duration) time.Duration {
	hash := fnv.New64a()
	hash.Write([]byte(userID))
	return time.Duration(hash.Sum64() % uint64(max(span, 1))) //nolint:gosec // less than the span, which is an int64
}

// RefreshAssignments lists the user's roles again and tells if they differ.
func (r *Roster) RefreshAssignments(ctx context.Context, api API, userID string) error {
	r.mu.Lock()
	before := r.assignments[userID].roles
	r.mu.Unlock()
	after, err := r.listAssignments(ctx, api, userID)
	if openai.IsNotFound(err) {
		r.Drop(userID)
		return nil
	}
	if err != nil {
		return err
	}
	if !sameAssignments(before, after) {
		r.publish(r.KeysOf(userID))
	}
	return nil
}

func sameAssignments(a, b []openai.RoleAssignment) bool {
	byRole := func(roles []openai.RoleAssignment) map[string]openai.RoleAssignment {
		m := make(map[string]openai.RoleAssignment, len(roles))
		for _, role := range roles {
			m[role.RoleID] = role
		}
		return m
	}
	before, after := byRole(a), byRole(b)
	if len(before) != len(after) {
		return false
	}
	for id, role := range after {
		if before[id] != role {
			return false
		}
	}
	return true
}

// Roles returns the organization's roles. It asks the API unless they were listed since the given time.
func (r *Roster) Roles(ctx context.Context, api API, since time.Time) ([]openai.Role, error) {
	r.mu.Lock()
	roles, at := r.roles, r.rolesAt
	r.mu.Unlock()
	if !at.IsZero() && !at.Before(since) {
		return roles, nil
	}
	listed, err, _ := r.listing.Do("", func() (any, error) {
		begun := r.now()
		roles, err := api.ListRoles(ctx)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		r.roles, r.rolesAt = roles, begun
		r.mu.Unlock()
		return roles, nil
	})
	if err != nil {
		return nil, err
	}
	return listed.([]openai.Role), nil //nolint:forcetypeassert // the function above returns nothing else
}
