// Package organization acts on live organizations: it reads them, keeps them, and is the only place that changes them.
//
// An Organization is one live organization, with people, turns and a budget of its own; nothing of another is reachable
// from it. Whoever is woken is taken up: what is declared and what is observed of them goes through plan.Decide. Those
// with a step that may be made wait for a turn. A turn takes its tokens, looks at its people and at the manifests that
// they rest on, decides again on what it saw, asks the guard, counts, and calls.
package organization

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/known"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/reading"
	"github.com/rollcall-dev/rollcall/internal/roster"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// Organization is one live organization.
type Organization struct {
	world   World
	log     logr.Logger
	links   *link.Links
	limiter *budget.Limiter
	roster  *roster.Roster
	tries   *tries.Memory
	pending *pending.People
	// known are its people, readings what keeps the roster.
	known    *known.People
	readings *reading.Reader
	// objects are the Organization objects that stand for it, whether their key is good or not.
	objects func() []types.NamespacedName
	group   sync.WaitGroup // turns

	mu sync.Mutex
	// turns are those under way, choosing those of them that have nobody yet.
	turns, choosing map[queue]int
	// taking is held by the turn that takes, holding by the one that holds its people.
	taking, holding sync.Mutex
}

// New returns an organization that has a budget, for which the objects stand.
func New(w World, pair link.Pair, limiter *budget.Limiter, objects func() []types.NamespacedName) *Organization {
	o := &Organization{
		world: w, log: w.Log.WithValues("organizationID", pair.ID),
		links: link.NewLinks(pair, limiter, w.Edge, w.Now), limiter: limiter,
		roster: roster.New(w.Now), tries: tries.New(w.Now), pending: pending.New(), objects: objects,
		turns: map[queue]int{}, choosing: map[queue]int{},
	}
	o.known = known.New(known.Sources{
		Cache: w.Cache, Roster: o.roster, Tries: o.tries, Links: o.links, Objects: objects, LandedBy: w.LandedBy,
	})
	o.readings = reading.New(reading.Sources{
		Cache: w.Cache, Edge: w.Edge, Links: o.links, Roster: o.roster, Known: o.known, Pending: o.pending, Tries: o.tries,
		Objects: objects, Log: o.log, Now: w.Now, Timeout: w.Timeout,
	})
	return o
}

// Run reads and acts until the context ends, and returns when all changes that were sent have ended.
func (o *Organization) Run(ctx context.Context) {
	o.group.Go(func() { o.readings.Run(ctx) })
	o.act(ctx)
	o.group.Wait() // no turn begins once it acts no more
}

// act takes up whoever was woken, and begins turns, until the context ends.
func (o *Organization) act(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		more := o.takeUp(ctx)
		o.startTurns(ctx)
		if more {
			if ctx.Err() != nil {
				return
			}
			continue
		}
		timer.Reset(o.pending.Ring(o.world.Now()))
		select {
		case <-ctx.Done():
			return
		case <-o.pending.Signal():
		case <-timer.C:
		}
	}
}

// atATime is how many people are taken up before it is looked whether a turn can begin.
const atATime = 256

// takeUp decides about those who were woken. It says whether there are more.
func (o *Organization) takeUp(ctx context.Context) bool {
	woken := o.pending.Take(atATime)
	for _, w := range woken {
		if err := o.evaluate(ctx, w); err != nil {
			if ctx.Err() != nil {
				return false
			}
			o.log.Error(err, "cannot tell what is declared of somebody; tried again", "who", w.Key)
			o.pending.WakeAt(o.world.Now().Add(time.Second), w.Key)
		}
	}
	return len(woken) == atATime
}

// evaluate decides about whoever has the key, on what is kept, and makes them a candidate if there is anything to do.
func (o *Organization) evaluate(ctx context.Context, w pending.Woke) error {
	ids := o.roster.IDs(w.Key)
	if len(ids) == 0 {
		return o.evaluateNobody(ctx, w)
	}
	if w.Key.ID == "" {
		o.pending.Propose(w.Key, nil, o.world.Now())
	}
	for _, id := range ids {
		if err := o.evaluateUser(ctx, id, w); err != nil {
			return err
		}
	}
	return nil
}

// evaluateNobody decides about a key that nobody has, so far as is known.
func (o *Organization) evaluateNobody(ctx context.Context, w pending.Woke) error {
	names := o.objects()
	g, err := o.world.Cache.Gather(ctx, names, []plan.Key{w.Key})
	if err != nil {
		return err
	}
	confirmed := o.roster.NoUser(w.Key.ID)
	if w.Key.ID == "" {
		confirmed = o.roster.NoEmail(w.Key.Email)
	}
	asked := len(g.Users) > 0 || len(g.Bindings) > 0 || slices.ContainsFunc(g.Organizations, remembers(w.Key.ID))
	if w.Tell {
		o.tell(g)
	}
	switch {
	case confirmed && asked && w.Key.ID != "":
		// They left: what remembers them decides on that, and may stand for whoever has its address now.
		for _, user := range g.Users {
			if user.Spec.Email != "" && user.Status.UserID == w.Key.ID {
				o.pending.Wake(w.Urgency, true, plan.EmailKey(user.Spec.Email))
			}
		}
		return o.evaluateUser(ctx, w.Key.ID, w)
	case !confirmed && asked && !o.waits(tries.Look{Key: w.Key}):
		lane := pending.Giving
		if w.Urgency == pending.Reread {
			lane = pending.Looking
		}
		o.pending.Propose(w.Key, &pending.Candidate{Key: w.Key, User: plan.User{ID: w.Key.ID}, Lane: lane, Urgency: w.Urgency, Look: plan.Look{User: true}, ByID: w.Key.ID != ""}, o.world.Now())
	default:
		o.pending.Propose(w.Key, nil, o.world.Now())
	}
	return nil
}

