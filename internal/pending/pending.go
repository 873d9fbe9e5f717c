// Package pending keeps who has something to do in an organization: who was woken and is to be taken up, who waits for a
// turn, who is being worked on, and who is to be woken when.
package pending

import (
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-dev/rollcall/internal/plan"
)

// People are those with something to do: woken ones, who are to be taken up, and candidates, who wait for a turn. It is safe
// for concurrent use.
type People struct {
	mu         sync.Mutex
	woken      [urgencies]map[plan.Key]bool // true: the objects that speak of them are to be told
	candidates map[plan.Key]*Candidate
	// inLane counts the candidates of each lane.
	inLane [Lanes]int
	busy   map[plan.Key]int
	// released are those whose turn ended since the last Take.
	released map[plan.Key]bool
	timers   map[plan.Key]time.Time
	signal   chan struct{}
}

// New returns nobody yet.
func New() *People {
	p := &People{
		candidates: map[plan.Key]*Candidate{}, busy: map[plan.Key]int{}, released: map[plan.Key]bool{},
		timers: map[plan.Key]time.Time{}, signal: make(chan struct{}, 1),
	}
	for i := range p.woken {
		p.woken[i] = map[plan.Key]bool{}
	}
	return p
}

// Wake has people taken up soon. tell has the objects that speak of them looked at as well.
func (p *People) Wake(urgency Urgency, tell bool, keys ...plan.Key) {
	if len(keys) == 0 {
		return
	}
	p.mu.Lock()
	for _, key := range keys {
		p.add(urgency, tell, key)
	}
	p.mu.Unlock()
	p.Nudge()
}

func (p *People) add(urgency Urgency, tell bool, key plan.Key) {
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

// Signal comes when somebody was woken, a timer was set, or a turn was done with its people.
func (p *People) Signal() <-chan struct{} { return p.signal }

// Nudge has whoever waits for Signal look again.
func (p *People) Nudge() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// WakeAt has somebody taken up at a time.
func (p *People) WakeAt(at time.Time, key plan.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.timers[key]; !ok || at.Before(known) {
		p.timers[key] = at
		p.Nudge() // whoever sleeps until a later one has to know
	}
}

// Ring wakes those whose time has come, and says how long the next has time.
func (p *People) Ring(now time.Time) time.Duration {
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

// Woke is one who was woken.
type Woke struct {
	Key     plan.Key
	Urgency Urgency
	// Tell: the objects that speak of them are to be told.
	Tell bool
}

// Take returns up to so many who were woken and are not busy, the most urgent first. Those who are busy stay woken, and
// those who wait for a turn already become no less urgent. Who takes proposes all of them before the next Take.
func (p *People) Take(most int) []Woke {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.released)
	var taken []Woke
	for u := range urgencies {
		for key, tell := range p.woken[u] {
			if len(taken) == most {
				return taken
			}
			if p.busy[key] > 0 {
				continue
			}
			delete(p.woken[u], key)
			urgency := u
			if c := p.candidates[key]; c != nil {
				urgency = min(urgency, c.Urgency)
			}
			taken = append(taken, Woke{key, urgency, tell})
		}
	}
	return taken
}

// Propose makes somebody a candidate, or with nil none any more.
func (p *People) Propose(key plan.Key, c *Candidate, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.candidates[key]
	if c == nil {
		p.set(key, nil)
		return
	}
	if p.busy[key] > 0 || p.released[key] {
		p.add(c.Urgency, true, key) // what was decided may not know what the turn finds, or found
		return
	}
	c.since = now
	if before != nil {
		c.since = before.since
		c.Urgency = min(c.Urgency, before.Urgency)
		if reflect.DeepEqual(before, c) {
			return // a turn that has just chosen them goes on
		}
	}
	p.set(key, c)
}

// set makes c the candidate with the key, or with nil none any more. p.mu is held.
func (p *People) set(key plan.Key, c *Candidate) {
	if before := p.candidates[key]; before != nil {
		p.inLane[before.Lane]--
		delete(p.candidates, key)
	}
	if c != nil {
		p.inLane[c.Lane]++
		p.candidates[key] = c
	}
}

// WaitingSince is since when somebody waits for a turn.
func (p *People) WaitingSince(key plan.Key) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.candidates[key]
	if c == nil {
		return time.Time{}, false
	}
	return c.since, true
}

// Longest is how long the candidate has waited who waits longest for a change, and who waits longest for a look that nobody
// waits for.
func (p *People) Longest(now time.Time) (change, look time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.candidates {
		switch {
		case len(c.Steps) > 0:
			change = max(change, now.Sub(c.since))
		case c.Lane == Looking:
			look = max(look, now.Sub(c.since))
		}
	}
	return change, look
}

// Waiting returns the candidates of a lane who are not busy and of whom which holds, the most urgent first; at most so many.
func (p *People) Waiting(l Lane, most int, which func(*Candidate) bool) []*Candidate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inLane[l] == 0 {
		return nil
	}
	var first []*Candidate
	for _, c := range p.candidates {
		// The keys are made last, since most come after those who are there already.
		if c.Lane != l || len(first) == most && !c.before(first[most-1]) || !which(c) || p.isBusy(c.Keys()) {
			continue
		}
		at, _ := slices.BinarySearchFunc(first, c, func(known, c *Candidate) int {
			if known.before(c) {
				return -1
			}
			return 1
		})
		first = slices.Insert(first[:min(len(first), most-1)], min(at, most-1), c)
	}
	return first
}

// Hold takes a candidate for a turn, under all the keys that they are known by. It fails if they are no candidate any more
// or busy.
func (p *People) Hold(c *Candidate, keys []plan.Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.candidates[c.Key]; now == nil || !now.sameWork(c) {
		return false
	}
	if p.isBusy(keys) {
		return false
	}
	p.set(c.Key, nil)
	for _, key := range keys {
		p.busy[key]++
	}
	return true
}

// isBusy says whether anybody works on one who is known by any of the keys. p.mu is held.
func (p *People) isBusy(keys []plan.Key) bool {
	return slices.ContainsFunc(keys, func(key plan.Key) bool { return p.busy[key] > 0 })
}

// Release ends what Hold began, and has them taken up again.
func (p *People) Release(keys []plan.Key, again Urgency) {
	p.mu.Lock()
	for _, key := range keys {
		p.busy[key]--
		if p.busy[key] <= 0 {
			delete(p.busy, key)
		}
		p.released[key] = true
	}
	for _, key := range keys {
		p.add(again, true, key)
	}
	p.mu.Unlock()
	p.Nudge()
}
