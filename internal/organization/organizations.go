package organization

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// Organizations are all live organizations that Organization objects stand for. It is safe for concurrent use.
type Organizations struct {
	*world

	mu       sync.Mutex
	running  context.Context //nolint:containedctx // the time in which it acts; nothing is done before or after
	stopped  bool
	loops    sync.WaitGroup
	links    map[types.NamespacedName]*link
	byPair   map[Pair]*Organization
	noted    map[types.NamespacedName]Pair // what the status of each object says
	ledgers  map[types.NamespacedName]*ledger
	starting []func()
	// objects has those that stand for each organization, as they were after so many changes.
	objects   map[*Organization][]types.NamespacedName
	objectsAt int64
	// changes counts what may change that.
	changes atomic.Int64
}

// New returns no organizations yet.
func New(options Options) *Organizations {
	w := &world{
		cache: options.Cache, live: options.Live, edge: options.Edge, api: options.Metrics, metrics: options.Looks,
		log: options.Log, now: options.Now, timeout: options.RequestTimeout, linger: options.Linger, began: options.Now(), turnGroup: &sync.WaitGroup{},
		transport: options.Transport,
	}
	if w.timeout == 0 {
		w.timeout = 30 * time.Second
	}
	if w.linger == 0 {
		w.linger = time.Minute
	}
	if (w.log == logr.Logger{}) {
		w.log = logr.Discard()
	}
	all := &Organizations{
		world: w, links: map[types.NamespacedName]*link{}, byPair: map[Pair]*Organization{},
		noted: map[types.NamespacedName]Pair{}, ledgers: map[types.NamespacedName]*ledger{},
	}
	w.standing = all.objectsOf
	w.spawn = func(run func(context.Context)) {
		all.mu.Lock()
		defer all.mu.Unlock()
		all.start(run)
	}
	return all
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
	// No turn begins once the loops have ended.
	a.loops.Wait()
	a.turnGroup.Wait()
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
func (a *Organizations) Connect(object types.NamespacedName, credential Credential, terms Terms, noted Pair, asked string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.links[object]
	if known != nil && known.credential == credential {
		known.mu.Lock()
		changed := known.terms != terms
		known.terms = terms
		useless := known.state == KeyRefused || known.state == OtherOrganization || known.state == Failed && asked != known.asked
		retry := useless && (asked != known.asked || a.now().Sub(known.provedAt) >= provesAgain)
		known.asked = asked
		known.mu.Unlock()
		if o := a.of(object); o != nil && changed {
			o.setCeiling()
			o.readNow()
		}
		if retry {
			a.prove(known, noted)
		}
		return nil
	}
	// A budget of its own until it is proven: the status may speak of another address, or of a key that is no more.
	client, err := credential.client(a.world, openai.NewLimiter(terms.RequestsPerMinute), object.String())
	if err != nil {
		a.disconnect(object)
		return err
	}
	a.disconnect(object)
	l := &link{object: object, credential: credential, client: client, changer: openai.NewChanger(client), terms: terms, ledger: a.ledger(object), asked: asked, changes: &a.changes}
	a.links[object] = l
	a.changes.Add(1)
	if o := a.of(object); o != nil {
		o.join(l)
	}
	a.prove(l, noted)
	return nil
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
	was := l.usable()
	l.set(NoKey, nil)
	l.client.CloseIdleConnections()
	delete(a.links, object)
	a.changes.Add(1)
	if o := a.of(object); o != nil {
		o.leave(object)
		o.setCeiling()
	}
	if was {
		a.edge.WakeObjects(object)
	}
}

// Forget drops all that is kept of an Organization object that is gone.
func (a *Organizations) Forget(object types.NamespacedName) {
	a.mu.Lock()
	o := a.of(object)
	a.disconnect(object)
	delete(a.noted, object)
	delete(a.ledgers, object)
	a.changes.Add(1)
	if o != nil && len(a.standingFor(o)) == 0 {
		o.emptyFrom(a.now())
	}
	a.mu.Unlock()
	a.edge.WakeObjects(object)
	if o != nil {
		o.wakeEverybody()
	}
}

// Noted keeps for which organization an object stands by its status.
func (a *Organizations) Noted(object types.NamespacedName, pair Pair) {
	a.mu.Lock()
	before := a.noted[object]
	if pair.ID != "" && before != pair {
		a.noted[object] = pair
		a.changes.Add(1)
	}
	o := a.byPair[pair]
	a.mu.Unlock()
	if o != nil && before != pair {
		o.wakeEverybody()
	}
}

// of is the organization that an object stands for: by its key, else by what its status says. a.mu is held.
func (a *Organizations) of(object types.NamespacedName) *Organization {
	if l := a.links[object]; l != nil {
		l.mu.Lock()
		pair, state := l.pair, l.state
		l.mu.Unlock()
		if o := a.byPair[pair]; o != nil && state != OtherOrganization {
			return o
		}
	}
	return a.byPair[a.noted[object]]
}

// Of is the organization that an object stands for, or nil while that is not known.
func (a *Organizations) Of(object types.NamespacedName) *Organization {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of(object)
}

// Usable is Of where the object's key is good, else nil.
func (a *Organizations) Usable(object types.NamespacedName) *Organization {
	o := a.Of(object)
	if o == nil || !o.acts(object) {
		return nil
	}
	return o
}

// objectsOf returns the Organization objects that stand for an organization, sorted: those with a key of it, those of
// which the status says so, and those with the very key of one of these.
func (a *Organizations) objectsOf(_ context.Context, o *Organization) []types.NamespacedName {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.standingFor(o)
}

func (a *Organizations) standingFor(o *Organization) []types.NamespacedName {
	if changes := a.changes.Load(); a.objects == nil || a.objectsAt != changes {
		a.objects, a.objectsAt = a.allStanding(), changes
	}
	return slices.Clone(a.objects[o])
}

// allStanding finds out for which organization each object stands. a.mu is held.
func (a *Organizations) allStanding() map[*Organization][]types.NamespacedName {
	standing := map[*Organization][]types.NamespacedName{}
	keys := map[Credential][]*Organization{}
	for name, l := range a.links {
		o := a.of(name)
		if o == nil {
			continue
		}
		standing[o] = append(standing[o], name)
		if l.usable() && !slices.Contains(keys[l.credential], o) {
			keys[l.credential] = append(keys[l.credential], o)
		}
	}
	for name, pair := range a.noted {
		if o := a.byPair[pair]; o != nil && a.links[name] == nil {
			standing[o] = append(standing[o], name)
		}
	}
	for name, l := range a.links {
		if a.of(name) == nil {
			for _, o := range keys[l.credential] {
				standing[o] = append(standing[o], name)
			}
		}
	}
	for _, names := range standing {
		slices.SortFunc(names, compareNames)
	}
	return standing
}

func compareNames(a, b types.NamespacedName) int {
	if a.Namespace != b.Namespace {
		if a.Namespace < b.Namespace {
			return -1
		}
		return 1
	}
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

func (a *Organizations) ledger(object types.NamespacedName) *ledger {
	if a.ledgers[object] == nil {
		a.ledgers[object] = newLedger()
	}
	return a.ledgers[object]
}

// prove begins to find out which organization a key is of. a.mu is held.
func (a *Organizations) prove(l *link, noted Pair) {
	l.set(Proving, nil)
	l.mu.Lock()
	l.provedAt, l.pair = a.now(), Pair{} // what it was found to be of last may not be what the object stands for
	l.mu.Unlock()
	if l.cancel != nil {
		l.cancel()
	}
	stop := make(chan struct{})
	var once sync.Once
	l.cancel = func() { once.Do(func() { close(stop) }) }
	a.start(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-stop:
				cancel()
			case <-ctx.Done():
			}
		}()
		a.proveUntilKnown(ctx, l, noted)
	})
}

