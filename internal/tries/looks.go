package tries

import (
	"time"

	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Look is one that may fail: at a user's roles, or at whether somebody is there.
type Look struct {
	Key   plan.Key
	Roles bool
}

// LookFailed keeps why a look failed, and until when it is not tried again. It returns how long that is.
func (m *Memory) LookFailed(look Look, words string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := try{Try: plan.Try{Fact: plan.Fact{Kind: plan.Retrying, Words: words}}}
	if before, ok := m.looks[look]; ok {
		now.attempts = before.attempts + 1
	}
	now.Until = Seconds(m.now().Add(Looks.After(now.attempts)))
	m.looks[look] = now
	return time.Unix(now.Until, 0).Sub(m.now())
}

// LookSucceeded forgets that a look failed.
func (m *Memory) LookSucceeded(look Look) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.looks, look)
}

// LookFact says why a look was not made yet, if it was tried.
func (m *Memory) LookFact(look Look) (plan.Fact, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.looks[look]
	return t.Fact, ok
}

// LookWaits says whether a look that failed is not to be tried again yet, and until when.
func (m *Memory) LookWaits(look Look) (until time.Time, waits bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.looks[look]
	until = time.Unix(t.Until, 0)
	return until, ok && m.now().Before(until)
}

// Miss keeps that a list by address did not show somebody whom their ID may find, until the next whole reading: so long a
// look at them is a call of its own, and has a token.
func (m *Memory) Miss(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missed[userID] = true
}

// Missed says whether a list by address does not show somebody.
func (m *Memory) Missed(userID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.missed[userID]
}

// LateAgain keeps that the look at a user was too old for a change in this turn. It says whether it was in their turn before
// too, and then begins anew. It is asked once a turn, however many changes were late.
func (m *Memory) LateAgain(userID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	again := m.late[userID]
	if again {
		delete(m.late, userID)
	} else {
		m.late[userID] = true
	}
	return again
}

// InTime forgets that the look at a user was too old once.
func (m *Memory) InTime(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.late, userID)
}
