// Package registry knows of which live organization the key of each Organization object is, and has each organization act
// once, whoever stands for it.
package registry

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/organization"
)

// Organizations are all live organizations that Organization objects stand for. It is safe for concurrent use.
type Organizations struct {
	world     organization.World
	api       *openai.Metrics
	transport http.RoundTripper

	mu       sync.Mutex
	running  context.Context //nolint:containedctx // the time in which it acts; nothing is done before or after
	stopped  bool
	loops    sync.WaitGroup
	links    map[types.NamespacedName]*key
	byPair   map[link.Pair]*organization.Organization
	noted    map[types.NamespacedName]link.Pair // what the status of each object says
	ledgers  map[types.NamespacedName]*link.Ledger
	starting []func()
	// stop ends an organization. emptySince is when the last object went that stood for it.
	stop       map[*organization.Organization]context.CancelFunc
	emptySince map[*organization.Organization]time.Time
	// objects has those that stand for each organization, as they were after so many changes.
	objects   map[*organization.Organization][]types.NamespacedName
	objectsAt int64
	// changes counts what may change that.
	changes atomic.Int64
}

// Options are what Organizations need.
type Options struct {
	Cache *declared.Cache
	// Live reads past the cache.
	Live client.Reader
	Edge organization.Edge
	// Registry is where metrics are registered; nil: nowhere.
	Registry prometheus.Registerer
	Log      logr.Logger
	Now      func() time.Time
	// RequestTimeout bounds one request. 0: 30 s.
	RequestTimeout time.Duration
	// Linger is how long after a start requests of a manager before this one may still land. 0: 60 s; negative: not at all,
	// as where leader election sees to it.
	Linger time.Duration
	// Transport carries the requests to the organizations. nil: connections of each client's own.
	Transport http.RoundTripper
}

// New returns no organizations yet.
func New(options Options) *Organizations {
	w := organization.World{
		Cache: options.Cache, Live: options.Live, Edge: options.Edge, Looks: organization.NewMetrics(options.Registry), Log: options.Log, Now: options.Now,
		Timeout: cmp.Or(options.RequestTimeout, 30*time.Second),
	}
	if linger := cmp.Or(options.Linger, time.Minute); linger > 0 {
		w.LandedBy = w.Now().Add(linger)
	}
	if (w.Log == logr.Logger{}) {
		w.Log = logr.Discard()
	}
	return &Organizations{
		world: w, api: openai.NewMetrics(options.Registry), transport: options.Transport,
		links: map[types.NamespacedName]*key{}, byPair: map[link.Pair]*organization.Organization{},
		noted: map[types.NamespacedName]link.Pair{}, ledgers: map[types.NamespacedName]*link.Ledger{},
		stop: map[*organization.Organization]context.CancelFunc{}, emptySince: map[*organization.Organization]time.Time{},
	}
}

// NeedLeaderElection says that only the manager that acts has organizations.
func (a *Organizations) NeedLeaderElection() bool { return true }

// Start acts until the context ends, and returns when all changes that were sent have ended.
func (a *Organizations) Start(ctx context.Context) error {
	a.mu.Lock()
	a.running = ctx
	starting := a.starting
	a.starting = nil
	a.mu.Unlock()
	for _, start := range starting {
		start()
	}
	<-ctx.Done()
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	a.loops.Wait()
	return nil
}

// start runs the function while the organizations act, and not after. a.mu is held.
func (a *Organizations) start(run func(ctx context.Context)) {
	switch {
	case a.stopped:
	case a.running == nil:
		a.starting = append(a.starting, func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.start(run)
		})
	default:
		ctx := a.running
		a.loops.Go(func() { run(ctx) })
	}
}

