// Package reading keeps what is known of an organization up to date: it reads it whole again and again, lists its roles, and
// has the roles of users listed that are due. It changes nothing.
package reading

import (
	"context"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/known"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/roster"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// Edge is told which objects a reading concerns.
type Edge interface {
	// Wake has an object looked at soon: what is to be said of it may have changed.
	Wake(object client.Object)
	// WakeOrganization has an Organization object looked at after a while.
	WakeOrganization(name types.NamespacedName, after time.Duration)
}

// Sources are what a Reader reads with, and where it keeps what it read.
type Sources struct {
	Cache   *declared.Cache
	Edge    Edge
	Links   *link.Links
	Roster  *roster.Roster
	Known   *known.People
	Pending *pending.People
	Tries   *tries.Memory
	// Objects are the Organization objects that stand for the organization, whether their key is good or not.
	Objects func() []types.NamespacedName
	Log     logr.Logger
	Now     func() time.Time
	// Timeout bounds one request.
	Timeout time.Duration
}

// Reader reads one organization. It is safe for concurrent use.
type Reader struct {
	from    Sources
	catalog *catalog
	reread  chan struct{}

	mu       sync.Mutex
	nextRead time.Time
	// readFor are the requests for a whole reading that the next one answers, by object.
	readFor map[types.NamespacedName]string
	// reading are those that the reading under way answers.
	reading map[types.NamespacedName]string
	readErr error
	// rolesLate is how much longer ago than an interval the roles of somebody were listed.
	rolesLate time.Duration
}

// New returns a Reader that has read nothing yet.
func New(sources Sources) *Reader {
	return &Reader{
		from: sources, catalog: newCatalog(), reread: make(chan struct{}, 1), readFor: map[types.NamespacedName]string{},
	}
}

// Run reads until the context ends.
func (r *Reader) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { r.listWanted(ctx) })
	r.keepReading(ctx)
}

// tick is how often it is looked whether roles are to be listed again.
const tick = time.Second

// keepReading reads the organization whole, again and again, and has roles listed that are due.
func (r *Reader) keepReading(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	attempts := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.reread:
		case <-ticker.C:
		}
		for _, binding := range r.catalog.again(r.from.Now()) {
			r.from.Edge.Wake(binding)
		}
		r.listDueRoles(ctx)
		interval := r.from.Links.Interval()
		if interval == 0 || !r.due() {
			continue // no key can be used, or it is not time yet
		}
		begun := r.from.Now()
		err := r.read(ctx)
		if err == nil {
			attempts = 0
		} else {
			attempts++
		}
		again := r.ended(begun, err, interval, attempts)
		if ctx.Err() != nil {
			return
		}
		for _, name := range r.from.Objects() {
			r.from.Edge.WakeOrganization(name, 0)
		}
		if again {
			r.Soon()
		}
	}
}

func (r *Reader) due() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.from.Now().Before(r.nextRead)
}

// ended keeps what came of a reading that began at a time, and says whether the next is due at once. attempts is how many
// failed in a row.
func (r *Reader) ended(begun time.Time, err error, interval time.Duration, attempts int) (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !link.IsUnauthorized(err) {
		r.readErr = err // else it is the key's, of one object
	}
	switch {
	case err != nil:
		r.nextRead = r.from.Now().Add(tries.Reading.After(attempts - 1))
	case !r.nextRead.After(begun):
		r.nextRead = begun.Add(jittered(interval))
	}
	return !r.from.Now().Before(r.nextRead)
}

// jittered spreads an interval by 10% either way, so that organizations are not all read at once.
func jittered(interval time.Duration) time.Duration {
	return interval + time.Duration((rand.Float64()*0.2-0.1)*float64(interval)) //nolint:gosec // nothing depends on its being secret
}

// Soon has the organization read whole now.
func (r *Reader) Soon() {
	r.mu.Lock()
	r.nextRead = r.from.Now()
	r.mu.Unlock()
	select {
	case r.reread <- struct{}{}:
	default:
	}
}

// Begin has the first reading come after an interval, where whoever proved the key has read the organization just now.
func (r *Reader) Begin(interval time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.nextRead.IsZero() {
		r.nextRead = r.from.Now().Add(jittered(interval))
	}
}

// Ask has the organization read whole now, since a person asked for it on an object, and what failed tried again. The
// value is the link's Handled when that was done.
func (r *Reader) Ask(object types.NamespacedName, value string) {
	r.mu.Lock()
	l := r.from.Links.Of(object)
	asked := r.readFor[object] == value || r.reading[object] == value || l != nil && l.Status().Handled == value
	if !asked {
		r.readFor[object] = value
	}
	r.mu.Unlock()
	if !asked {
		r.Soon()
	}
}

// Leave forgets what was asked for on an object.
func (r *Reader) Leave(object types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.readFor, object)
}

// Err is why the last reading failed, unless it was for one object's key.
func (r *Reader) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.readErr
}

// read reads the organization whole, with a key of one of those who asked for it, else with the one that was used least.
func (r *Reader) read(ctx context.Context) error {
	asked := r.takeRequests()
	class := ctx
	if len(asked) == 0 {
		class = openai.InBackground(ctx)
	}
	var asker types.NamespacedName
	for name := range asked {
		asker = name
	}
	l := r.from.Links.Reader(asker)
	if l == nil {
		r.endRequests(asked, false)
		return link.ErrNoKey
	}
	reading := r.from.Roster.Begin()
	users, err := l.Client().ListUsers(class)
	if err = r.from.Links.Answered(l, err); err != nil {
		r.from.Roster.Abandon()
		r.endRequests(asked, false)
		return err
	}
	if err := r.readRoles(class, l); err != nil {
		r.from.Log.Info("the organization's roles could not be listed; tried again with the next reading", "error", err.Error())
	}
	if len(asked) > 0 {
		r.from.Roster.ExpireAssignments()
		r.from.Pending.Wake(pending.Due, true, r.from.Tries.FreeAll()...)
	}
	r.TakeOver(reading, users)
	r.endRequests(asked, true)
	return nil
}

// takeRequests are the requests for a whole reading that the one that begins now answers, by object.
func (r *Reader) takeRequests() map[types.NamespacedName]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := maps.Clone(r.readFor)
	clear(r.readFor)
	r.reading = asked
	r.nextRead = time.Time{}
	return asked
}

// endRequests notes that requests were answered, or has them answered by the next reading.
func (r *Reader) endRequests(asked map[types.NamespacedName]string, answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reading = nil
	for name, value := range asked {
		if !answered {
			if _, newer := r.readFor[name]; !newer {
				r.readFor[name] = value
			}
		} else if l := r.from.Links.Of(name); l != nil {
			l.Handled(value)
		}
	}
}
