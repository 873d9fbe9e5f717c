package known

import (
	"context"
	"slices"
	"sync"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

// sightings are what the last whole reading found that no object declares.
type sightings struct {
	mu sync.Mutex
	// undeclared is whom it found undeclared, and in how many in a row.
	undeclared map[string]sighting
	sums       plan.Sums
	// unresolved are OrgUsers that were not matched with anybody then.
	unresolved []plan.Ref
}

// sighting is how many whole readings in a row found a user, or roles of theirs by ID, undeclared.
type sighting struct {
	// found: no object declared the user then. user and roles count only readings in which every OrgUser was matched.
	found bool
	user  int
	roles map[string]int
}

// tell adds to a person what was seen of them, and of all.
func (s *sightings) tell(p *plan.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.undeclared[p.User.ID]
	p.Sums, p.SeenUndeclared, p.SeenUndeclaredRoles = s.sums, seen.user, seen.roles
}

// Sight counts for each user and role that is undeclared in how many whole readings in a row it was. It returns those of
// whom something is to be taken.
func (p *People) Sight(ctx context.Context) ([]plan.Key, error) {
	users, roles := p.policies(ctx)
	sums, unresolved, err := p.SumUp(ctx)
	if err != nil {
		return nil, err
	}
	counts := 0
	if !sums.Unresolved && sums.OrgUsers > 0 {
		counts = 1
	}
	now := map[string]sighting{}
	var taken []plan.Key
	suspects, err := p.suspects(ctx, users, roles)
	if err != nil {
		return nil, err
	}
	for _, id := range suspects {
		person, _, err := p.Of(ctx, id)
		if err != nil {
			return nil, err
		}
		d := plan.Decide(person)
		seen := sight(person, d, users, roles, counts)
		if seen.found || len(seen.roles) > 0 {
			now[id] = seen
		}
		if seen.found && users == plan.Take || len(seen.roles) > 0 && roles == plan.Take || roles != plan.Ignore && d.Look.Roles {
			taken = append(taken, plan.IDKey(id))
		}
	}
	p.sightings.mu.Lock()
	defer p.sightings.mu.Unlock()
	p.sightings.undeclared, p.sightings.sums, p.sightings.unresolved = now, sums, unresolved
	return taken, nil
}

// suspects are the users who may be undeclared, or hold undeclared roles.
func (p *People) suspects(ctx context.Context, users, roles plan.Policy) ([]string, error) {
	if users == plan.Ignore && roles == plan.Ignore {
		return nil, nil
	}
	names := p.from.Objects()
	var ids []string
	for _, user := range p.from.Roster.Users() {
		named, err := false, error(nil)
		if roles == plan.Ignore {
			named, err = p.from.Cache.Named(ctx, names, roster.Keys(user))
		}
		if err != nil {
			return nil, err
		}
		if !named {
			ids = append(ids, user.ID)
		}
	}
	return ids, nil
}

// sight is what a whole reading found undeclared of a person, and in how many in a row; counts is 1 for a reading that
// counts, else 0.
func sight(p *plan.Person, d plan.Decision, users, roles plan.Policy, counts int) sighting {
	seen := sighting{roles: map[string]int{}}
	if d.Undeclared && users != plan.Ignore {
		seen.found, seen.user = true, (p.SeenUndeclared+1)*counts
	}
	for _, role := range d.UndeclaredRoles {
		if roles != plan.Ignore {
			seen.roles[role.ID] = (p.SeenUndeclaredRoles[role.ID] + 1) * counts
		}
	}
	return seen
}

// Declared forgets that the last reading found a user undeclared whom an object declares by now, and says whether it had.
func (p *People) Declared(id string, d plan.Decision) bool {
	s := &p.sightings
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, ok := s.undeclared[id]
	if !ok || !seen.found || d.Undeclared {
		return false
	}
	seen.found, seen.user = false, 0
	s.undeclared[id] = seen
	return true
}

// policies are the strongest for what is undeclared that any object has.
func (p *People) policies(ctx context.Context) (users, roles plan.Policy) {
	for _, name := range p.from.Objects() {
		org, err := p.from.Cache.Organization(ctx, name)
		if err != nil || org == nil {
			continue
		}
		u, r := declared.Policies(org)
		users, roles = max(users, u), max(roles, r)
	}
	return users, roles
}

// SumUp counts what is to be known of the whole organization about one person, and names OrgUsers that are not matched
// with anybody.
func (p *People) SumUp(ctx context.Context) (plan.Sums, []plan.Ref, error) {
	names := p.from.Objects()
	sums := plan.Sums{Objects: len(names)}
	var unresolved []plan.Ref
	for _, name := range names {
		users, err := p.from.Cache.OrgUsers(ctx, name)
		if err != nil {
			return sums, nil, err
		}
		sums.OrgUsers += len(users)
		for i := range users {
			if !declared.ClaimOf(&users[i], nil).Standing(p.from.Roster).Resolved() {
				unresolved = append(unresolved, plan.Ref{Namespace: users[i].Namespace, Name: users[i].Name})
			}
		}
	}
	sums.Unresolved = len(unresolved) > 0
	return sums, unresolved, nil
}

// Undeclared is what the last whole reading found that no object declares.
type Undeclared struct {
	Users, Roles int
	// Left are the steps that would take it and are not made, Held is how many of them the guard holds.
	Left []plan.Due
	Held int
	// Unresolved are OrgUsers that are not matched with anybody, NoOrgUsers is that there are none: nothing is taken then.
	Unresolved []plan.Ref
	NoOrgUsers bool
}

// mostLeft bounds the steps of which each is told.
const mostLeft = 200

// count returns how much was found, and of whom.
func (s *sightings) count() (u Undeclared, ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u = Undeclared{Unresolved: s.unresolved, NoOrgUsers: true}
	for id, seen := range s.undeclared {
		if seen.found {
			u.Users++
		}
		u.Roles += len(seen.roles)
		ids = append(ids, id)
	}
	return u, ids
}

// Undeclared returns what the last whole reading found that no object declares.
func (p *People) Undeclared(ctx context.Context) (Undeclared, error) {
	users, roles := p.policies(ctx)
	u, ids := p.sightings.count()
	for _, name := range p.from.Objects() {
		declaring, err := p.from.Cache.OrgUsers(ctx, name)
		if err != nil {
			return u, err
		}
		u.NoOrgUsers = u.NoOrgUsers && len(declaring) == 0
	}
	if users != plan.Take && roles != plan.Take {
		return u, nil
	}
	slices.Sort(ids)
	for _, id := range ids[:min(len(ids), mostLeft)] {
		d, err := p.Decide(ctx, id)
		if err != nil {
			return u, err
		}
		for _, due := range d.Steps {
			if !due.Step.Takes() || due.Wait.Kind == plan.None || due.Wait.Kind == plan.Pending || due.Step.Verb == plan.Update {
				continue
			}
			u.Left = append(u.Left, due)
			if due.Wait.Kind == plan.Guarded {
				u.Held++
			}
		}
	}
	return u, nil
}
