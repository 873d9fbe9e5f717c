package controller

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

// organization is one live organization. Organization objects that use one key, or whose keys the API says
// belong to one organization, share it, whatever their namespace.
type organization struct {
	roster  *roster.Roster
	limiter *openai.Limiter
	// alone holds a token while a removal or a change of an owner is under way.
	alone chan struct{}
}

// exclusively runs the function while no other removal or change of an owner is under way.
func (o *organization) exclusively(ctx context.Context, run func() error) error {
	select {
	case o.alone <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-o.alone }()
	return run()
}

// connection is one Organization object's way to its organization.
type connection struct {
	*organization
	ledger         *ledger
	object         types.NamespacedName // the Organization object
	api            *openai.Client
	changes        *openai.Changer
	credential     credential
	organizationID string // as the API gives it; "" before the first reading

	terms
	nextReading time.Time // zero: now
	observeOnly bool      // the mode, as an object's reconcile found it
	// sighted counts the whole readings in a row that found a step to be due for what is undeclared, up to the
	// reading that began at sightedAt.
	sighted   map[plan.Target]int
	sightedAt time.Time
	refusedAt time.Time // when the API last refused the key
	changed   bool      // the terms changed: all objects are to be looked at
	ready     bool      // read whole, and the key was not refused since
}

// Event tells a controller which of an Organization's objects to look at.
type Event struct {
	Organization types.NamespacedName
	// All: every object. Otherwise those of the Keys' users and, with Unsettled, those that are not ready.
	All       bool
	Unsettled bool
	Keys      []roster.Key
}

// Connections keeps the way from each Organization object to its organization. It is safe for concurrent
// use.
type Connections struct {
	now func() time.Time

	mu          sync.Mutex
	byObject    map[types.NamespacedName]*connection
	ledgers     map[types.NamespacedName]*ledger
	subscribers []func(Event)
	// look asks the Organization controller to look at an object again after a while.
	look func(types.NamespacedName, time.Duration)
}

// NewConnections returns no connections yet.
func NewConnections(now func() time.Time) *Connections {
	return &Connections{
		now: now, byObject: map[types.NamespacedName]*connection{}, ledgers: map[types.NamespacedName]*ledger{},
		look: func(types.NamespacedName, time.Duration) {},
	}
}

// Subscribe has the function told of every Event. It must not block.
func (c *Connections) Subscribe(tell func(Event)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers = append(c.subscribers, tell)
}

// OnLook has the function told of each Organization object that is to be looked at again, and after how
// long: its key was refused, or its people are to be counted. It must not block.
func (c *Connections) OnLook(look func(types.NamespacedName, time.Duration)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look = look
}

// countDelay gathers changes that come together into one count.
const countDelay = 3 * time.Second

// Recount has the Organization objects of the organization count its people soon: rollcall changed a role.
func (c *Connections) Recount(conn *connection) {
	c.mu.Lock()
	look := c.look
	c.mu.Unlock()
	for _, object := range c.objectsOf(conn.organization, true) {
		look(object, countDelay)
	}
}

// For returns the connection of an Organization object, or false while its organization has not been read
// whole or its key is refused.
func (c *Connections) For(object types.NamespacedName) (*connection, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, ok := c.byObject[object]
	if !ok || !conn.ready {
		return nil, false
	}
	copied := *conn
	return &copied, true
}

// terms are what an Organization object asks of its connection.
type terms struct {
	interval          time.Duration
	requestsPerMinute int
	// generation has the objects looked at again when anything in the spec changes: the mode or the guard may.
	generation int64
}

// Connect returns the connection of an Organization object, a new one if the credential changed.
// The client is made with the limiter that it is to use.
func (c *Connections) Connect(object types.NamespacedName, cred credential, t terms) (*connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, ok := c.byObject[object]
	if !ok || conn.credential != cred {
		shared := c.sharedBy(cred)
		if shared == nil {
			shared = c.newOrganization(t.requestsPerMinute)
		}
		client, err := cred.client(shared.limiter)
		if err != nil {
			delete(c.byObject, object)
			return nil, err
		}
		if ok {
			conn.api.CloseIdleConnections()
		}
		conn = &connection{organization: shared, ledger: c.ledger(object), object: object, api: client, changes: openai.NewChanger(client), credential: cred}
		c.byObject[object] = conn
	}
	if conn.terms != t {
		conn.nextReading, conn.changed = time.Time{}, true
	}
	conn.terms = t
	c.limit(conn.organization)
	copied := *conn
	return &copied, nil
}

func (c *Connections) sharedBy(cred credential) *organization {
	for _, conn := range c.byObject {
		if conn.credential.sameKey(cred) {
			return conn.organization
		}
	}
	return nil
}

func (c *Connections) newOrganization(requestsPerMinute int) *organization {
	org := &organization{limiter: openai.NewLimiter(requestsPerMinute), alone: make(chan struct{}, 1)}
	org.roster = roster.New(c.now, func(keys []roster.Key) {
		for _, object := range c.objectsOf(org, true) {
			c.tell(Event{Organization: object, Keys: keys})
		}
	})
	return org
}

// limit holds an organization to the lowest ceiling that its objects ask for. c.mu is held.
func (c *Connections) limit(org *organization) {
	lowest := 0
	for _, conn := range c.byObject {
		if conn.organization == org && (lowest == 0 || conn.requestsPerMinute < lowest) {
			lowest = conn.requestsPerMinute
		}
	}
	if lowest > 0 {
		org.limiter.SetRequestsPerMinute(lowest)
	}
}

