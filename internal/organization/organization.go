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
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// Organization is one live organization.
type Organization struct {
	*world
	roster  *roster.Roster
	links   *link.Links
	limiter *openai.Limiter
	pending *pending.People
	tries   *tries.Memory
	log     logr.Logger

	mu sync.Mutex
	// alias has the IDs that the API answered with for roles, where they are others than were sent.
	alias map[string]string
	// undeclared is what the last whole reading found undeclared, and in how many in a row.
	undeclared map[string]sighting
	sums       plan.Sums
	// unresolved are OrgUsers that were not matched with anybody then.
	unresolved []plan.Ref
	// owners is how many there were when it was looked last whether there are more.
	owners   int
	nextRead time.Time
	// turns are those under way, choosing those of them that have nobody yet.
	turns, choosing [pending.Lanes]int
	// readFor are the requests for a whole reading that the next one answers, by object.
	readFor map[types.NamespacedName]string
	// reading are those that the reading under way answers.
	reading map[types.NamespacedName]string
	readErr error
	reread  chan struct{}
	// catalogFor has the bindings, by generation, for which the organization's roles were listed.
	catalogFor     map[types.UID]int64
	listingCatalog bool
	// stop ends what it does, once no object stands for it any more.
	stop context.CancelFunc
	// emptySince is when the last Organization object went; zero while there is one.
	emptySince time.Time
}

// sighting is how many whole readings in a row found a user, or roles of theirs by ID, undeclared.
type sighting struct {
	// found: no object declared the user then. user and roles count only readings in which every OrgUser was matched.
	found bool
	user  int
	roles map[string]int
}

func newOrganization(w *world, pair link.Pair, limiter *openai.Limiter) *Organization {
	return &Organization{
		world: w, limiter: limiter, links: link.NewLinks(pair, limiter, w.edge, w.now), roster: roster.New(w.now), pending: pending.New(), tries: tries.New(w.now),
		log:    w.log.WithValues("organizationID", pair.ID),
		reread: make(chan struct{}, 1), catalogFor: map[types.UID]int64{},
		stop:  func() {},
		alias: map[string]string{}, undeclared: map[string]sighting{}, readFor: map[types.NamespacedName]string{},
	}
}

// run acts until the context ends.
func (o *Organization) run(ctx context.Context) {
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
		timer.Reset(o.pending.Ring(o.now()))
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
			o.pending.WakeAt(o.now().Add(time.Second), w.Key)
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
		o.pending.Propose(w.Key, nil, o.now())
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
	names := o.objects(ctx)
	g, err := o.cache.Gather(ctx, names, []plan.Key{w.Key})
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
		o.pending.Propose(w.Key, &pending.Candidate{Key: w.Key, User: plan.User{ID: w.Key.ID}, Lane: lane, Urgency: w.Urgency, Look: plan.Look{User: true}}, o.now())
	default:
		o.pending.Propose(w.Key, nil, o.now())
	}
	return nil
}

// evaluateUser decides about one user.
func (o *Organization) evaluateUser(ctx context.Context, id string, w pending.Woke) error {
	p, g, err := o.person(ctx, id)
	if err != nil {
		return err
	}
	d := plan.Decide(p)
	o.tries.Settle(id, d)
	o.declaredNow(id, d, g)
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
	o.pending.Propose(key, o.candidate(p, d, w.Urgency), o.now())
	return nil
}

