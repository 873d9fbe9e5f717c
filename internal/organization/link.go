package organization

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// State is how far the key of an Organization object is.
type State int

const (
	// Proving: nobody knows yet which organization the key is of.
	Proving State = iota
	// Proven: the key is good, and one of the organization that the object stands for.
	Proven
	// KeyRefused: the API refused it.
	KeyRefused
	// Failed: the organization could not be read with it yet.
	Failed
	// OtherOrganization: it is a key of another organization than the object stands for.
	OtherOrganization
	// NoKey: there is none; the object says why.
	NoKey
)

// Terms are what an Organization object asks of its organization.
type Terms struct {
	Interval          time.Duration
	RequestsPerMinute int
}

// link is one Organization object's way to its organization.
type link struct {
	object     types.NamespacedName
	credential Credential
	client     *openai.Client
	changer    *openai.Changer
	ledger     *ledger
	cancel     context.CancelFunc
	// changes counts what may change who stands for which organization.
	changes *atomic.Int64

	mu    sync.Mutex
	terms Terms
	state State
	err   error
	// pair is what the key was found to be of; with OtherOrganization not the object's.
	pair    Pair
	handled string
	usedAt  time.Time
	// provedAt is when the key was tried last; asked is what a person asked for that with.
	provedAt time.Time
	asked    string
}

func (l *link) usable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == Proven
}

// handledLast is the last request for a whole reading that was answered.
func (l *link) handledLast() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.handled
}

func (l *link) set(state State, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.state
	l.state, l.err = state, err
	if matters := func(s State) bool { return s == Proven || s == OtherOrganization }; before != state && (matters(before) || matters(state)) && l.changes != nil {
		l.changes.Add(1)
	}
}

func (l *link) count(verb plan.Verb) { l.ledger.count(verb) }

// ledger counts what rollcall did for one Organization object. It lives as long as the object, whatever becomes of the key.
type ledger struct {
	mu   sync.Mutex
	made map[plan.Verb]int
}

func newLedger() *ledger {
	// A counter that is there from the start shows its first increase too.
	return &ledger{made: map[plan.Verb]int{plan.Update: 0, plan.Remove: 0, plan.Assign: 0, plan.Unassign: 0}}
}

func (l *ledger) count(verb plan.Verb) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made[verb]++
}

// answered notes an answer to a call with the link's key, and returns the error to go on with. An answer of another
// organization is none: the key, or what is behind the address, is not what it was.
func (o *Organization) answered(l *link, err error) error {
	l.mu.Lock()
	l.usedAt = o.now()
	l.mu.Unlock()
	if id := l.client.OrganizationID(); o.pair.ID != "" && id != "" && id != o.pair.ID {
		l.mu.Lock()
		l.pair = Pair{o.pair.Address, id}
		l.mu.Unlock()
		l.set(OtherOrganization, nil)
		o.setCeiling()
		o.edge.WakeOrganization(l.object, 0)
		return errNoKey
	}
	if err != nil && isUnauthorized(err) {
		o.refused(l, err)
	}
	return err
}

// refused notes that the API refused the key: nobody uses it until the Organization controller has looked at the Secret
// and it was proven again.
func (o *Organization) refused(l *link, err error) {
	if err == errNoKey || !l.usable() { //nolint:errorlint // it is never wrapped
		return
	}
	l.set(KeyRefused, err)
	o.setCeiling()
	o.edge.WakeOrganization(l.object, 0)
	o.edge.WakeObjects(l.object)
}
