package organization

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/tries"
	"github.com/rollcall-dev/rollcall/internal/window"
)

// left is what the guard has left, on what is kept: only so many are looked at.
type left struct {
	t         *turn
	objects   []*v1alpha1.Organization
	owners    int
	removals  int
	users     int
	until     time.Time
	prepared  bool
	lastError error
}

func (l *left) prepare(ctx context.Context) {
	if l.prepared {
		return
	}
	l.prepared = true
	l.users, l.owners = l.t.roster.Size()
	if l.objects, l.lastError = l.t.organizations(ctx, l.t.world.Cache); l.lastError != nil {
		return
	}
	l.removals, l.until = window.Removals(l.objects, l.t.links.Acts, l.t.world.Now())
}

// allows says whether the guard lets the candidate come to the look, and counts them if so. Else it is kept that it does
// not, and until when.
func (l *left) allows(ctx context.Context, c *pending.Candidate) bool {
	if c.Lane != pending.Taking || !slices.ContainsFunc(c.Steps, func(due plan.Due) bool { return due.Step.Verb == plan.Remove || due.Step.DemotesOwner }) {
		return true
	}
	l.prepare(ctx)
	if l.lastError != nil {
		return true // it is asked again on a fresh look
	}
	for _, due := range c.Steps {
		at := slices.IndexFunc(l.objects, func(org *v1alpha1.Organization) bool { return declared.RefOf(org) == due.Asker })
		if at < 0 {
			continue
		}
		facts := plan.Facts{Owners: l.owners, Removals: l.removals}
		rules := window.Rules(l.objects[at], l.objects, l.t.links.Acts, l.users+l.removals)
		_, held := plan.Guard([]plan.Step{due.Step}, rules, facts)
		if len(held) > 0 {
			l.t.hold(c.User, due, held[0].Rule, rules, facts, l.until)
			return false
		}
		if due.Step.DemotesOwner {
			l.owners--
		}
		if due.Step.Verb == plan.Remove {
			l.removals++
		}
	}
	return true
}

// hold keeps that the guard holds a step, and until when.
func (t *turn) hold(user plan.User, due plan.Due, rule plan.Rule, rules plan.Rules, facts plan.Facts, until time.Time) {
	target, fingerprint := due.Step.Target(), (&plan.Person{User: user}).Fingerprint(due.Step, due.Asker)
	fact := plan.Fact{Kind: plan.Guarded, Rule: rule, Object: due.Asker}
	if rule == plan.RuleMinOwners {
		fact.Numbers = plan.Numbers{Would: facts.Owners - 1, Most: rules.MinOwners}
		// An owner more wakes them. But owners whom a look did not show, or whose change is in doubt, may count again though
		// none is more.
		t.tries.Failed(target, fingerprint, fact, tries.Refusal)
		t.saw(nil) // one more than those who counted now
		return
	}
	held := plan.Try{Fingerprint: fingerprint}
	fact.Numbers = plan.Numbers{Would: facts.Removals + 1, Most: rules.MaxRemovals}
	if until.IsZero() {
		until = t.world.Now() // what counts is of this turn, and its window is not known yet
	}
	if fact.Numbers.Most > 0 {
		fact.Until, held.Until = until.Unix(), tries.Seconds(until)
	}
	held.Fact = fact
	t.tries.Held(target, held)
}

func (t *turn) users() int {
	users, _ := t.roster.Size()
	return users
}

// stayingOwners are the owners who are to be looked at, since somebody of the turn may be one no more: as many as must
// stay, and nobody whose own change is in doubt.
func (t *turn) stayingOwners(ctx context.Context) []openai.User {
	changing := map[string]bool{}
	for _, p := range t.people {
		for _, due := range p.Candidate.Steps {
			if !due.Step.MayDemote() {
				continue
			}
			changing[p.Key.ID] = true
		}
	}
	if len(changing) == 0 {
		return nil
	}
	orgs, err := t.organizations(ctx, t.world.Cache)
	if err != nil {
		t.log.Error(err, "it cannot be told how many owners must stay, so who may be one no more is held; asked again")
		return nil
	}
	needed := window.MinOwners(orgs, t.links.Acts)
	var staying []openai.User
	for _, owner := range t.roster.Owners() {
		if len(staying) == needed {
			break
		}
		if _, unsettled := t.roster.Unsettled(owner.ID); !changing[owner.ID] && !unsettled && owner.Email != "" {
			staying = append(staying, owner)
		}
	}
	return staying
}