// Unite makes the object share the organization of another whose key the API says belongs to the same one.
func (c *Connections) Unite(object types.NamespacedName) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.byObject[object]
	if conn == nil {
		return nil
	}
	conn.organizationID = conn.api.OrganizationID()
	if conn.organizationID == "" {
		return nil
	}
	for _, other := range c.byObject {
		if other.organization == conn.organization || !other.ready ||
			other.credential.baseURL != conn.credential.baseURL || other.organizationID != conn.organizationID {
			continue
		}
		client, err := conn.credential.client(other.limiter)
		if err != nil {
			return err
		}
		conn.organization, conn.api, conn.changes = other.organization, client, openai.NewChanger(client)
		c.limit(other.organization)
		return nil
	}
	return nil
}

// Due says whether the organization is to be read now, and otherwise how long that has time.
func (c *Connections) Due(object types.NamespacedName) (bool, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.byObject[object]
	if conn == nil || !conn.ready || conn.nextReading.IsZero() {
		return true, 0
	}
	wait := conn.nextReading.Sub(c.now())
	return wait <= 0, wait
}

// Read notes a whole reading, has the next one come after the wait, and tells those who waited for it.
func (c *Connections) Read(object types.NamespacedName, wait time.Duration) {
	c.mu.Lock()
	conn := c.byObject[object]
	if conn == nil {
		c.mu.Unlock()
		return
	}
	first := !conn.ready || conn.changed
	conn.ready, conn.changed = true, false
	conn.nextReading = c.now().Add(wait)
	c.mu.Unlock()
	c.tell(Event{Organization: object, All: first, Unsettled: true})
}

// Nudge has the objects of the organization looked at that are not ready: what held them may have gone.
func (c *Connections) Nudge(conn *connection) {
	for _, object := range c.objectsOf(conn.organization, true) {
		c.Announce(object)
	}
}

// Announce has the objects of an Organization object looked at that are not ready: what came of its first
// reading can be said now.
func (c *Connections) Announce(object types.NamespacedName) {
	c.tell(Event{Organization: object, Unsettled: true})
}

// Refuse notes that the API refused the key, so that nobody uses it until the Organization controller has
// looked at the Secret and the API again. One look serves all who were refused; it is made at once, but for a key
// that was refused a moment ago and found good since.
func (c *Connections) Refuse(refused *connection) {
	c.mu.Lock()
	objects, now := map[types.NamespacedName]time.Duration{}, c.now()
	for object, conn := range c.byObject {
		if conn.credential.sameKey(refused.credential) && conn.ready {
			conn.ready = false
			objects[object] = 0
			if now.Sub(conn.refusedAt) < 2*secretPoll {
				// The key may read but not change: looking at once would find it good, and go round for ever.
				objects[object] = secretPoll
			}
			conn.refusedAt = now
		}
	}
	look := c.look
	c.mu.Unlock()
	for object, wait := range objects {
		look(object, wait)
	}
}

// Suspend keeps the object's connection from being used until the next reading.
func (c *Connections) Suspend(object types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.byObject[object]; conn != nil {
		conn.ready = false
	}
}

// Forget drops the connection of an Organization object that is gone, and has those of its objects looked at
// that waited for something: what is being deleted has nothing to wait for any more.
func (c *Connections) Forget(object types.NamespacedName) {
	c.mu.Lock()
	if conn := c.byObject[object]; conn != nil {
		conn.api.CloseIdleConnections()
	}
	delete(c.byObject, object)
	delete(c.ledgers, object)
	c.mu.Unlock()
	c.tell(Event{Organization: object, Unsettled: true})
}

// Siblings returns the Organization objects that are connected with an organization, the given one among them,
// sorted. finder.siblings has those too that are not.
func (c *Connections) Siblings(conn *connection) []types.NamespacedName {
	return c.objectsOf(conn.organization, false)
}

func (c *Connections) objectsOf(org *organization, readyOnly bool) []types.NamespacedName {
	c.mu.Lock()
	defer c.mu.Unlock()
	var objects []types.NamespacedName
	for object, conn := range c.byObject {
		if conn.organization == org && (conn.ready || !readyOnly) {
			objects = append(objects, object)
		}
	}
	slices.SortFunc(objects, compareNames)
	return objects
}

// ready returns one usable connection for each organization, with the shortest interval of its objects.
func (c *Connections) ready() []*connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	byOrganization := map[*organization]*connection{}
	for _, conn := range c.byObject {
		if known := byOrganization[conn.organization]; conn.ready && (known == nil || conn.interval < known.interval) {
			copied := *conn
			byOrganization[conn.organization] = &copied
		}
	}
	var all []*connection
	for _, conn := range byOrganization {
		all = append(all, conn)
	}
	return all
}

func (c *Connections) tell(event Event) {
	c.mu.Lock()
	subscribers := slices.Clone(c.subscribers)
	c.mu.Unlock()
	for _, tell := range subscribers {
		tell(event)
	}
}

// Sighted notes which steps for what is undeclared are due, and returns those that enough whole readings in a
// row have found so. A reading counts once, however often the Organization is looked at on it.
func (c *Connections) Sighted(object types.NamespacedName, steps []plan.Step) []plan.Step {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.byObject[object]
	if conn == nil {
		return nil
	}
	readAt := conn.roster.ReadAt()
	another := !readAt.Equal(conn.sightedAt)
	again := map[plan.Target]int{}
	var ripe []plan.Step
	for _, step := range steps {
		times := conn.sighted[step.Target()]
		if another {
			times++
		}
		again[step.Target()] = times
		if times >= sightings {
			ripe = append(ripe, step)
		}
	}
	conn.sighted, conn.sightedAt = again, readAt
	return ripe
}
