package link

import (
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

// Edge is told of keys that cannot be used any more.
type Edge interface {
	// WakeOrganization has an Organization object looked at after a while.
	WakeOrganization(name types.NamespacedName, after time.Duration)
	// WakeObjects has all objects of an Organization looked at.
	WakeObjects(name types.NamespacedName)
}

// Links are all ways to one organization, good or not. They share its budget. It is safe for concurrent use.
type Links struct {
	pair    Pair
	limiter *budget.Limiter
	edge    Edge
	now     func() time.Time

	mu       sync.Mutex
	byObject map[types.NamespacedName]*Link
}

// NewLinks returns no way yet to an organization that has a budget.
func NewLinks(pair Pair, limiter *budget.Limiter, edge Edge, now func() time.Time) *Links {
	return &Links{pair: pair, limiter: limiter, edge: edge, now: now, byObject: map[types.NamespacedName]*Link{}}
}

// Limiter is the budget.
func (s *Links) Limiter() *budget.Limiter { return s.limiter }

// Join adds an Organization object.
func (s *Links) Join(l *Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byObject[l.object] = l
}

// Leave takes an Organization object out.
func (s *Links) Leave(object types.NamespacedName) {
	s.mu.Lock()
	delete(s.byObject, object)
	s.mu.Unlock()
	s.SetCeiling()
}

// Of is the link of an object; nil if it has none.
func (s *Links) Of(object types.NamespacedName) *Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byObject[object]
}

// Usable is the link of an object if its key is good, and one of this organization; else nil.
func (s *Links) Usable(object types.NamespacedName) *Link {
	if l := s.Of(object); l != nil && l.Usable() {
		return l
	}
	return nil
}

// Acts says whether the key of an object is good, and one of this organization.
func (s *Links) Acts(object types.NamespacedName) bool { return s.Usable(object) != nil }

// Reader returns a link whose key is good: the one asked for, else the one that was used least lately, else nil.
func (s *Links) Reader(wanted types.NamespacedName) *Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.byObject[wanted]; l != nil && l.Usable() {
		return l
	}
	var found *Link
	for _, l := range s.byObject {
		if l.Usable() && (found == nil || l.used().Before(found.used())) {
			found = l
		}
	}
	return found
}

func (l *Link) used() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usedAt
}

// AnyUsable says whether any key is good.
func (s *Links) AnyUsable() bool { return s.Reader(types.NamespacedName{}) != nil }

// SetCeiling holds the organization to the lowest ceiling that its objects ask for.
func (s *Links) SetCeiling() {
	lowest := 0
	for _, terms := range s.terms() {
		if n := terms.RequestsPerMinute; lowest == 0 || n < lowest {
			lowest = n
		}
	}
	if lowest > 0 {
		s.limiter.SetRequestsPerMinute(lowest)
	}
}

// Interval is how often the organization is read: as often as the object asks that asks most. 0: no key is good.
func (s *Links) Interval() time.Duration {
	shortest := time.Duration(0)
	for _, terms := range s.terms() {
		if shortest == 0 || terms.Interval < shortest {
			shortest = terms.Interval
		}
	}
	return shortest
}

// terms are those of the objects whose keys are good.
func (s *Links) terms() []Terms {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Terms
	for _, l := range s.byObject {
		if l.Usable() {
			all = append(all, l.Terms())
		}
	}
	return all
}

// Answered notes an answer to a call with the link's key, and returns the error to go on with. An answer of another
// organization is none: the key, or what is behind the address, is not what it was.
func (s *Links) Answered(l *Link, err error) error {
	l.mu.Lock()
	l.usedAt = s.now()
	l.mu.Unlock()
	if id := l.Client().OrganizationID(); s.pair.ID != "" && id != "" && id != s.pair.ID {
		l.Found(Pair{s.pair.Address, id})
		l.Set(OtherOrganization, nil)
		s.SetCeiling()
		s.edge.WakeOrganization(l.object, 0)
		return ErrNoKey
	}
	if err != nil && IsUnauthorized(err) {
		s.Refused(l, err)
	}
	return err
}

// Refused notes that the API refused the key: nobody uses it until the Organization controller has looked at the Secret
// and it was proven again.
func (s *Links) Refused(l *Link, err error) {
	if err == ErrNoKey || !l.Usable() { //nolint:errorlint // it is never wrapped
		return
	}
	l.Set(KeyRefused, err)
	s.SetCeiling()
	s.edge.WakeOrganization(l.object, 0)
	s.edge.WakeObjects(l.object)
}

// keyError says that no key can be used.
type keyError struct{}

func (keyError) Error() string { return "no admin key of the organization can be used at the moment" }

// ErrNoKey says that no key can be used.
var ErrNoKey error = keyError{}

// IsUnauthorized says whether the API refused the key itself. A 403 is about what the key may do, and may hold for one
// call only, so that it does not keep the whole organization from being managed.
func IsUnauthorized(err error) bool {
	if err == ErrNoKey { //nolint:errorlint // it is never wrapped
		return true
	}
	apiError, ok := openai.AsError(err)
	return ok && apiError.Status == http.StatusUnauthorized
}
