// Package tries remembers what came of the last tries in an organization: of steps, until when each is not tried again with
// nothing new; of looks; and for whom a change is under way.
package tries

import (
	"maps"
	"sync"
	"time"

	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Memory is what came of the last tries. It is safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu    sync.Mutex
	steps map[plan.Target]try
	// of has the targets by user ID.
	of    map[string]map[plan.Target]bool
	looks map[Look]try
	// late has those for whom a look was too old in their last turn, by user ID.
	late map[string]bool
	// missed has those whom a list by address did not show though they are there, by user ID.
	missed map[string]bool
	// underWay counts the changing calls, by user ID.
	underWay map[string]int
}

// try is what came of the last try of a step or a look.
type try struct {
	plan.Try
	attempts int
}

// New returns a memory of nothing.
func New(now func() time.Time) *Memory {
	return &Memory{
		now: now, steps: map[plan.Target]try{}, of: map[string]map[plan.Target]bool{}, looks: map[Look]try{},
		late: map[string]bool{}, missed: map[string]bool{}, underWay: map[string]int{},
	}
}

// Failed keeps what came of a step, and by the pace until when it is not tried again with nothing new.
func (m *Memory) Failed(target plan.Target, fingerprint string, fact plan.Fact, pace Pace) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail(target, plan.Try{Fingerprint: fingerprint, Fact: fact}, pace)
}

// fail keeps a step that failed. m.mu is held.
func (m *Memory) fail(target plan.Target, failed plan.Try, pace Pace) {
	now := try{Try: failed}
	if before, ok := m.steps[target]; ok && before.Fingerprint == failed.Fingerprint && before.Fact.Kind == failed.Fact.Kind {
		now.attempts = before.attempts + 1
	}
	now.Until = Seconds(m.now().Add(pace.After(now.attempts)))
	m.keep(target, now)
}

// Accepted keeps that the API took a step. It stands until the person is seen without need of it: if the organization does
// not have it so when it is looked at again, it is not sent again and again.
func (m *Memory) Accepted(target plan.Target, fingerprint string) {
	m.Failed(target, fingerprint, plan.Fact{Kind: plan.NotTakenOver}, Refusal)
}

// NotYet keeps that a step is not to be made by what a look just showed, unless it is kept already that it waits.
func (m *Memory) NotYet(target plan.Target, fingerprint string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.steps[target]
	if ok && known.Fingerprint == fingerprint && (known.Until == 0 || m.now().Before(time.Unix(known.Until, 0))) {
		return
	}
	m.fail(target, plan.Try{Fingerprint: fingerprint, Fact: plan.Fact{Kind: plan.Pending}}, Retry)
}

// Held keeps that the guard holds a step: until the time of the try, or with 0 until it is freed.
func (m *Memory) Held(target plan.Target, held plan.Try) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(target, try{Try: held})
}

// keep keeps what came of a step. m.mu is held.
func (m *Memory) keep(target plan.Target, t try) {
	m.steps[target] = t
	if m.of[target.UserID] == nil {
		m.of[target.UserID] = map[plan.Target]bool{}
	}
	m.of[target.UserID][target] = true
}

// drop forgets what came of a step. m.mu is held.
func (m *Memory) drop(target plan.Target) {
	delete(m.steps, target)
	delete(m.of[target.UserID], target)
	if len(m.of[target.UserID]) == 0 {
		delete(m.of, target.UserID)
	}
}

// Of are the tries of steps that concern a user.
func (m *Memory) Of(userID string) map[plan.Target]plan.Try {
	m.mu.Lock()
	defer m.mu.Unlock()
	tried := map[plan.Target]plan.Try{}
	for target := range m.of[userID] {
		tried[target] = m.steps[target].Try
	}
	return tried
}

// Settle forgets what was tried for steps of a user that are not called for any more.
func (m *Memory) Settle(userID string, d plan.Decision) {
	if d.Look != (plan.Look{}) {
		return // nothing is known of what is called for
	}
	called := map[plan.Target]bool{}
	for _, due := range d.Steps {
		called[due.Step.Target()] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(called) == 0 {
		delete(m.looks, Look{Key: plan.IDKey(userID)}) // nothing rests on a look at them any more
	}
	for target := range maps.Clone(m.of[userID]) {
		if !called[target] {
			m.drop(target)
		}
	}
}

// FreeGuarded forgets what the guard holds: its rules, or what they count, changed. It returns whom that concerns.
func (m *Memory) FreeGuarded() []plan.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.free(func(f plan.Fact) bool { return f.Kind == plan.Guarded })
}

// FreeAll forgets all tries, of steps and of looks: a person asked for it. It returns whom the steps concern.
func (m *Memory) FreeAll() []plan.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.looks)
	clear(m.late)
	return m.free(func(plan.Fact) bool { return true })
}

// free forgets steps by what came of them. m.mu is held.
func (m *Memory) free(which func(plan.Fact) bool) (keys []plan.Key) {
	for target, t := range m.steps {
		if which(t.Fact) {
			m.drop(target)
			keys = append(keys, plan.IDKey(target.UserID))
		}
	}
	return keys
}

// Sweep drops what is kept of looks and steps that are long over.
func (m *Memory) Sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.now().Add(-2 * Refusal.Last).Unix()
	clear(m.late)
	clear(m.missed)
	maps.DeleteFunc(m.looks, func(_ Look, t try) bool { return t.Until < old })
	for target, t := range m.steps {
		if t.Until != 0 && t.Until < old {
			m.drop(target)
		}
	}
}

// Begin notes that changing calls about a user may be sent from now on.
func (m *Memory) Begin(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.underWay[userID]++
}

// End notes that those have ended, and what came of them is kept.
func (m *Memory) End(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.underWay[userID]--
	if m.underWay[userID] <= 0 {
		delete(m.underWay, userID)
	}
}

// UnderWay says whether a changing call about a user may be under way.
func (m *Memory) UnderWay(userID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.underWay[userID] > 0
}
