// Package link is the way of Organization objects to the organization that they stand for: their keys, how far each is
// proven, and which of them a call may use.
package link

import (
	"maps"
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

// Link is one Organization object's way to its organization. It is safe for concurrent use.
type Link struct {
	object     types.NamespacedName
	credential Credential
	ledger     *Ledger
	// changes counts what may change who stands for which organization.
	changes *atomic.Int64

	mu     sync.Mutex
	client *openai.Client
	terms  Terms
	status Status
	usedAt time.Time
}

// Status is what is known of a link.
type Status struct {
	State State
	Err   error
	// Pair is what the key was found to be of; with OtherOrganization not the object's.
	Pair Pair
	// Handled is the last request for a whole reading that was answered.
	Handled string
}

// New returns the link of an object whose key is not proven yet. changes is counted up whenever it may stand for another
// organization than before.
func New(object types.NamespacedName, credential Credential, client *openai.Client, terms Terms, ledger *Ledger, changes *atomic.Int64) *Link {
	return &Link{object: object, credential: credential, client: client, terms: terms, ledger: ledger, changes: changes}
}

// Object is the Organization object.
func (l *Link) Object() types.NamespacedName { return l.object }

// Credential is what the object's Secret holds.
func (l *Link) Credential() Credential { return l.credential }

// Ledger counts what was done for the object.
func (l *Link) Ledger() *Ledger { return l.ledger }

// Client calls with the key.
func (l *Link) Client() *openai.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client
}

// SetClient has calls go out by another client, of the same key.
func (l *Link) SetClient(client *openai.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client.CloseIdleConnections()
	l.client = client
}

// SetTerms keeps what the object asks for now, and says whether that is something else than before.
func (l *Link) SetTerms(terms Terms) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed = l.terms != terms
	l.terms = terms
	return changed
}

// Terms are what the object asks for.
func (l *Link) Terms() Terms {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.terms
}

// Status is what is known of the link now.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Usable says whether calls may go out with the key.
func (l *Link) Usable() bool { return l.Status().State == Proven }

// Set keeps how far the key is, and why not farther.
func (l *Link) Set(state State, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.status.State
	l.status.State, l.status.Err = state, err
	matters := func(s State) bool { return s == Proven || s == OtherOrganization }
	if before != state && (matters(before) || matters(state)) {
		l.changes.Add(1)
	}
}

// Found keeps of which organization the key was found to be; the zero Pair while that is not known.
func (l *Link) Found(pair Pair) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Pair = pair
}

// Handled keeps the last request for a whole reading that was answered.
func (l *Link) Handled(request string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Handled = request
}

// Ledger counts what rollcall did for one Organization object. It lives as long as the object, whatever becomes of the key.
type Ledger struct {
	mu   sync.Mutex
	made map[plan.Verb]int
}

// NewLedger returns the Ledger of an object for which nothing was done yet.
func NewLedger() *Ledger {
	// A counter that is there from the start shows its first increase too.
	return &Ledger{made: map[plan.Verb]int{plan.Update: 0, plan.Remove: 0, plan.Assign: 0, plan.Unassign: 0}}
}

// Count counts a change.
func (l *Ledger) Count(verb plan.Verb) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made[verb]++
}

// Made is how many changes were made, by verb.
func (l *Ledger) Made() map[plan.Verb]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.made)
}