// evaluateUser decides about one user.
func (o *Organization) evaluateUser(ctx context.Context, id string, w pending.Woke) error {
	p, g, err := o.known.Of(ctx, id)
	if err != nil {
		return err
	}
	d := plan.Decide(p)
	o.tries.Settle(id, d)
	if o.known.Declared(id, d) {
		o.recount(g)
	}
	if w.Tell {
		o.tell(g)
		if slices.ContainsFunc(d.Steps, func(due plan.Due) bool { return len(due.For) == 0 }) {
			o.recount(g) // no other object can say what became of the step
		}
	}
	key := plan.IDKey(id)
	o.pending.Wake(w.Urgency, false, d.LookFor...)
	if d.WakeAt != 0 {
		o.pending.WakeAt(time.Unix(d.WakeAt, 0), key)
	}
	o.pending.Propose(key, o.candidate(p, d, w.Urgency), o.world.Now())
	return nil
}

// candidate returns what is to be done for a person now, or nil.
func (o *Organization) candidate(p *plan.Person, d plan.Decision, urgency pending.Urgency) *pending.Candidate {
	c := &pending.Candidate{Key: plan.IDKey(p.User.ID), User: p.User, Urgency: urgency}
	c.ByID = p.User.Email == "" || o.tries.Missed(p.User.ID)
	if o.waits(tries.Look{Key: c.Key}) {
		return nil // nothing rests on a look that cannot be made
	}
	c.Look.User = d.Look.User
	rolesWait := o.waits(tries.Look{Key: c.Key, Roles: true})
	c.Look.Roles = d.Look.Roles && !rolesWait
	var gives, takes []plan.Due
	for _, due := range d.Steps {
		switch {
		case due.Wait.Kind != plan.None, rolesWait && due.Step.Role.ID != "":
		case due.Step.Takes():
			takes = append(takes, due)
		default:
			gives = append(gives, due)
		}
	}
	for _, line := range p.Leaving {
		if c.Order == 0 || line.Due < c.Order {
			c.Order = line.Due
		}
	}
	switch {
	case len(gives) > 0:
		c.Lane, c.Steps = pending.Giving, gives[:min(len(gives), maxStepsATurn)]
	case c.Look != (plan.Look{}) && urgency == pending.Reread:
		c.Lane = pending.Looking
	case c.Look != (plan.Look{}):
		c.Lane = pending.Giving
	case len(takes) > 0:
		c.Lane, c.Steps = pending.Taking, takes[:min(len(takes), maxStepsATurn)]
	default:
		return nil
	}
	if c.Lane != pending.Looking && c.Urgency == pending.Reread && len(c.Steps) > 0 {
		c.Urgency = pending.Due
	}
	return c
}

// maxStepsATurn bounds what one person has done in one turn.
const maxStepsATurn = 8

// Decide says what is to be done and said about a user, on what is kept.
func (o *Organization) Decide(ctx context.Context, id string) (plan.Decision, error) {
	return o.known.Decide(ctx, id)
}

// Setting is what must be known to say whom objects mean.
func (o *Organization) Setting() declared.Setting { return o.known.Setting() }

// Undeclared returns what the last whole reading found that no object declares.
func (o *Organization) Undeclared(ctx context.Context) (known.Undeclared, error) {
	return o.known.Undeclared(ctx)
}

// Links are the keys of the objects that stand for the organization.
func (o *Organization) Links() *link.Links { return o.links }

// Readings read the organization whole, and list its roles.
func (o *Organization) Readings() *reading.Reader { return o.readings }

// Roster is the organization as it was last seen.
func (o *Organization) Roster() *roster.Roster { return o.roster }

// WaitsSince is since when somebody waits for a turn; false if they do not.
func (o *Organization) WaitsSince(key plan.Key) (time.Time, bool) { return o.pending.WaitingSince(key) }

// LongestWait is how long somebody has waited who waits longest for a change, and who waits longest for a look in the
// background.
func (o *Organization) LongestWait() (change, look time.Duration) {
	return o.pending.Longest(o.world.Now())
}

// LookFact says why a look at somebody who is not known was not made yet, if it was tried.
func (o *Organization) LookFact(key plan.Key) plan.Fact {
	if fact, failed := o.tries.LookFact(tries.Look{Key: key}); failed {
		return fact
	}
	return plan.Fact{Kind: plan.Unknown}
}

// Objects are the Organization objects that stand for the organization, whether their key is good or not.
func (o *Organization) Objects() []types.NamespacedName { return o.objects() }

// waits says whether a look that failed is not to be tried again yet, and wakes whom it concerns then.
func (o *Organization) waits(look tries.Look) bool {
	until, waits := o.tries.LookWaits(look)
	if waits {
		o.pending.WakeAt(until, look.Key)
	}
	return waits
}

// remembers says whether an Organization has the user among its leavers.
func remembers(userID string) func(*v1alpha1.Organization) bool {
	return func(org *v1alpha1.Organization) bool {
		return userID != "" && slices.ContainsFunc(org.Status.Leaving, func(l v1alpha1.Leaver) bool { return l.UserID == userID })
	}
}
