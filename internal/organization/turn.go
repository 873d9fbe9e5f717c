package organization

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

const (
	// callersATurn bounds the people of a turn for whom a call of their own is made: all are made at once.
	callersATurn = 16
	// fresh is how old a look may be when the call that rests on it is sent.
	fresh = time.Second
)

// turnsAtOnce bounds the turns of each lane. Whoever takes does so alone.
var turnsAtOnce = [pending.Lanes]int{pending.Giving: 3, pending.Taking: 1, pending.Looking: 1}

// startTurns begins as many turns as there is work and room for.
func (o *Organization) startTurns(ctx context.Context) {
	for _, q := range o.queues() {
		for o.beginTurn(q) {
			o.group.Go(func() {
				defer o.endTurn(q)
				o.turn(ctx, q)
			})
		}
	}
}

// beginTurn says whether a turn may begin: there is room, and somebody in the queue whom none takes that is still choosing.
// Only [Organization.act] asks.
func (o *Organization) beginTurn(q queue) bool {
	most := turnsAtOnce[q.lane]
	if q.slow != "" {
		most = 1
	}
	o.mu.Lock()
	turns, choosing := o.turns[q], o.choosing[q]
	o.mu.Unlock()
	if turns == most || !o.links.AnyUsable() {
		return false // those who wait are not even counted, since they may be very many
	}
	if len(o.waiting(q, callersATurn*most)) <= choosing*callersATurn {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turns[q]++
	o.choosing[q]++
	return true
}

// chosen has another turn begin for those who were not chosen.
func (o *Organization) chosen(q queue) {
	o.mu.Lock()
	o.choosing[q]--
	o.mu.Unlock()
	o.pending.Nudge()
}

func (o *Organization) endTurn(q queue) {
	o.mu.Lock()
	o.turns[q]--
	if o.turns[q] == 0 {
		delete(o.turns, q)
		delete(o.choosing, q)
	}
	o.mu.Unlock()
	o.pending.Nudge()
}

// turn takes its tokens, chooses people for them, looks, and makes what is still to be made.
func (o *Organization) turn(ctx context.Context, q queue) {
	chosen := sync.OnceFunc(func() { o.chosen(q) })
	defer chosen()
	class := budget.Foreground
	if q.lane == pending.Looking {
		class = budget.Background
	}
	wanted := o.wanted(q)
	if len(wanted) == 0 {
		return
	}
	if err := o.limiter.Take(ctx, class, wanted); err != nil {
		return // the context ended
	}
	if q.lane == pending.Taking {
		o.taking.Lock()
		defer o.taking.Unlock()
	}
	t := &turn{Organization: o, queue: q, tokens: wanted, look: o.world.Cache.NewLook(o.world.Live)}
	defer t.giveBack()
	if !t.choose(ctx) {
		return
	}
	defer t.release()
	chosen()
	t.run(ctx)
}

// turn is one turn of an organization.
type turn struct {
	*Organization
	queue
	tokens budget.Calls // that are left
	look   *declared.Look
	people []*passenger
	// asker is the object whose key looks where it can.
	asker types.NamespacedName
	// staying are the owners who are looked at since they must stay.
	staying []openai.User
	// found has the IDs of all whom the list of this turn showed.
	found map[string]bool
	// listedAt is when that list came; zero: there was none.
	listedAt time.Time

	paying sync.Mutex
}

// passenger is one whom a turn is for.
type passenger struct {
	*pending.Candidate
	keys []plan.Key
	// paid are the calls of theirs that tokens were taken for.
	paid budget.Calls
	// seenAt is when the answer came on which their change rests, the earliest of all; failed is why there is none.
	seenAt time.Time
	failed error
	// look is at the manifests on which it rests; nil while there is none.
	look *declared.Look
	// rolesFailed: it was the look at the roles that failed.
	rolesFailed bool
	// again is how soon they are taken up after the turn.
	again pending.Urgency

	person *plan.Person
	g      declared.Gathered
	agreed []plan.Due // what is still to be made after the look
	// lateAgain: the look was too old for a call, in this turn and in the one before. late has it asked once a turn.
	late      sync.Once
	lateAgain bool
}

// choose holds people for the turn: those who are the most urgent now, as far as the tokens go.
func (t *turn) choose(ctx context.Context) bool {
	if !t.pay(budget.Calls{openai.EndpointListUsers: 1}) {
		return false
	}
	t.holdPeople(ctx)
	if len(t.people) == 0 {
		t.tokens[openai.EndpointListUsers]++
	}
	t.staying = t.stayingOwners(ctx)
	return len(t.people) > 0
}

// holdPeople holds them. One turn at a time does, or two would share those whom one list shows.
func (t *turn) holdPeople(ctx context.Context) {
	t.holding.Lock()
	defer t.holding.Unlock()
	callers := 0
	left := &left{t: t}
	for _, c := range t.waiting(t.queue, pending.PeopleATurn) {
		if !left.allows(ctx, c) {
			t.pending.Propose(c.Key, nil, t.world.Now())
			t.pending.Wake(c.Urgency, true, c.Key)
			continue
		}
		costs := c.Costs()
		if len(costs) > 0 && (callers == callersATurn || !t.pay(costs)) {
			break
		}
		keys := c.Keys()
		if !t.pending.Hold(c, keys) {
			t.unpay(costs)
			continue
		}
		if len(costs) > 0 {
			callers++
		}
		t.people = append(t.people, &passenger{Candidate: c, keys: keys, again: c.Urgency, paid: costs})
	}
}

// urge has somebody taken up again as one who is worked on.
func (t *turn) urge(p *passenger) {
	t.paying.Lock()
	defer t.paying.Unlock()
	p.again = min(p.again, pending.Due)
}

// release lets the people of the turn be taken up again, whatever came of it.
func (t *turn) release() {
	for _, p := range t.people {
		t.pending.Release(p.keys, p.again)
	}
}

// run looks and makes the steps. From before the first look on nothing is forgotten of the people, since what was seen of
// the manifests may be outdated when a call goes out.
func (t *turn) run(ctx context.Context) {
	defer t.underWay()()
	done := make(chan *passenger, len(t.people))
	t.observe(ctx, func(p *passenger) {
		if p.failed == nil && t.lane != pending.Looking {
			p.failed = t.decide(ctx, p)
		}
		if p.failed == nil && t.lane == pending.Giving {
			t.makeAll(ctx, p)
		}
		done <- p
	})
	for range t.people {
		<-done
	}
	if t.lane == pending.Taking {
		t.take(ctx)
	}
	for _, p := range t.people {
		t.settle(ctx, p)
	}
}

// underWay notes that changing calls about the people of the turn may be under way. It returns what ends that.
func (t *turn) underWay() (end func()) {
	if t.lane == pending.Looking {
		return func() {}
	}
	for _, p := range t.people {
		t.tries.Begin(p.Key.ID)
	}
	return func() {
		for _, p := range t.people {
			t.tries.End(p.Key.ID)
		}
	}
}

// settle notes what came of the looks at a person.
func (t *turn) settle(ctx context.Context, p *passenger) {
	if p.failed == nil {
		t.tries.LookSucceeded(tries.Look{Key: p.Key})
	}
	if p.failed == nil || ctx.Err() != nil {
		return
	}
	switch {
	case openai.IsRateLimited(p.failed):
		return // the limiter has everybody wait
	case link.IsUnauthorized(p.failed):
		return // the key is looked at
	}
	again := t.tries.LookFailed(tries.Look{Key: p.Key, Roles: p.rolesFailed}, openai.StableMessage(p.failed))
	t.log.Info("a look failed; tried again", "who", p.Key, "roles", p.rolesFailed, "after", again.String(), "error", p.failed.Error())
}

// decide makes the plan again on what was just seen, of the person and of the manifests, and keeps those steps that are
// still in it.
func (t *turn) decide(ctx context.Context, p *passenger) error {
	user, there := t.roster.User(p.Key.ID)
	if !there {
		return nil
	}
	found, err := t.world.Cache.Gather(ctx, t.objects(), t.roster.KeysOf(user.ID))
	if err != nil {
		return err
	}
	p.look = t.look.Another()
	bindings, unread := found.Bindings, onlyFields(p.Candidate)
	if unread {
		found.Bindings = nil // no step rests on them, and one of a thousand subjects is long
	}
	if p.g, err = p.look.Again(ctx, found); err != nil {
		return err
	}
	if unread {
		p.g.Bindings = bindings
	}
	if t.lane == pending.Taking {
		if p.g, err = t.unseen(ctx, p, user); err != nil {
			return err
		}
	}
	if p.person, err = t.known.About(ctx, p.g, user.ID); err != nil {
		return err
	}
	if t.takesUndeclared(p) {
		if p.person.Sums, _, err = t.known.SumUp(ctx); err != nil {
			return err
		}
	}
	d := plan.Decide(p.person)
	for _, due := range d.Steps {
		if due.Wait.Kind != plan.None || due.Step.Takes() != (t.lane == pending.Taking) {
			continue
		}
		if !wasPlanned(p.Candidate, due) {
			continue
		}
		if due.Step.Verb == plan.Update && !t.lookedAt(p) {
			continue
		}
		torn, err := tornDown(ctx, p.look, due)
		if err != nil {
			return err
		}
		if !torn {
			p.agreed = append(p.agreed, due)
		}
	}
	t.notYet(p)
	return nil
}

// onlyFields says whether all that may be made of a candidate are changes of fields, which no binding has a say in.
func onlyFields(c *pending.Candidate) bool {
	return !c.Look.Roles && !slices.ContainsFunc(c.Steps, func(due plan.Due) bool { return due.Step.Verb != plan.Update })
}

// notYet keeps that planned steps are not to be made by what was just seen. What is kept may not know that for a while, as
// in a teardown, or when a watch lags: without it there would be look after look.
func (t *turn) notYet(p *passenger) {
	for _, planned := range p.Candidate.Steps {
		target := planned.Step.Target()
		if slices.ContainsFunc(p.agreed, func(due plan.Due) bool { return due.Step.Target() == target }) {
			continue
		}
		t.tries.NotYet(target, (&plan.Person{User: p.User}).Fingerprint(planned.Step, planned.Asker))
	}
}

func (t *turn) lookedAt(p *passenger) bool { return !p.seenAt.IsZero() }

// wasPlanned says whether a step's target was planned before the look: tokens are there for no others. An assignment may
// come new where the look was the first at the user's roles.
func wasPlanned(c *pending.Candidate, due plan.Due) bool {
	for _, planned := range c.Steps {
		if planned.Step.Target() == due.Step.Target() {
			return true
		}
	}
	return c.Look.Roles && due.Step.Verb == plan.Assign
}

// unseen adds what no cache can know yet, where something is taken that another object may give.
func (t *turn) unseen(ctx context.Context, p *passenger, user plan.User) (declared.Gathered, error) {
	g, err := p.g, error(nil)
	for _, due := range p.Candidate.Steps {
		switch due.Step.Verb {
		case plan.Remove:
			g, err = p.look.Unseen(ctx, g, user, "")
		case plan.Unassign:
			g, err = p.look.Unseen(ctx, g, user, due.Step.Role.ID)
		}
		if err != nil {
			return g, err
		}
	}
	return g, nil
}

// takesUndeclared says whether a step rests on no object at all.
func (t *turn) takesUndeclared(p *passenger) bool {
	return t.lane == pending.Taking && (p.person.SeenUndeclared > 0 || len(p.person.SeenUndeclaredRoles) > 0)
}

// tornDown says whether the namespace that asks for a step is being taken down, or its kinds are: nothing is changed for
// it any more.
func tornDown(ctx context.Context, look *declared.Look, due plan.Due) (bool, error) {
	crds := []string{}
	if due.Step.Verb == plan.Remove || due.Step.Verb == plan.Unassign {
		crds = append(crds, declared.OrganizationCRD, declared.OrgUserCRD, declared.BindingCRD)
	}
	down, err := look.Teardown(ctx, due.Asker.Namespace, crds...)
	return down.Why != "", err
}
