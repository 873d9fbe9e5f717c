// Package roster keeps the live organization: read whole, kept in memory, and corrected by every answer that the API
// gives in between. It makes no calls. A reading that failed never comes here, so that nobody is missing for it.
package roster

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Keys are the keys under which a user is known.
func Keys(user openai.User) []plan.Key {
	keys := []plan.Key{plan.IDKey(user.ID)}
	if user.Email != "" {
		keys = append(keys, plan.EmailKey(user.Email))
	}
	return keys
}

// Roster is one organization as it was last seen. It is safe for concurrent use. What is told of changes are the keys
// of the users who differ from what the roster had before, old and new.
type Roster struct {
	now func() time.Time

	mu      sync.RWMutex
	readAt  time.Time // when the last whole reading began; zero before the first
	users   map[string]openai.User
	byEmail map[string][]string // IDs by email in lower case, sorted
	owners  map[string]bool     // IDs of those who were owners when last seen
	// ownersAsked is how many there were when it was asked last whether there are more.
	ownersAsked int
	// absent has whom a look did not find, and no reading since. A number says which reading asked for them last.
	absent map[plan.Key]int
	// readings counts whole readings.
	readings int
	// open are the readings under way. touched is when a user was learnt of last: a reading or a look that began before
	// is older than what is known. Kept while it may matter.
	open    int
	touched map[string]time.Time
	doubts  map[string]doubt // by user ID

	assignments map[string]assignments // by user ID
	editedAt    map[string]time.Time   // when a user's assignments were changed last; a list begun before is outdated
	roles       []openai.Role
	rolesAt     time.Time
}

// doubt is about a user after the answer to a change was lost.
type doubt struct {
	lostAt time.Time
	// deadline is when the request can have no effect any more.
	deadline time.Time
	// fields and roles say what was not looked at since it was lost.
	fields, roles bool
}

// New returns an empty roster.
func New(now func() time.Time) *Roster {
	return &Roster{
		now:   now,
		users: map[string]openai.User{}, byEmail: map[string][]string{}, owners: map[string]bool{},
		absent: map[plan.Key]int{}, doubts: map[string]doubt{}, touched: map[string]time.Time{},
		assignments: map[string]assignments{}, editedAt: map[string]time.Time{},
	}
}

// ReadAt is when the last whole reading began, or zero.
func (r *Roster) ReadAt() time.Time {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.readAt
}

const roleReader = "reader"

// Counts counts the users as they are known now.
type Counts struct {
	Total, Owners, Readers, ServiceAccounts, SCIMManaged int
}

// Counts counts the users as they are known now.
func (r *Roster) Counts() Counts {
	r.mu.RLock()
	defer r.mu.RUnlock()
	counts := Counts{Total: len(r.users), Owners: len(r.owners)}
	for _, user := range r.users {
		if user.Role == roleReader {
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

// Size is the number of users and of owners.
func (r *Roster) Size() (users, owners int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.users), len(r.owners)
}

// MoreOwners says whether there are more owners than when it was asked last, of those whose own change is not in doubt: who
// is in doubt counts for nobody's demotion.
func (r *Roster) MoreOwners() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	owners := len(r.owners)
	for id := range r.doubts {
		if r.owners[id] {
			owners--
		}
	}
	more := owners > r.ownersAsked
	r.ownersAsked = owners
	return more
}

// Owners returns those who were owners when last seen, sorted by ID.
func (r *Roster) Owners() []openai.User {
	r.mu.RLock()
	defer r.mu.RUnlock()
	owners := make([]openai.User, 0, len(r.owners))
	for id := range r.owners {
		owners = append(owners, r.users[id])
	}
	slices.SortFunc(owners, func(a, b openai.User) int { return strings.Compare(a.ID, b.ID) })
	return owners
}

// Users returns everybody as last seen, sorted by ID.
func (r *Roster) Users() []openai.User {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(maps.Values(r.users), func(a, b openai.User) int { return strings.Compare(a.ID, b.ID) })
}

// Reading is a whole reading under way.
type Reading struct{ begun time.Time }

// Begin notes that a whole reading begins. It must be ended by End or Abandon.
func (r *Roster) Begin() Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	return Reading{begun: r.now()}
}

// Abandon notes that a reading failed: nothing is taken from it.
func (r *Roster) Abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close()
}

func (r *Roster) close() {
	r.open--
	if r.open > 0 {
		return
	}
	old := r.now().Add(-longestLook)
	for _, learnt := range []map[string]time.Time{r.touched, r.editedAt} {
		maps.DeleteFunc(learnt, func(_ string, at time.Time) bool { return at.Before(old) })
	}
}

// longestLook is longer than any look at a single user, or at their roles, takes.
const longestLook = 2 * time.Minute

// End takes over a whole reading. What was learnt of a user since it began is newer than it; where that is another whole
// reading, it teaches nothing.
func (r *Roster) End(reading Reading, users []openai.User) []plan.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reading.begun.Before(r.readAt) {
		r.close()
		return nil
	}
	newer := func(id string) bool {
		at, ok := r.touched[id]
		return ok && !at.Before(reading.begun)
	}
	var changed []plan.Key
	seen := make(map[string]bool, len(users))
	for _, user := range users {
		seen[user.ID] = true
		if !newer(user.ID) {
			r.looked(user.ID, reading.begun)
			changed = append(changed, r.put(user)...)
		}
	}
	for id := range r.users {
		if !seen[id] && !newer(id) {
			changed = append(changed, r.drop(id)...)
			r.looked(id, reading.begun)
		}
	}
	// Of one who is gone a list of roles may have come in late.
	maps.DeleteFunc(r.assignments, func(id string, _ assignments) bool { return !seen[id] && !newer(id) })
	r.close()
	r.readAt = reading.begun
	r.readings++
	maps.DeleteFunc(r.absent, func(_ plan.Key, asked int) bool { return asked < r.readings-2 })
	for id, d := range r.doubts {
		if _, there := r.users[id]; !there && !newer(id) && reading.begun.After(d.deadline) {
			delete(r.doubts, id)
		}
	}
	return changed
}

// put stores a user and returns their keys, old and new, if anything differs. r.mu is held.
func (r *Roster) put(user openai.User) []plan.Key {
	known, ok := r.users[user.ID]
	if ok && known == user {
		return nil
	}
	var keys []plan.Key
	if ok {
		keys = Keys(known)
		r.unindex(known)
	}
	r.users[user.ID] = user
	if user.Role == plan.RoleOwner {
		r.owners[user.ID] = true
	}
	if user.Email != "" {
		email := plan.Fold(user.Email)
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
func (r *Roster) drop(id string) []plan.Key {
	known, ok := r.users[id]
	if !ok {
		return nil
	}
	r.unindex(known)
	delete(r.users, id)
	delete(r.assignments, id)
	delete(r.editedAt, id)
	return Keys(known)
}

func (r *Roster) unindex(user openai.User) {
	delete(r.owners, user.ID)
	email := plan.Fold(user.Email)
	ids := slices.DeleteFunc(slices.Clone(r.byEmail[email]), func(id string) bool { return id == user.ID })
	if len(ids) == 0 {
		delete(r.byEmail, email)
		return
	}
	r.byEmail[email] = ids
}

// touch marks that something newer than what was asked for before is known of the user. r.mu is held.
func (r *Roster) touch(id string) { r.touched[id] = r.now() }

// BeginAt is Begin for a reading that began before, of which nothing was learnt meanwhile.
func (r *Roster) BeginAt(begun time.Time) Reading {
	r.Begin()
	return Reading{begun: begun}
}
