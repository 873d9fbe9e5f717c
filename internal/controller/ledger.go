package controller

import (
	"context"
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/internal/plan"
)

// ledger counts what rollcall did for one Organization object, and what its guard holds. It lives as long as
// the object, whatever becomes of the key.
type ledger struct {
	mu   sync.Mutex
	made map[plan.Verb]int
	// heldUndeclared is the number of removals of undeclared users that the guard holds.
	heldUndeclared int
}

func newLedger() *ledger {
	// A counter that is there from the start shows its first increase too.
	return &ledger{made: map[plan.Verb]int{plan.Update: 0, plan.Remove: 0, plan.Assign: 0, plan.Unassign: 0}}
}

func (l *ledger) hold(removals int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heldUndeclared = removals
}

func (l *ledger) read() (made map[plan.Verb]int, heldUndeclared int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.made), l.heldUndeclared
}

// note counts and logs a step that was made in the organization: one line for each thing that changed, with
// who it was, what changed, from what and to what. "" is none.
func (c *connection) note(ctx context.Context, step plan.Step) {
	c.ledger.mu.Lock()
	c.ledger.made[step.Verb]++
	c.ledger.mu.Unlock()

	logger := log.FromContext(ctx).WithValues("organization", c.object.String(), "verb", step.Verb, "who", step.Who, "userID", step.UserID)
	changed := func(what, from, to string, more ...any) {
		logger.Info("changed the organization", append([]any{"what", what, "from", from, "to", to}, more...)...)
	}
	switch step.Verb {
	case plan.Update:
		for _, change := range step.Changes {
			changed(string(change.Field), change.From, change.To)
		}
	case plan.Remove:
		changed("membership", "member", "")
	case plan.Assign:
		changed("roleAssignment", "", step.Role.Name, "roleID", step.Role.ID)
	case plan.Unassign:
		changed("roleAssignment", step.Role.Name, "", "roleID", step.Role.ID)
	}
}

// ledger returns the object's ledger, a new one for a new object. c.mu is held.
func (c *Connections) ledger(object types.NamespacedName) *ledger {
	if c.ledgers[object] == nil {
		c.ledgers[object] = newLedger()
	}
	return c.ledgers[object]
}
