// Package roster keeps the live organization: read whole, kept in memory, and corrected by every answer
// that the API gives in between. It never takes a failed or partial reading for an empty organization.
package roster

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

// API is what the roster reads. *openai.Client has it.
type API interface {
	ListUsers(ctx context.Context) ([]openai.User, error)
	ListUsersByEmail(ctx context.Context, emails []string) ([]openai.User, error)
	GetUser(ctx context.Context, userID string) (openai.User, error)
	ListUserRoles(ctx context.Context, userID string) ([]openai.RoleAssignment, error)
	ListRoles(ctx context.Context) ([]openai.Role, error)
}

var _ API = (*openai.Client)(nil)

// Key names a user by ID or by email. Emails are compared in lower case.
type Key struct {
	ID, Email string
}

// IDKey is the Key of a user's ID.
func IDKey(id string) Key { return Key{ID: id} }

// EmailKey is the Key of an address, without regard to case.
func EmailKey(email string) Key { return Key{Email: strings.ToLower(email)} }

// Keys are the keys under which a user is known.
func Keys(user openai.User) []Key {
	keys := []Key{IDKey(user.ID)}
	if user.Email != "" {
		keys = append(keys, EmailKey(user.Email))
	}
	return keys
}

// Roster is one organization as it was last seen. It is safe for concurrent use; no method holds its lock
// while the API is asked.
type Roster struct {
	now      func() time.Time
	onChange func([]Key)

	reading  chan struct{} // holds a token while a whole reading is under way
	absences batch

	mu      sync.Mutex
	readAt  time.Time // of the last whole reading; zero before the first
	users   map[string]openai.User
	byEmail map[string][]string // IDs by email in lower case, sorted
	absent  map[Key]bool        // confirmed since the last reading that saw or could have seen them
	doubted map[string]bool     // users after a lost answer: look before trusting
	touched map[string]bool     // users learnt of while a whole reading is under way; nil when none is

	assignments map[string]assignments // by user ID
	wanted      map[string]bool        // users whose assignments are to be listed soon
	edits       map[string]int         // of a user's assignments, by rollcall: a list begun before is outdated
	listing     singleflight.Group     // role lists under way, by user ID; "" is the organization's roles
	roles       []openai.Role
	rolesAt     time.Time
}

// New returns an empty roster. onChange is told which users were found to differ from what the roster had
// before: changed, appeared or vanished, each by ID and by email, old and new. It must not call back.
func New(now func() time.Time, onChange func([]Key)) *Roster {
	return &Roster{
		now: now, onChange: onChange,
		reading: make(chan struct{}, 1),
		users:   map[string]openai.User{}, byEmail: map[string][]string{},
		absent: map[Key]bool{}, doubted: map[string]bool{},
		assignments: map[string]assignments{}, wanted: map[string]bool{}, edits: map[string]int{},
	}
}

// ReadAt is when the organization was last read whole, or zero.
func (r *Roster) ReadAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.readAt
}

// Counts counts the users as they are known now.
type Counts struct {
	Total, Owners, Readers, ServiceAccounts, SCIMManaged int
}

// Counts counts the users as they are known now.
func (r *Roster) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := Counts{Total: len(r.users)}
	for _, user := range r.users {
		switch user.Role {
		case "owner":
			counts.Owners++
		case "reader":
			counts.Readers++
		}
		if user.IsServiceAccount {
			counts.ServiceAccounts++
		}
		if user.IsSCIMManaged {
			counts.SCIMManaged++
		}
	}
	return counts
}

// Owners returns the IDs of the users who were owners when last seen, sorted.
func (r *Roster) Owners() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var owners []string
	for id, user := range r.users {
		if user.Role == "owner" {
			owners = append(owners, id)
		}
	}
	slices.Sort(owners)
	return owners
}

// Users returns everybody as last seen, sorted by ID.
func (r *Roster) Users() []openai.User {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.users), func(a, b openai.User) int { return strings.Compare(a.ID, b.ID) })
}

// Refresh reads the organization whole, unless the last reading began less than maxAge ago or, with one
// under way, that one will do. It returns whether it read. On an error the roster stays as it was.
func (r *Roster) Refresh(ctx context.Context, api API, maxAge time.Duration) (bool, error) {
	asked := r.now()
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	begun := r.now()
	if at := r.ReadAt(); !at.IsZero() && (at.After(asked) || begun.Sub(at) < maxAge) {
		return false, nil
	}

	r.mu.Lock()
	r.touched = map[string]bool{}
	r.mu.Unlock()
	users, err := api.ListUsers(ctx)
	r.mu.Lock()
	touched := r.touched
	r.touched = nil
	if err != nil {
		r.mu.Unlock()
		return false, err
	}
	changed := r.replace(users, touched)
	r.readAt = begun
	r.mu.Unlock()
	r.publish(changed)
	return true, nil
}

// replace takes over a whole reading. What was learnt of a user while it was under way is newer than it.
// r.mu is held.
func (r *Roster) replace(users []openai.User, touched map[string]bool) []Key {
	var changed []Key
	seen := make(map[string]bool, len(users))
	for _, user := range users {
		seen[user.ID] = true
		if touched[user.ID] {
			continue
		}
		delete(r.doubted, user.ID)
		changed = append(changed, r.put(user)...)
	}
	for id := range r.users {
		if !seen[id] && !touched[id] {
			changed = append(changed, r.drop(id)...)
		}
	}
	return changed
}

// put stores a user and returns their keys, old and new, if anything differs. r.mu is held.
func (r *Roster) put(user openai.User) []Key {
	known, ok := r.users[user.ID]
	if ok && known == user {
		return nil
	}
	var keys []Key
	if ok {
		keys = Keys(known)
		r.unindex(known)
	}
	r.users[user.ID] = user
	if user.Email != "" {
		email := strings.ToLower(user.Email)
		ids := append(slices.Clone(r.byEmail[email]), user.ID)
		slices.Sort(ids)
		r.byEmail[email] = ids
	}
	for _, key := range Keys(user) {
		delete(r.absent, key)
	}
	return append(keys, Keys(user)...)
}

// drop forgets a user and returns their keys, if they were known. r.mu is held.
func (r *Roster) drop(id string) []Key {
	known, ok := r.users[id]
	if !ok {
		return nil
	}
	r.unindex(known)
	delete(r.users, id)
	delete(r.doubted, id)
	delete(r.assignments, id)
	delete(r.wanted, id)
	delete(r.edits, id)
	return Keys(known)
}

func (r *Roster) unindex(user openai.User) {
	email := strings.ToLower(user.Email)
	ids := slices.DeleteFunc(slices.Clone(r.byEmail[email]), func(id string) bool { return id == user.ID })
	if len(ids) == 0 {
		delete(r.byEmail, email)
		return
	}
	r.byEmail[email] = ids
}

// touch marks that something newer than a reading under way is known of the user. r.mu is held.
func (r *Roster) touch(id string) {
	if r.touched != nil {
		r.touched[id] = true
	}
}

func (r *Roster) publish(changed []Key) {
	if len(changed) > 0 {
		r.onChange(changed)
	}
}
