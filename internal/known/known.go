// Package known puts together what is known of the people of an organization: what is declared of each, what was seen of
// them, what came of tries, and in how many readings they were undeclared. It calls nobody and changes nothing.
package known

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// Sources are where it is known from.
type Sources struct {
	Cache  *declared.Cache
	Roster *roster.Roster
	Tries  *tries.Memory
	Links  *link.Links
	// Objects are the Organization objects that stand for the organization, whether their key is good or not.
	Objects func() []types.NamespacedName
	// LandedBy is when the last request of a manager before this one has landed; zero: there is none.
	LandedBy time.Time
}

// People are those of one organization. It is safe for concurrent use.
type People struct {
	from      Sources
	sightings sightings

	mu sync.Mutex
	// alias has the IDs that the API answered with for roles, where they are others than were sent.
	alias map[string]string
}

// New returns the people of an organization.
func New(sources Sources) *People {
	return &People{from: sources, alias: map[string]string{}}
}

// Setting is what must be known to say whom objects mean.
func (p *People) Setting() declared.Setting {
	roles, at := p.from.Roster.Roles()
	offered := make([]plan.OfferedRole, len(roles))
	for i, role := range roles {
		offered[i] = plan.OfferedRole{Role: plan.Role{ID: role.ID, Name: role.Name}, Predefined: role.Predefined}
	}
	return declared.Setting{Directory: p.from.Roster, Acts: p.from.Links.Acts, Offered: offered, RolesKnown: !at.IsZero()}
}

// Of is all that is declared and observed about a user, as it is kept.
func (p *People) Of(ctx context.Context, id string) (*plan.Person, declared.Gathered, error) {
	g, err := p.from.Cache.Gather(ctx, p.from.Objects(), p.from.Roster.KeysOf(id))
	if err != nil {
		return nil, g, err
	}
	person, err := p.About(ctx, g, id)
	return person, g, err
}

// Decide says what is to be done and said about a user, on what is kept.
func (p *People) Decide(ctx context.Context, id string) (plan.Decision, error) {
	person, _, err := p.Of(ctx, id)
	if err != nil {
		return plan.Decision{}, err
	}
	return plan.Decide(person), nil
}

// About adds what is observed of a user to what objects say of them.
func (p *People) About(ctx context.Context, g declared.Gathered, id string) (*plan.Person, error) {
	user, present := p.from.Roster.User(id)
	if !present {
		user = plan.User{ID: id}
	}
	person, err := p.from.Cache.Declare(ctx, g, user, p.Setting())
	if err != nil {
		return nil, err
	}
	person.Present, person.Doubted = present, p.from.Roster.Doubted(id)
	person.Roles, person.RolesKnown = p.roles(id)
	if since, unsettled := p.from.Roster.Unsettled(id); unsettled {
		person.Unsettled, person.SettlesAt, person.SettledBy = true, since.Unix()+1, p.from.Roster.SettledBy(id)
	}
	if !p.from.LandedBy.IsZero() && !p.from.Roster.LookedSince(id, p.from.LandedBy) {
		// A leader before this one may have had calls under way.
		person.Unsettled, person.SettlesAt = true, max(person.SettlesAt, p.from.LandedBy.Unix()+1)
		person.SettledBy.Roles = person.SettledBy.Roles || person.RolesKnown
		person.SettledBy.User = person.SettledBy.User || !person.RolesKnown
	}
	if p.from.Tries.UnderWay(id) {
		person.Unsettled, person.SettlesAt = true, 0
	}
	p.sightings.tell(person)
	person.Tried = p.from.Tries.Of(id)
	for _, roles := range []bool{false, true} {
		if fact, failed := p.from.Tries.LookFact(tries.Look{Key: plan.IDKey(id), Roles: roles}); failed {
			person.LookFact = fact
		}
	}
	return person, nil
}

// roles are the roles of a user by the IDs that are declared, and whether they are known.
func (p *People) roles(id string) (roles []plan.Assignment, known bool) {
	assignments, known := p.from.Roster.Assignments(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range assignments {
		role := plan.Role{ID: a.RoleID, Name: a.RoleName}
		if sent, ok := p.alias[a.RoleID]; ok {
			role.ID = sent
		}
		roles = append(roles, plan.Assignment{Role: role, Predefined: a.Predefined, Inherited: a.Inherited})
	}
	return roles, known
}

// Alias keeps that the API answered with another ID for a role than was sent.
func (p *People) Alias(answered, sent string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alias[answered] = sent
}

// Aliases are the IDs that the API answered with for a role, where they are others than was sent.
func (p *People) Aliases(sent string) (answered []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, role := range p.alias {
		if role == sent {
			answered = append(answered, other)
		}
	}
	return answered
}
