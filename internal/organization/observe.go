package organization

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// errBudget says that the budget has no call left for a look that turned out to be needed.
var errBudget = errors.New("the budget of requests has no call left at the moment for a look at one more")

// observe looks at the people of a turn: at all who have an address with one list, at those without one by ID, and at
// the roles in question. seen is called once for each, as soon as what concerns them was answered.
func (t *turn) observe(ctx context.Context, seen func(*passenger)) {
	t.asker = t.firstAsker() // the looks at roles take steps out, all at once
	listed := make(chan struct{})
	var listFailed error
	found := map[string]bool{}
	go func() {
		defer close(listed)
		emails := t.emails()
		if len(emails) == 0 {
			t.unpay(budget.Calls{openai.EndpointListUsers: 1})
			return
		}
		begun := t.world.Now()
		var users []openai.User
		if users, listFailed = t.list(ctx, emails); listFailed != nil {
			return
		}
		t.listedAt = t.world.Now()
		for _, user := range users {
			found[user.ID] = true
		}
		t.paying.Lock()
		t.found = found
		t.paying.Unlock()
		t.saw(t.roster.SawByEmail(begun, emails, users))
	}()
	var group sync.WaitGroup
	for _, p := range t.people {
		group.Go(func() {
			rolesAt, rolesErr := t.observeRoles(ctx, p)
			<-listed
			switch {
			case t.rolesOnly(p):
			case p.Key.ID == "":
				p.failed = listFailed
			case !p.ByID && listFailed != nil:
				p.failed = listFailed
			case found[p.Key.ID]:
				p.seenAt = t.listedAt
			default:
				// They have no address, or another one by now: only their ID finds them.
				p.seenAt, p.failed = t.observeUser(ctx, p)
			}
			if p.failed == nil && rolesErr != nil {
				p.failed, p.rolesFailed = rolesErr, true
			}
			if !rolesAt.IsZero() && rolesAt.Before(p.seenAt) {
				p.seenAt = rolesAt
			}
			seen(p)
		})
	}
	group.Wait()
}

// list lists users by address, with the key of who asks for it first. What that key may not do another's may.
func (t *turn) list(ctx context.Context, emails []string) ([]openai.User, error) {
	asker := t.links.Reader(t.asker)
	if asker == nil {
		return nil, link.ErrNoKey
	}
	users, err := asker.Client().ListUsersByEmail(openai.Prepaid(ctx), emails)
	err = t.links.Answered(asker, err)
	if err == nil || !openai.IsUnauthorized(err) {
		return users, err
	}
	for _, name := range t.objects() {
		l := t.links.Usable(name)
		if l == nil || l == asker || !t.pay(budget.Calls{openai.EndpointListUsers: 1}) {
			continue
		}
		users, other := l.Client().ListUsersByEmail(openai.Prepaid(ctx), emails)
		if other = t.links.Answered(l, other); other == nil {
			return users, nil
		}
	}
	return nil, err
}

// emails are the addresses of the people, and of the owners who must stay where owners are concerned.
func (t *turn) emails() []string {
	var emails []string
	for _, p := range t.people {
		switch {
		case p.Key.ID == "":
			emails = append(emails, p.Key.Email)
		case t.rolesOnly(p):
		case !p.ByID:
			emails = append(emails, p.User.Email)
		}
	}
	for _, owner := range t.staying {
		if owner.Email != "" {
			emails = append(emails, owner.Email)
		}
	}
	return emails
}

// rolesOnly says whether only the roles of somebody are asked for, on which no change rests in this turn.
func (t *turn) rolesOnly(p *passenger) bool {
	return t.lane == pending.Looking && p.Key.ID != "" && !p.Look.User
}

func (t *turn) firstAsker() (asker namespacedName) {
	for _, p := range t.people {
		for _, due := range p.Candidate.Steps {
			return namespacedName(due.Asker)
		}
	}
	return asker
}

// observeUser looks at one user by ID.
func (t *turn) observeUser(ctx context.Context, p *passenger) (time.Time, error) {
	if !t.spend(p, openai.EndpointGetUser) {
		t.tries.Miss(p.Key.ID)
		return time.Time{}, errBudget
	}
	l := t.links.Reader(t.asker)
	if l == nil {
		return time.Time{}, link.ErrNoKey
	}
	begun := t.world.Now()
	user, err := l.Client().GetUser(openai.Prepaid(ctx), p.Key.ID)
	if openai.IsNotFound(err) {
		if err := t.links.Answered(l, nil); err != nil {
			return time.Time{}, err
		}
		t.saw(t.roster.SawNobody(begun, p.Key.ID))
		return t.world.Now(), nil
	}
	if err := t.links.Answered(l, err); err != nil {
		return time.Time{}, err
	}
	t.saw(t.roster.Saw(begun, user))
	return t.world.Now(), nil
}

// observeRoles looks at the roles of one user that are in question: at all of them where they are not known, else at
// those of the steps. It returns when the first answer came.
func (t *turn) observeRoles(ctx context.Context, p *passenger) (time.Time, error) {
	if p.Key.ID == "" {
		return time.Time{}, nil
	}
	if p.Look.Roles {
		t.spend(p, openai.EndpointListUserRoles)
		return t.listRoles(ctx, p.Key.ID)
	}
	var first time.Time
	var seen []plan.Due
	for _, due := range p.Candidate.Steps {
		if due.Step.Role.ID == "" {
			seen = append(seen, due)
			continue
		}
		t.spend(p, openai.EndpointGetUserRole)
		at, err := t.observeRole(ctx, p.Key.ID, due.Step.Role)
		switch {
		case err == nil:
			seen = append(seen, due)
		case openai.IsRateLimited(err), link.IsUnauthorized(err), ctx.Err() != nil:
			return first, err
		default:
			// It holds up this step, and no other of the person.
			t.tries.Failed(due.Step.Target(), (&plan.Person{User: p.User}).Fingerprint(due.Step, due.Asker),
				plan.Fact{Kind: plan.Retrying, Words: openai.StableMessage(err)}, tries.Retry)
		}
		if first.IsZero() {
			first = at
		}
	}
	p.Candidate.Steps = seen
	return first, nil
}

func (o *Organization) listRoles(ctx context.Context, userID string) (time.Time, error) {
	l := o.links.Reader(namespacedName{})
	if l == nil {
		return time.Time{}, link.ErrNoKey
	}
	begun := o.world.Now()
	roles, err := l.Client().ListUserRoles(openai.Prepaid(ctx), userID)
	if err := o.links.Answered(l, err); err != nil {
		return time.Time{}, err
	}
	o.tries.LookSucceeded(tries.Look{Key: plan.IDKey(userID), Roles: true})
	if changed, taken := o.roster.ListedRoles(begun, userID, roles); changed && taken {
		o.saw(o.roster.KeysOf(userID))
	}
	return o.world.Now(), nil
}

func (t *turn) observeRole(ctx context.Context, userID string, role plan.Role) (time.Time, error) {
	l := t.links.Reader(t.asker)
	if l == nil {
		return time.Time{}, link.ErrNoKey
	}
	assignment, err := l.Client().GetUserRole(openai.Prepaid(ctx), userID, role.ID)
	if openai.IsNotFound(err) {
		if err := t.links.Answered(l, nil); err != nil {
			return time.Time{}, err
		}
		t.roster.SetUnassigned(userID, role.ID)
		return t.world.Now(), nil
	}
	if err := t.links.Answered(l, err); err != nil {
		return time.Time{}, err
	}
	assignment.RoleID = role.ID // whatever the API calls it
	t.roster.SetAssigned(userID, assignment)
	return t.world.Now(), nil
}