// proveUntilKnown reads with the key until that shows which organization it is of, or that it is refused.
func (a *Organizations) proveUntilKnown(ctx context.Context, l *link, noted Pair) {
	for attempt := 0; ; attempt++ {
		err := a.proveOnce(ctx, l, noted)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			return
		case isUnauthorized(err):
			l.set(KeyRefused, err)
		default:
			l.set(Failed, err)
		}
		a.edge.WakeOrganization(l.object, 0)
		if isUnauthorized(err) || openai.IsRejected(err) || openai.IsUnauthorized(err) {
			if isUnauthorized(err) {
				return // the Organization controller looks at the Secret again, and has it proven again
			}
			attempt = max(attempt, longWait)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(tries.Reading.After(attempt)):
		}
	}
}

// provesAgain is how long after a key was tried it is tried again, though it was refused.
const provesAgain = 30 * time.Second

// longWait is the attempt from which on an organization that cannot be read is asked each half minute and rarer.
const longWait = 6

// proveOnce reads the organization whole, unless it is known which it is and it was read already: then one page is enough.
func (a *Organizations) proveOnce(ctx context.Context, l *link, noted Pair) error {
	a.mu.Lock()
	expected := a.byPair[Pair{l.credential.address(), noted.ID}]
	a.mu.Unlock()
	begun := a.now()
	if noted.ID != "" && expected != nil && !expected.roster.ReadAt().IsZero() {
		if _, err := l.client.ListRoles(ctx); err != nil {
			return err
		}
		if l.client.OrganizationID() == noted.ID {
			a.attach(l, noted, expected.pair, nil, begun)
			return nil
		}
	}
	users, err := l.client.ListUsers(ctx)
	if err != nil {
		return err
	}
	pair := Pair{l.credential.address(), l.client.OrganizationID()}
	if pair.ID == "" {
		pair.ID = unnamed + l.object.String() // nothing is shared where the address gives no ID
	}
	a.attach(l, noted, pair, users, begun)
	return nil
}

