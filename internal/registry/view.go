package registry

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

// View is what is known for one Organization object.
type View struct {
	// Status is of the object's own key.
	link.Status
	// ReadAt is zero while this manager has not read the organization; ReadErr is why the last reading failed.
	ReadAt  time.Time
	ReadErr error
	Counts  roster.Counts
	Made    map[plan.Verb]int
	// Learnt are the requests a minute that the organization was found to take, by call, where they are fewer than asked
	// for; Paused is how long it asked not to be called.
	Learnt map[budget.Endpoint]float64
	Paused time.Duration
	// Slow: somebody has waited long for a turn.
	Slow bool
	// LookWait is how long beyond the interval somebody has waited for a look in the background.
	LookWait time.Duration
	// Objects are all that stand for the organization.
	Objects []types.NamespacedName
}

// View returns what is known for an Organization object.
func (a *Organizations) View(object types.NamespacedName) View {
	a.mu.Lock()
	l, o, book := a.links[object], a.of(object), a.ledgers[object]
	v := View{Status: link.Status{State: link.NoKey}}
	if o != nil {
		v.Objects = a.standingFor(o)
	}
	a.mu.Unlock()
	if l != nil {
		v.Status = l.Status()
	}
	if book != nil {
		v.Made = book.Made()
	}
	if o != nil {
		v.ReadAt, v.Counts = o.Roster().ReadAt(), o.Roster().Counts()
		v.Learnt, v.Paused = o.Links().Limiter().Learnt(), o.Links().Limiter().Paused()
		change, look := o.LongestWait()
		v.ReadErr, v.Slow, v.LookWait = o.Readings().Err(), change > patience, max(look, o.Readings().RolesLate())
	}
	return v
}

// patience is how long a change waits for its turn before that is said.
const patience = 10 * time.Second