// take asks the guard on what was just seen, counts the removals that it lets pass, and makes all that is to be made.
func (t *turn) take(ctx context.Context) {
	owners := t.ownersSeen()
	for _, asker := range t.askers() {
		passed, err := t.pass(ctx, asker, &owners)
		if err != nil {
			t.log.Error(err, "the guard cannot be asked, so nothing is taken; tried again", "organization", asker.String())
			for _, step := range passed {
				t.tries.Failed(step.due.Step.Target(), step.p.person.Fingerprint(step.due.Step, asker),
					plan.Fact{Kind: plan.Retrying, Words: err.Error()}, tries.Retry)
			}
			continue
		}
		t.makeTaking(ctx, passed)
	}
}

// passing is a step that the guard lets pass.
type passing struct {
	p   *passenger
	due plan.Due
}

func (t *turn) askers() []plan.Ref {
	var askers []plan.Ref
	for _, p := range t.people {
		for _, due := range p.agreed {
			if !slices.Contains(askers, due.Asker) {
				askers = append(askers, due.Asker)
			}
		}
	}
	return askers
}

// ownersSeen counts the owners who were seen in this turn.
func (t *turn) ownersSeen() int {
	count := 0
	seen := map[string]bool{}
	add := func(id string) {
		user, there := t.roster.User(id)
		_, unsettled := t.roster.Unsettled(id)
		if there && user.Role == plan.RoleOwner && !seen[id] && !unsettled {
			seen[id] = true
			count++
		}
	}
	t.paying.Lock()
	found := t.found
	t.paying.Unlock()
	for _, owner := range t.staying {
		if found[owner.ID] { // whom the answer does not have may have left
			add(owner.ID)
		}
	}
	for _, p := range t.people {
		if t.lookedAt(p) && p.failed == nil {
			add(p.Key.ID)
		}
	}
	return count
}

// asked are the steps that one asker asks for, of those whose look is fresh.
func (t *turn) asked(asker plan.Ref) []passing {
	if !t.links.Acts(namespacedName(asker)) {
		return nil
	}
	var steps []passing
	for _, p := range t.people {
		for _, due := range p.agreed {
			if p.failed == nil && due.Asker == asker && !t.stale(p, due) {
				steps = append(steps, passing{p, due})
			}
		}
	}
	return steps
}

// pass returns the steps of one asker that its guard lets pass, and counts its removals. With an error these are the steps
// that are not made for it.
func (t *turn) pass(ctx context.Context, asker plan.Ref, owners *int) ([]passing, error) {
	asked := t.asked(asker)
	orgs, err := t.organizations(ctx, t.look)
	if err != nil {
		return asked, fmt.Errorf("the guard cannot be asked: %w", err)
	}
	at := slices.IndexFunc(orgs, func(org *v1alpha1.Organization) bool { return declared.RefOf(org) == asker })
	if at < 0 {
		return nil, nil // it is gone, and asks for nothing any more
	}
	removals, until := window.Removals(orgs, t.links.Acts, t.world.Now())
	facts := plan.Facts{Owners: *owners, Removals: removals}
	rules := window.Rules(orgs[at], orgs, t.links.Acts, t.users()+removals)
	var passed []passing
	var leavers []string
	for _, step := range asked {
		_, held := plan.Guard([]plan.Step{step.due.Step}, rules, facts)
		if len(held) > 0 {
			t.hold(step.p.person.User, step.due, held[0].Rule, rules, facts, until)
			continue
		}
		if step.due.Step.DemotesOwner {
			facts.Owners--
		}
		if step.due.Step.Verb == plan.Remove {
			facts.Removals++
			leavers = append(leavers, step.due.Step.UserID)
		}
		passed = append(passed, step)
	}
	*owners = facts.Owners
	if len(leavers) == 0 {
		return passed, nil
	}
	if err := t.countRemovals(ctx, orgs[at], leavers); err != nil {
		return passed, fmt.Errorf("the removal could not be counted: %w", err)
	}
	return passed, nil
}

// makeTaking makes the steps that passed, all at once.
func (t *turn) makeTaking(ctx context.Context, passed []passing) {
	done := make(chan struct{}, len(passed))
	for _, step := range passed {
		go func() {
			if !t.make(ctx, step.p, step.due) && step.due.Step.Verb == plan.Remove {
				t.refund(ctx, step.due.Asker)
			}
			done <- struct{}{}
		}()
	}
	for range passed {
		<-done
	}
}