// unnamed begins the ID of an organization to which the address gives none.
const unnamed = "object:"

// IsGiven says whether an ID is one that an address gave.
func IsGiven(id string) bool { return id != "" && !strings.HasPrefix(id, unnamed) }

// attach makes the object one of its organization's, whose key is proven.
func (a *Organizations) attach(l *link, noted, pair Pair, users []openai.User, begun time.Time) {
	a.mu.Lock()
	if a.links[l.object] != l {
		a.mu.Unlock()
		return // another key came meanwhile
	}
	l.mu.Lock()
	l.pair = pair
	l.mu.Unlock()
	if other := noted.ID != "" && (noted.ID != pair.ID || noted.Address != "" && noted.Address != pair.Address); other {
		l.set(OtherOrganization, nil)
		a.mu.Unlock()
		a.edge.WakeOrganization(l.object, 0)
		return
	}
	o := a.byPair[pair]
	if o == nil {
		o = newOrganization(a.world, pair, l.client.Limiter())
		a.byPair[pair] = o
		alive, stop := context.WithCancel(context.Background())
		o.stop = stop
		for _, run := range []func(context.Context){o.run, o.keepReading} {
			a.start(func(ctx context.Context) {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				defer context.AfterFunc(alive, cancel)()
				run(ctx)
			})
		}
	} else if l.client.Limiter() != o.limiter {
		if client, err := l.credential.client(a.world, o.limiter, l.object.String()); err == nil {
			l.client.CloseIdleConnections()
			l.client, l.changer = client, openai.NewChanger(client)
		}
	}
	a.noted[l.object] = pair
	a.changes.Add(1)
	l.set(Proven, nil)
	o.join(l)
	a.sweep()
	a.mu.Unlock()
	if users != nil {
		o.takeOver(o.roster.BeginAt(begun), users)
	}
	o.setCeiling()
	o.becameKnown(l)
	a.edge.WakeOrganization(l.object, 0)
	a.edge.WakeObjects(l.object)
}

// sweep drops organizations for which no object stands any more, once no call of theirs can be under way. a.mu is held.
func (a *Organizations) sweep() {
	stands := map[*Organization]bool{}
	for name := range a.links {
		stands[a.of(name)] = true
	}
	for name := range a.noted {
		stands[a.of(name)] = true
	}
	maps.DeleteFunc(a.byPair, func(_ Pair, o *Organization) bool {
		if stands[o] {
			return false
		}
		o.emptyFrom(a.now())
		if o.emptyFor(a.now()) <= forgetAfter {
			return false
		}
		o.stop()
		a.changes.Add(1)
		return true
	})
}

// forgetAfter is how long an organization without any object is remembered: its turns, budget and doubts outlive keys.
const forgetAfter = 10 * time.Minute

// View is what is known for one Organization object.
type View struct {
	State State
	Err   error
	// Pair is what the key was found to be of.
	Pair Pair
	// ReadAt is zero while this manager has not read the organization; ReadErr is why the last reading failed.
	ReadAt  time.Time
	ReadErr error
	Counts  roster.Counts
	// Handled is the last request for a whole reading that was answered.
	Handled string
	Made    map[plan.Verb]int
	// Learnt are the requests a minute that the organization was found to take, by call, where they are fewer than asked
	// for; Paused is how long it asked not to be called.
	Learnt map[openai.Endpoint]float64
	Paused time.Duration
	// Slow: somebody has waited long for a turn.
	Slow bool
	// Objects are all that stand for the organization.
	Objects []types.NamespacedName
}

// View returns what is known for an Organization object.
func (a *Organizations) View(object types.NamespacedName) View {
	a.mu.Lock()
	l, o, book := a.links[object], a.of(object), a.ledgers[object]
	v := View{State: NoKey}
	if o != nil {
		v.Objects = a.standingFor(o)
	}
	a.mu.Unlock()
	if l != nil {
		l.mu.Lock()
		v.State, v.Err, v.Pair, v.Handled = l.state, l.err, l.pair, l.handled
		l.mu.Unlock()
	}
	if book != nil {
		book.mu.Lock()
		v.Made = maps.Clone(book.made)
		book.mu.Unlock()
	}
	if o != nil {
		v.ReadAt, v.Counts = o.roster.ReadAt(), o.roster.Counts()
		v.Learnt, v.Paused = o.limiter.Learnt(), o.limiter.Paused()
		v.ReadErr, v.Slow = o.readError(), o.pending.Longest(a.now()) > patience
	}
	return v
}

// patience is how long a change waits for its turn before that is said.
const patience = 10 * time.Second

// PairOf is what the status of an object says it stands for.
func PairOf(org *v1alpha1.Organization) Pair {
	return Pair{org.Status.BaseURL, org.Status.OrganizationID}
}
