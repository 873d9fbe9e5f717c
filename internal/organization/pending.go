package organization

import (
	"cmp"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai"
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

// lane is a kind of turn.
type lane int

const (
	giving  lane = iota // changes that give, with the looks they need
	taking              // changes that take: one turn at a time
	looking             // looks that nobody waits for
	lanes
)

// candidate is somebody for whom a call is needed.
type candidate struct {
	key     plan.Key // by ID where there is a user, else by the address that nobody has
	user    plan.User
	lane    lane
	urgency Urgency
	since   time.Time
	// steps are those that may be made in this lane.
	steps []plan.Due
	look  plan.Look
	// order is how long they wait as leavers, in seconds; 0: they are none.
	order int64
}

// keys are all that the candidate is known by.
func (c *candidate) keys() []plan.Key {
	if c.user.Email == "" || c.key.ID == "" {
		return []plan.Key{c.key}
	}
	return []plan.Key{c.key, plan.EmailKey(c.user.Email)}
}

// costs are the calls that the candidate needs besides the look at the addresses of a turn.
func (c *candidate) costs() openai.Calls {
	calls := openai.Calls{}
	if c.key.ID != "" && c.user.Email == "" && (c.lane != looking || c.look.User) {
		calls[openai.EndpointGetUser]++
	}
	if c.look.Roles {
		calls[openai.EndpointListUserRoles]++
	}
	for _, due := range c.steps {
		switch due.Step.Verb {
		case plan.Update:
			calls[openai.EndpointUpdateUser]++
		case plan.Remove:
			calls[openai.EndpointDeleteUser]++
		case plan.Assign:
			calls[openai.EndpointAssignRole]++
		case plan.Unassign:
			calls[openai.EndpointUnassignRole]++
		}
		if due.Step.Role.ID != "" && !c.look.Roles {
			calls[openai.EndpointGetUserRole]++
		}
	}
	return calls
}

// pending are the people with something to do: woken ones, who are to be taken up, and candidates, who wait for a turn.
type pending struct {
	mu         sync.Mutex
	woken      [urgencies]map[plan.Key]bool // true: the objects that speak of them are to be told
	candidates map[plan.Key]*candidate
	busy       map[plan.Key]int
	timers     map[plan.Key]time.Time
	signal     chan struct{}
}

func newPending() *pending {
	p := &pending{
		candidates: map[plan.Key]*candidate{}, busy: map[plan.Key]int{}, timers: map[plan.Key]time.Time{}, signal: make(chan struct{}, 1),
	}
	for i := range p.woken {
		p.woken[i] = map[plan.Key]bool{}
	}
	return p
}

// wake has people taken up soon. tell has the objects that speak of them looked at as well.
func (p *pending) wake(urgency Urgency, tell bool, keys ...plan.Key) {
	if len(keys) == 0 {
		return
	}
	p.mu.Lock()
	for _, key := range keys {
		p.add(urgency, tell, key)
	}
	p.mu.Unlock()
	p.nudge()
}

func (p *pending) add(urgency Urgency, tell bool, key plan.Key) {
	for u := range urgency {
		if known, ok := p.woken[u][key]; ok {
			p.woken[u][key] = known || tell
			return
		}
	}
	for u := urgency; u < urgencies; u++ {
		if known, ok := p.woken[u][key]; ok {
			tell = tell || known
			delete(p.woken[u], key)
		}
	}
	p.woken[urgency][key] = tell
}

func (p *pending) nudge() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// wakeAt has somebody taken up at a time.
func (p *pending) wakeAt(at time.Time, key plan.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.timers[key]; !ok || at.Before(known) {
		p.timers[key] = at
		p.nudge() // whoever sleeps until a later one has to know
	}
}

// ring wakes those whose time has come, and says how long the next has time.
func (p *pending) ring(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := time.Hour
	for key, at := range p.timers {
		if left := at.Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		delete(p.timers, key)
		p.add(Due, true, key)
		next = 0
	}
	return next
}

// woke is one who was woken.
type woke struct {
	key     plan.Key
	urgency Urgency
	tell    bool
}

// take returns up to so many who were woken and are not busy, the most urgent first. Those who are busy stay woken.
func (p *pending) take(most int) []woke {
	p.mu.Lock()
	defer p.mu.Unlock()
	var taken []woke
	for u := range urgencies {
		for key, tell := range p.woken[u] {
			if len(taken) == most {
				return taken
			}
			if p.busy[key] > 0 {
				continue
			}
			delete(p.woken[u], key)
			taken = append(taken, woke{key, u, tell})
		}
	}
	return taken
}

// propose makes somebody a candidate, or with nil none any more.
func (p *pending) propose(key plan.Key, c *candidate, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.candidates[key]
	if c == nil {
		delete(p.candidates, key)
		return
	}
	if p.busy[key] > 0 {
		p.add(c.urgency, true, key) // what was decided does not know yet what the turn finds
		return
	}
	c.since = now
	if before != nil {
		c.since = before.since
		c.urgency = min(c.urgency, before.urgency)
		if reflect.DeepEqual(before, c) {
			return // a turn that has just chosen them goes on
		}
	}
	p.candidates[key] = c
}

// waitingSince is since when somebody waits for a turn.
func (p *pending) waitingSince(key plan.Key) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.candidates[key]
	if c == nil {
		return time.Time{}, false
	}
	return c.since, true
}