// Connect gives an Organization object the credential that its Secret holds now. noted is what its status says it stands
// for. A credential changes nothing before a reading with it has shown its organization.
// A key that was refused is proven again once in a while, and at once when a person asks for it: asked is what they asked
// with last.
func (a *Organizations) Connect(object types.NamespacedName, credential link.Credential, terms link.Terms, noted link.Pair, asked string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.links[object]
	if known != nil && known.Credential() == credential {
		changed := known.SetTerms(terms)
		again := asked != known.asked
		known.asked = asked
		if o := a.of(object); o != nil && changed {
			o.Links().SetCeiling()
			o.Readings().Soon()
		}
		if known.useless(again) && (again || a.world.Now().Sub(known.provedAt) >= provesAgain) {
			a.prove(known, noted)
		}
		return nil
	}
	// A budget of its own until it is proven: the status may speak of another address, or of a key that is no more.
	client, err := a.client(object, credential, budget.NewLimiter(terms.RequestsPerMinute))
	a.disconnect(object)
	if err != nil {
		return err
	}
	l := &key{Link: link.New(object, credential, client, terms, a.ledger(object), &a.changes), asked: asked}
	a.links[object] = l
	a.changes.Add(1)
	if o := a.of(object); o != nil {
		a.join(o, l)
	}
	a.prove(l, noted)
	return nil
}

// client returns a client for an object, which shares a budget.
func (a *Organizations) client(object types.NamespacedName, credential link.Credential, limiter *budget.Limiter) (*openai.Client, error) {
	return credential.Client(openai.Config{
		Limiter: limiter, Timeout: a.world.Timeout, Metrics: a.api, MetricsLabel: object.String(), Transport: a.transport,
	})
}

// Suspend notes that an Organization object has no key that can be used. What it declares stays declared.
func (a *Organizations) Suspend(object types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.disconnect(object)
}

// disconnect takes the key from an object. a.mu is held.
func (a *Organizations) disconnect(object types.NamespacedName) {
	l := a.links[object]
	if l == nil {
		return
	}
	if l.cancel != nil {
		l.cancel()
	}
	was := l.Usable()
	l.Set(link.NoKey, nil)
	l.Client().CloseIdleConnections()
	delete(a.links, object)
	a.changes.Add(1)
	if o := a.of(object); o != nil {
		o.Links().Leave(object)
		o.Readings().Leave(object)
	}
	if was {
		a.world.Edge.WakeObjects(object)
	}
}

// Forget drops all that is kept of an Organization object that is gone.
func (a *Organizations) Forget(object types.NamespacedName) {
	a.mu.Lock()
	o := a.of(object)
	a.disconnect(object)
	delete(a.noted, object)
	delete(a.ledgers, object)
	a.api.DeleteOrganization(object.String())
	a.world.Looks.DeleteOrganization(object.String())
	a.changes.Add(1)
	if o != nil && len(a.standingFor(o)) == 0 {
		a.emptyFrom(o)
	}
	a.mu.Unlock()
	a.world.Edge.WakeObjects(object)
	if o != nil {
		o.WakeEverybody()
	}
}

// Noted keeps for which organization an object stands by its status.
func (a *Organizations) Noted(object types.NamespacedName, pair link.Pair) {
	a.mu.Lock()
	before := a.noted[object]
	if pair.ID != "" && before != pair {
		a.noted[object] = pair
		a.changes.Add(1)
	}
	o := a.byPair[pair]
	a.mu.Unlock()
	if o != nil && before != pair {
		o.WakeEverybody()
	}
}

// of is the organization that an object stands for: by its key, else by what its status says. a.mu is held.
func (a *Organizations) of(object types.NamespacedName) *organization.Organization {
	if l := a.links[object]; l != nil {
		status := l.Status()
		if o := a.byPair[status.Pair]; o != nil && status.State != link.OtherOrganization {
			return o
		}
	}
	return a.byPair[a.noted[object]]
}

// Of is the organization that an object stands for, or nil while that is not known.
func (a *Organizations) Of(object types.NamespacedName) *organization.Organization {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of(object)
}

// Usable is Of where the object's key is good, else nil.
func (a *Organizations) Usable(object types.NamespacedName) *organization.Organization {
	o := a.Of(object)
	if o == nil || !o.Links().Acts(object) {
		return nil
	}
	return o
}

func (a *Organizations) ledger(object types.NamespacedName) *link.Ledger {
	if a.ledgers[object] == nil {
		a.ledgers[object] = link.NewLedger()
	}
	return a.ledgers[object]
}