// candidate returns what is to be done for a person now, or nil.
func (o *Organization) candidate(p *plan.Person, d plan.Decision, urgency pending.Urgency) *pending.Candidate {
	c := &pending.Candidate{Key: plan.IDKey(p.User.ID), User: p.User, Urgency: urgency}
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
		c.Order = line.Due
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

// tell has the objects looked at that speak of a person.
func (o *Organization) tell(g declared.Gathered) {
	for _, user := range g.Users {
		o.edge.Wake(user)
	}
	for _, binding := range g.Bindings {
		o.edge.Wake(binding)
	}
	for _, org := range g.Organizations {
		if len(org.Status.Leaving) > 0 {
			o.edge.Wake(org)
		}
	}
}

// setting is what must be known to say whom objects mean.
func (o *Organization) setting() declared.Setting {
	roles, at := o.roster.Roles()
	offered := make([]plan.OfferedRole, len(roles))
	for i, role := range roles {
		offered[i] = plan.OfferedRole{Role: plan.Role{ID: role.ID, Name: role.Name}, Predefined: role.Predefined}
	}
	return declared.Setting{Directory: o.roster, Acts: o.links.Acts, Offered: offered, RolesKnown: !at.IsZero()}
}

// person is all that is declared and observed about a user, as it is kept.
func (o *Organization) person(ctx context.Context, id string) (*plan.Person, declared.Gathered, error) {
	g, err := o.cache.Gather(ctx, o.objects(ctx), o.roster.KeysOf(id))
	if err != nil {
		return nil, g, err
	}
	p, err := o.about(ctx, g, id)
	return p, g, err
}

// about adds what is observed of a user to what objects say of them.
func (o *Organization) about(ctx context.Context, g declared.Gathered, id string) (*plan.Person, error) {
	user, present := o.roster.User(id)
	if !present {
		user = plan.User{ID: id}
	}
	p, err := o.cache.Declare(ctx, g, user, o.setting())
	if err != nil {
		return nil, err
	}
	p.Present, p.Doubted = present, o.roster.Doubted(id)
	assignments, known := o.roster.Assignments(id)
	o.mu.Lock()
	defer o.mu.Unlock()
	p.RolesKnown = known
	for _, a := range assignments {
		role := plan.Role{ID: a.RoleID, Name: a.RoleName}
		if sent, ok := o.alias[a.RoleID]; ok {
			role.ID = sent
		}
		p.Roles = append(p.Roles, plan.Assignment{Role: role, Predefined: a.Predefined, Inherited: a.Inherited})
	}
	if since, unsettled := o.roster.Unsettled(id); unsettled {
		p.Unsettled, p.SettlesAt = true, since.Unix()+1
	}
	if begun := o.world.began.Add(o.linger); o.linger > 0 && !o.roster.LookedSince(id, begun) {
		// A leader before this one may have had calls under way.
		p.Unsettled, p.SettlesAt = true, max(p.SettlesAt, begun.Unix()+1)
	}
	if o.tries.UnderWay(id) {
		p.Unsettled, p.SettlesAt = true, 0
	}
	p.Sums = o.sums
	seen := o.undeclared[id]
	p.SeenUndeclared, p.SeenUndeclaredRoles = seen.user, seen.roles
	p.Tried = o.tries.Of(id)
	for _, roles := range []bool{false, true} {
		if fact, failed := o.tries.LookFact(tries.Look{Key: plan.IDKey(id), Roles: roles}); failed {
			p.LookFact = fact
		}
	}
	return p, nil
}

// Decide says what is to be said about a user, on what is kept.
func (o *Organization) Decide(ctx context.Context, id string) (plan.Decision, error) {
	p, _, err := o.person(ctx, id)
	if err != nil {
		return plan.Decision{}, err
	}
	return plan.Decide(p), nil
}

// Setting is what must be known to say whom objects mean.
func (o *Organization) Setting() declared.Setting { return o.setting() }

// Roster is the organization as it was last seen.
func (o *Organization) Roster() *roster.Roster { return o.roster }

// WaitsSince is since when somebody waits for a turn; false if they do not.
func (o *Organization) WaitsSince(key plan.Key) (time.Time, bool) { return o.pending.WaitingSince(key) }

// LookFact says why a look at somebody who is not known was not made yet, if it was tried.
func (o *Organization) LookFact(key plan.Key) plan.Fact {
	if fact, failed := o.tries.LookFact(tries.Look{Key: key}); failed {
		return fact
	}
	return plan.Fact{Kind: plan.Unknown}
}

// Wake has people taken up soon.
func (o *Organization) Wake(urgency pending.Urgency, tell bool, keys ...plan.Key) {
	o.pending.Wake(urgency, tell, keys...)
}

// Objects are the Organization objects that stand for the organization, whether their key is good or not.
func (o *Organization) Objects(ctx context.Context) []types.NamespacedName { return o.objects(ctx) }

// objects are the Organization objects that stand for the organization, whether their key is good or not.
func (o *Organization) objects(ctx context.Context) []types.NamespacedName {
	return o.standing(ctx, o)
}

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