// longest is how long the candidate has waited who waits longest for a change.
func (p *pending) longest(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	longest := time.Duration(0)
	for _, c := range p.candidates {
		if len(c.steps) > 0 {
			longest = max(longest, now.Sub(c.since))
		}
	}
	return longest
}

// waiting returns the candidates of a lane who are not busy, the most urgent first; at most so many.
func (p *pending) waiting(l lane, most int) []*candidate {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first []*candidate
	for _, c := range p.candidates {
		// The keys are made last, since most come after those who are there already.
		if c.lane != l || len(first) == most && !c.before(first[most-1]) || p.isBusy(c.keys()) {
			continue
		}
		at, _ := slices.BinarySearchFunc(first, c, func(known, c *candidate) int {
			if known.before(c) {
				return -1
			}
			return 1
		})
		first = slices.Insert(first[:min(len(first), most-1)], min(at, most-1), c)
	}
	return first
}

// before compares one thing after another, and makes nothing for it: many wait, and each turn asks for the first.
func (c *candidate) before(other *candidate) bool {
	order := cmp.Or(cmp.Compare(c.urgency, other.urgency), cmp.Compare(c.rank(), other.rank()))
	if order == 0 {
		order = c.since.Compare(other.since)
	}
	if order == 0 {
		order = cmp.Or(cmp.Compare(c.key.ID, other.key.ID), cmp.Compare(c.key.Email, other.key.Email))
	}
	return order < 0
}

// rank has the oldest leavers first, and others after them.
func (c *candidate) rank() int64 {
	if c.order == 0 {
		return 1 << 62
	}
	return c.order
}

// hold takes a candidate for a turn, under all the keys that they are known by. It fails if they are no candidate any more
// or busy.
func (p *pending) hold(c *candidate, keys []plan.Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.candidates[c.key] != c {
		return false
	}
	if p.isBusy(keys) {
		return false
	}
	delete(p.candidates, c.key)
	for _, key := range keys {
		p.busy[key]++
	}
	return true
}

// isBusy says whether anybody works on one who is known by any of the keys. p.mu is held.
func (p *pending) isBusy(keys []plan.Key) bool {
	return slices.ContainsFunc(keys, func(key plan.Key) bool { return p.busy[key] > 0 })
}

// release ends what hold began, and has them taken up again.
func (p *pending) release(keys []plan.Key, again Urgency) {
	p.mu.Lock()
	for _, key := range keys {
		p.busy[key]--
		if p.busy[key] <= 0 {
			delete(p.busy, key)
		}
	}
	for _, key := range keys {
		p.add(again, true, key)
	}
	p.mu.Unlock()
	p.nudge()
}
