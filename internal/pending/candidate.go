package pending

import (
	"cmp"
	"reflect"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Urgency says who goes first: the lower.
type Urgency int

const (
	// Edited: somebody changed a manifest, or is to leave.
	Edited Urgency = iota
	// Due: something else calls for a step.
	Due
	// Reread: a reading or a start woke them.
	Reread
	urgencies
)

// PeopleATurn bounds the people of a turn: one list looks at so many.
const PeopleATurn = 80

// Lane is a kind of turn.
type Lane int

const (
	// Giving: changes that give, with the looks they need.
	Giving Lane = iota
	// Taking: changes that take, one turn at a time.
	Taking
	// Looking: looks that nobody waits for.
	Looking
	// Lanes is how many there are.
	Lanes
)

// Candidate is somebody for whom a call is needed.
type Candidate struct {
	// Key is by ID where there is a user, else by the address that nobody has.
	Key     plan.Key
	User    plan.User
	Lane    Lane
	Urgency Urgency
	// Steps are those that may be made in this lane.
	Steps []plan.Due
	Look  plan.Look
	// ByID: only their ID finds them, since they have no address, or no list shows it.
	ByID bool
	// Order is when they were due as leavers, in seconds; 0: they are none.
	Order int64
	// since is when they began to wait.
	since time.Time
}

// Keys are all that the candidate is known by.
func (c *Candidate) Keys() []plan.Key {
	if c.User.Email == "" || c.Key.ID == "" {
		return []plan.Key{c.Key}
	}
	return []plan.Key{c.Key, plan.EmailKey(c.User.Email)}
}

// Costs are the calls that the candidate needs besides the look at the addresses of a turn.
func (c *Candidate) Costs() budget.Calls {
	calls := budget.Calls{}
	if c.Key.ID != "" && c.ByID && (c.Lane != Looking || c.Look.User) {
		calls[openai.EndpointGetUser]++
	}
	if c.Look.Roles {
		calls[openai.EndpointListUserRoles]++
	}
	for _, due := range c.Steps {
		calls[EndpointOf(due.Step)]++
		if due.Step.Role.ID != "" && !c.Look.Roles {
			calls[openai.EndpointGetUserRole]++
		}
	}
	return calls
}

// EndpointOf is the endpoint of the call that makes a step.
func EndpointOf(step plan.Step) budget.Endpoint {
	switch step.Verb {
	case plan.Update:
		return openai.EndpointUpdateUser
	case plan.Remove:
		return openai.EndpointDeleteUser
	case plan.Assign:
		return openai.EndpointAssignRole
	}
	return openai.EndpointUnassignRole
}

// sameWork says whether two are the same but for how urgent they are.
func (c *Candidate) sameWork(other *Candidate) bool {
	work := *c
	work.Urgency, work.since = other.Urgency, other.since
	return c == other || reflect.DeepEqual(&work, other)
}

// before compares one thing after another, and makes nothing for it: many wait, and each turn asks for the first.
func (c *Candidate) before(other *Candidate) bool {
	order := cmp.Or(cmp.Compare(c.Urgency, other.Urgency), cmp.Compare(c.rank(), other.rank()))
	if order == 0 {
		order = c.since.Compare(other.since)
	}
	if order == 0 {
		order = cmp.Or(cmp.Compare(c.Key.ID, other.Key.ID), cmp.Compare(c.Key.Email, other.Key.Email))
	}
	return order < 0
}

// rank has the oldest leavers first, and others after them.
func (c *Candidate) rank() int64 {
	if c.Order == 0 {
		return 1 << 62
	}
	return c.Order
}
