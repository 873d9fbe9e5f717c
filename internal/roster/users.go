package roster

import (
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

var _ plan.Directory = (*Roster)(nil)

// Planned is a user as plans have them.
func Planned(user openai.User) plan.User {
	return plan.User{
		ID: user.ID, Email: user.Email, Role: user.Role,
		DeveloperPersona: user.DeveloperPersona, TechnicalLevel: user.TechnicalLevel,
		Exempt: user.IsServiceAccount || user.IsSCIMManaged || user.IsDefault,
	}
}

// Get returns the user with the ID as last seen.
func (r *Roster) Get(id string) (openai.User, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	user, ok := r.users[id]
	return user, ok
}

// User implements plan.Directory.
func (r *Roster) User(id string) (plan.User, bool) {
	user, ok := r.Get(id)
	return Planned(user), ok
}

// WithEmail implements plan.Directory.
func (r *Roster) WithEmail(email string) []plan.User {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var users []plan.User
	for _, id := range r.byEmail[email] {
		users = append(users, Planned(r.users[id]))
	}
	return users
}

// NoUser implements plan.Directory.
func (r *Roster) NoUser(id string) bool { return r.isAbsent(plan.IDKey(id)) }

// NoEmail implements plan.Directory.
func (r *Roster) NoEmail(email string) bool { return r.isAbsent(plan.Key{Email: email}) }

func (r *Roster) isAbsent(key plan.Key) bool {
	r.mu.RLock()
	asked, ok := r.absent[key]
	current := r.readings
	r.mu.RUnlock()
	if ok && asked != current {
		r.mu.Lock()
		if _, still := r.absent[key]; still {
			r.absent[key] = current
		}
		r.mu.Unlock()
	}
	return ok
}

// IDs returns the IDs of the users with the key: one, none, or several with the same email.
func (r *Roster) IDs(key plan.Key) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if key.ID == "" {
		return r.byEmail[key.Email]
	}
	if _, ok := r.users[key.ID]; ok {
		return []string{key.ID}
	}
	return nil
}

// KeysOf returns the keys of a user by their ID: also the email of one whom the roster knows.
func (r *Roster) KeysOf(userID string) []plan.Key {
	if user, ok := r.Get(userID); ok {
		return Keys(user)
	}
	return []plan.Key{plan.IDKey(userID)}
}

// SawByEmail takes over the answer to the question which of the addresses are members, asked at the time given.
func (r *Roster) SawByEmail(begun time.Time, asked []string, users []openai.User) []plan.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	var changed []plan.Key
	for _, user := range users {
		changed = append(changed, r.see(begun, user)...)
	}
	for _, email := range asked {
		if key := plan.EmailKey(email); len(r.byEmail[key.Email]) == 0 {
			if _, known := r.absent[key]; !known {
				changed = append(changed, key)
			}
			r.absent[key] = r.readings
		}
	}
	return changed
}

// Changed takes over the user as the answer to a change has them, which was sent at the time given.
func (r *Roster) Changed(sent time.Time, user openai.User) []plan.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touch(user.ID)
	r.looked(user.ID, sent)
	return r.put(user)
}

// Saw takes over the answer about one user, asked for at the time given.
func (r *Roster) Saw(begun time.Time, user openai.User) []plan.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.see(begun, user)
}

func (r *Roster) see(begun time.Time, user openai.User) []plan.Key {
	if at, ok := r.touched[user.ID]; ok && at.After(begun) {
		return nil
	}
	r.touched[user.ID] = begun
	r.looked(user.ID, begun)
	return r.put(user)
}

// SawNobody takes over that there is no user with the ID, asked for at the time given.
func (r *Roster) SawNobody(begun time.Time, id string) []plan.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touch(id)
	if d, ok := r.doubts[id]; ok && begun.After(d.lostAt) {
		d.roles = false // who is gone has none
		r.doubts[id] = d
	}
	r.looked(id, begun)
	changed := r.drop(id)
	if _, known := r.absent[plan.IDKey(id)]; !known {
		changed = append(changed, plan.IDKey(id))
	}
	r.absent[plan.IDKey(id)] = r.readings
	return changed
}

// looked settles what a look can settle that began at the time given. r.mu is held.
func (r *Roster) looked(id string, begun time.Time) {
	d, ok := r.doubts[id]
	if !ok || !begun.After(d.lostAt) {
		return
	}
	d.fields = false
	r.settle(id, d, begun)
}

// settle keeps a doubt until a look has begun after its deadline, and no side of it is open.
func (r *Roster) settle(id string, d doubt, begun time.Time) {
	if !d.fields && !d.roles && begun.After(d.deadline) {
		delete(r.doubts, id)
		return
	}
	r.doubts[id] = d
}

// Doubt marks a user after a lost answer: what was sent may or may not have been carried out, and may still be until the
// deadline. roles says that it was about their roles, else it was about their fields or membership.
func (r *Roster) Doubt(id string, roles bool, deadline time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touch(id) // a reading under way may have seen the user before the change
	now := r.now()
	d := r.doubts[id]
	d.lostAt = now
	if deadline.After(d.deadline) {
		d.deadline = deadline
	}
	if roles {
		d.roles = true
		delete(r.assignments, id)
		r.editedAt[id] = now
	} else {
		d.fields = true
	}
	r.doubts[id] = d
}

// Doubted says whether the user's fields, or whether they are there, must be looked at before they are trusted.
func (r *Roster) Doubted(id string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.doubts[id].fields
}

// Unsettled says whether a call whose answer was lost may still have an effect that nobody has looked for, and since
// when a look can settle that.
func (r *Roster) Unsettled(id string) (since time.Time, unsettled bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d, ok := r.doubts[id]
	return d.deadline, ok
}

// SettledBy is the look that can end a doubt about a user, once its deadline is over.
func (r *Roster) SettledBy(id string) plan.Look {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := r.doubts[id]
	return plan.Look{User: d.fields || !d.roles, Roles: d.roles}
}

// LookedSince says whether a look at the user began after the time: at their roles where those are known, else at them.
func (r *Roster) LookedSince(id string, since time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if known, ok := r.assignments[id]; ok {
		return known.listedAt.After(since)
	}
	return r.readAt.After(since) || r.touched[id].After(since)
}
