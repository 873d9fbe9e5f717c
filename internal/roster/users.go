package roster

import (
	"context"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

// Find returns the users with the key: one, none, or several with the same email. It asks the API only
// where the roster cannot know: for a user after a lost answer, and once for one that the last reading did
// not have, since absence is confirmed before it is reported.
func (r *Roster) Find(ctx context.Context, api API, key Key) ([]openai.User, error) {
	users, doubted, known := r.lookUp(key)
	if !known {
		return r.confirmAbsence(ctx, api, key)
	}
	if !doubted {
		return users, nil
	}
	for _, user := range users {
		if _, _, err := r.Fresh(ctx, api, user.ID); err != nil {
			return nil, err
		}
	}
	users, _, _ = r.lookUp(key)
	return users, nil
}

// Confirm has the absence of all the addresses that the roster does not know confirmed, by one call for many.
func (r *Roster) Confirm(ctx context.Context, api API, keys []Key) error {
	var unknown []string
	for _, key := range keys {
		if _, _, known := r.lookUp(key); !known && key.Email != "" {
			unknown = append(unknown, key.Email)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	users, err := api.ListUsersByEmail(ctx, unknown)
	if err == nil {
		r.learn(unknown, users)
	}
	return err
}

// Known returns what the roster has for the key, without asking the API.
func (r *Roster) Known(key Key) []openai.User {
	users, _, _ := r.lookUp(key)
	return users
}

// lookUp reports known if the roster has users for the key or has confirmed that there are none.
func (r *Roster) lookUp(key Key) (users []openai.User, doubted, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := r.byEmail[key.Email]
	if key.ID != "" {
		ids = []string{key.ID}
	}
	for _, id := range ids {
		if user, ok := r.users[id]; ok {
			users = append(users, user)
			doubted = doubted || r.doubted[id]
		}
	}
	return users, doubted, len(users) > 0 || r.absent[key]
}

func (r *Roster) confirmAbsence(ctx context.Context, api API, key Key) ([]openai.User, error) {
	if key.ID != "" {
		user, found, err := r.Fresh(ctx, api, key.ID)
		if err != nil || !found {
			return nil, err
		}
		return []openai.User{user}, nil
	}
	if err := r.absences.ask(ctx, key.Email, func(ctx context.Context, emails []string) error {
		users, err := api.ListUsersByEmail(ctx, emails)
		if err != nil {
			return err
		}
		r.learn(emails, users)
		return nil
	}); err != nil {
		return nil, err
	}
	users, _, _ := r.lookUp(key)
	return users, nil
}

// learn takes over the answer to the question which of the addresses are members.
func (r *Roster) learn(asked []string, users []openai.User) {
	r.mu.Lock()
	var changed []Key
	for _, user := range users {
		r.touch(user.ID)
		changed = append(changed, r.put(user)...)
	}
	for _, email := range asked {
		if len(r.byEmail[email]) == 0 {
			r.absent[EmailKey(email)] = true
		}
	}
	r.mu.Unlock()
	r.publish(changed)
}

// Fresh asks the API for one user and keeps the answer. found is false if there is no such user.
func (r *Roster) Fresh(ctx context.Context, api API, id string) (user openai.User, found bool, err error) {
	user, err = api.GetUser(ctx, id)
	switch {
	case openai.IsNotFound(err):
		r.Drop(id)
		r.mu.Lock()
		r.absent[IDKey(id)] = true
		r.mu.Unlock()
		return openai.User{}, false, nil
	case err != nil:
		return openai.User{}, false, err
	}
	r.mu.Lock()
	r.touch(id)
	delete(r.doubted, id)
	changed := r.put(user)
	r.mu.Unlock()
	r.publish(changed)
	return user, true, nil
}

// Put keeps the answer to a change that rollcall made. Nobody is told: whoever made it knows.
func (r *Roster) Put(user openai.User) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touch(user.ID)
	delete(r.doubted, user.ID)
	r.put(user)
}

// Drop forgets a user who is gone.
func (r *Roster) Drop(id string) {
	r.mu.Lock()
	r.touch(id)
	changed := r.drop(id)
	r.mu.Unlock()
	r.publish(changed)
}

// Doubt marks a user after a lost answer: what was sent may or may not have been applied, so the next Find
// looks.
func (r *Roster) Doubt(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touch(id) // a reading under way may have seen the user before the change
	r.doubted[id] = true
}
