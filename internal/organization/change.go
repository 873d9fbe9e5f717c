package organization

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// stale says whether the look at a person is too old for a call to rest on it. Who is late is looked at again; who is
// late twice in a row gets a backoff.
func (t *turn) stale(p *passenger, due plan.Due) bool {
	age := t.now().Sub(p.seenAt)
	if age <= fresh {
		return false
	}
	t.log.V(1).Info("a look became too old before the call", "who", p.User.Who(), "age", age.String())
	t.late(p, due)
	return true
}

// makeAll makes the steps of a person, all at once: one refusal stops no other.
func (t *turn) makeAll(ctx context.Context, p *passenger) {
	done := make(chan struct{}, len(p.agreed))
	for _, due := range p.agreed {
		go func() {
			t.make(ctx, p, due)
			done <- struct{}{}
		}()
	}
	for range p.agreed {
		<-done
	}
}

// make makes one step, if the look that it rests on is fresh, and notes what came of it. It says whether it was sent.
func (t *turn) make(ctx context.Context, p *passenger, due plan.Due) (sent bool) {
	l := t.link(due.Asker)
	if l == nil || ctx.Err() != nil || t.stale(p, due) {
		return false
	}
	if !t.spend(p, pending.EndpointOf(due.Step)) {
		return false
	}
	t.begin(p.Key.ID)
	defer t.end(p.Key.ID)
	sentAt := t.now()
	t.metrics.observeLook(l.object, sentAt.Sub(p.seenAt))
	// It is carried to its end also when the manager stops: what is sent is to be known.
	request, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.timeout)
	defer cancel()
	err := t.call(openai.Prepaid(request), l, sentAt, due.Step)
	t.note(ctx, p, l, due, sentAt, err)
	return true
}

// call sends the step, and keeps what its answer says of the organization.
func (o *Organization) call(ctx context.Context, l *link, sent time.Time, step plan.Step) error {
	switch step.Verb {
	case plan.Update:
		user, err := l.changer.UpdateUser(ctx, step.UserID, updateOf(step))
		if err != nil {
			return err
		}
		o.saw(o.roster.Changed(sent, user))
		if hasRoleID(step) {
			o.roster.ForgetAssignments(step.UserID)
		}
		return nil
	case plan.Assign:
		answered, err := l.changer.AssignRole(ctx, step.UserID, step.Role.ID)
		if err != nil {
			return err
		}
		if !plan.SameRole(answered, step.Role.ID) {
			o.mu.Lock()
			o.alias[answered] = step.Role.ID
			o.mu.Unlock()
		}
		o.roster.SetAssigned(step.UserID, openai.RoleAssignment{RoleID: step.Role.ID, RoleName: step.Role.Name})
		return nil
	case plan.Unassign:
		err := l.changer.UnassignRole(ctx, step.UserID, step.Role.ID)
		if err == nil || openai.IsNotFound(err) {
			o.roster.SetUnassigned(step.UserID, step.Role.ID)
			o.mu.Lock()
			defer o.mu.Unlock()
			for answered, sent := range o.alias {
				if sent == step.Role.ID {
					o.roster.SetUnassigned(step.UserID, answered)
				}
			}
			return nil
		}
		return err
	case plan.Remove:
		err := l.changer.DeleteUser(ctx, step.UserID)
		if err == nil || openai.IsNotFound(err) {
			o.saw(o.roster.SawNobody(o.now(), step.UserID))
			return nil
		}
		return err
	}
	return fmt.Errorf("no call makes a step %s", step.Verb)
}

func hasRoleID(step plan.Step) bool {
	for _, change := range step.Changes {
		if change.Field == plan.FieldRoleID {
			return true
		}
	}
	return false
}

func updateOf(step plan.Step) openai.UserUpdate {
	var update openai.UserUpdate
	for _, change := range step.Changes {
		to := change.To
		switch change.Field {
		case plan.FieldRole:
			update.Role = &to
		case plan.FieldRoleID:
			update.RoleID = &to
		case plan.FieldDeveloperPersona:
			update.DeveloperPersona = &to
		case plan.FieldTechnicalLevel:
			update.TechnicalLevel = &to
		}
	}
	return update
}

// note keeps what came of a step, and tells of one that was made.
func (t *turn) note(ctx context.Context, p *passenger, l *link, due plan.Due, sent time.Time, err error) {
	step := due.Step
	t.urge(p)
	t.lookSucceeded(lateKey(p))
	fingerprint := p.person.Fingerprint(step, due.Asker)
	if err != nil {
		t.log.Info("the organization did not take a change", "organization", l.object.String(), "step", step.String(), "userID", step.UserID, "error", err.Error())
	}
	switch {
	case err == nil:
		t.logMade(l, step)
		l.count(step.Verb)
		t.made(ctx, p, due)
		// If the organization does not have it so when it is looked at again, it is not sent again and again.
		t.accepted(step.Target(), fingerprint)
	case isUnauthorized(err):
		t.refused(l, err)
	case openai.IsRateLimited(err):
	case openai.IsTransient(err):
		// It may have been carried out, and may still be.
		t.roster.Doubt(step.UserID, step.Role.ID != "", sent.Add(2*t.timeout))
		t.fail(step.Target(), fingerprint, plan.Fact{Kind: plan.Retrying, Words: describe(err)}, firstRetry, lastRetry)
	default:
		if openai.IsNotFound(err) {
			// They may have left: somebody is to look.
			t.roster.Doubt(step.UserID, step.Role.ID != "", sent)
		}
		t.fail(step.Target(), fingerprint, plan.Fact{Kind: plan.Refused, Words: describe(err)}, firstRefusal, lastRefusal)
	}
	if err != nil && step.Verb == plan.Remove && (isUnauthorized(err) || openai.IsRateLimited(err) || openai.IsRejected(err) || openai.IsUnauthorized(err)) {
		t.refund(ctx, due.Asker)
	}
}

const (
	// firstRetry and lastRetry space the tries after what passes by itself.
	firstRetry, lastRetry = time.Second, 2 * time.Minute
	// lastLate is as rarely as a change is tried for which a look was too old: a busy moment passes.
	lastLate = 10 * time.Second
	// firstRefusal and lastRefusal space those of what the API refuses.
	firstRefusal, lastRefusal = time.Minute, time.Hour
)

// fail keeps that a step failed, and until when it is not tried again with nothing new.
func (o *Organization) fail(target plan.Target, fingerprint string, fact plan.Fact, first, last time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.tried[target]
	now := &tried{Try: plan.Try{Fingerprint: fingerprint, Fact: fact}}
	if before != nil && before.Fingerprint == fingerprint && before.Fact.Kind == fact.Kind {
		now.attempts = before.attempts + 1
	}
	now.Until = seconds(o.now().Add(spaced(now.attempts, first, last)))
	o.keep(target, now)
}

// spaced doubles a time with each attempt.
func spaced(attempts int, first, last time.Duration) time.Duration {
	return min(first<<min(attempts, 20), last)
}

// seconds rounds up, so that nothing is tried before its time.
func seconds(at time.Time) int64 { return at.Add(time.Second - time.Nanosecond).Unix() }

// accepted keeps that the API took a step. It stands until the person is seen without need of it.
func (o *Organization) accepted(target plan.Target, fingerprint string) {
	o.fail(target, fingerprint, plan.Fact{Kind: plan.NotTakenOver}, firstRefusal, lastRefusal)
}

// late keeps that a look was too old for the call, twice in a row.
func (t *turn) late(p *passenger, due plan.Due) {
	key := lateKey(p)
	t.mu.Lock()
	before := t.looks[key]
	if before == nil {
		t.looks[key] = &tried{}
		t.mu.Unlock()
		return
	}
	delete(t.looks, key)
	t.mu.Unlock()
	t.fail(due.Step.Target(), p.person.Fingerprint(due.Step, due.Asker), plan.Fact{
		Kind: plan.Retrying, Words: "the API answers too slowly for a change to rest on a fresh look",
	}, firstRetry, lastLate)
}

// lateKey is under what it is kept that somebody's look was too old once.
func lateKey(p *passenger) lookKey { return lookKey{key: plan.Key{ID: p.Key.ID, Email: "late"}} }

// lookFailed keeps that a look failed, and until when it is not tried again.
func (o *Organization) lookFailed(key lookKey, err error) {
	o.mu.Lock()
	before := o.looks[key]
	now := &tried{Try: plan.Try{Fact: plan.Fact{Kind: plan.Retrying, Words: describe(err)}}}
	if before != nil {
		now.attempts = before.attempts + 1
	}
	now.Until = seconds(o.now().Add(spaced(now.attempts, firstRetry, lastLook)))
	o.looks[key] = now
	o.mu.Unlock()
	o.log.Info("a look failed; tried again", "who", key.key, "roles", key.roles, "after", time.Until(time.Unix(now.Until, 0)).String(), "error", err.Error())
}

// lastLook is as rarely as a look that fails is tried again.
const lastLook = 5 * time.Minute

func (o *Organization) lookSucceeded(key lookKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.looks, key)
}

// clear forgets what was tried for steps that are not called for any more.
func (o *Organization) clear(id string, d plan.Decision) {
	if d.Look != (plan.Look{}) {
		return // nothing is known of what is called for
	}
	called := map[plan.Target]bool{}
	for _, due := range d.Steps {
		called[due.Step.Target()] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(called) == 0 {
		delete(o.looks, lookKey{key: plan.IDKey(id)}) // nothing rests on a look at them any more
	}
	for target := range maps.Clone(o.triedBy[id]) {
		if !called[target] {
			o.drop(target)
		}
	}
}

// free has everything tried again: a person asked for it, or rules changed.
func (o *Organization) free(which func(plan.Fact) bool) {
	o.mu.Lock()
	var keys []plan.Key
	for target, t := range o.tried {
		if which(t.Fact) {
			o.drop(target)
			keys = append(keys, plan.IDKey(target.UserID))
		}
	}
	o.mu.Unlock()
	o.pending.Wake(pending.Due, true, keys...)
}

func (o *Organization) freeGuarded() {
	o.free(func(f plan.Fact) bool { return f.Kind == plan.Guarded })
}

func (o *Organization) begin(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight[id]++
}

func (o *Organization) end(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight[id]--
	if o.inFlight[id] <= 0 {
		delete(o.inFlight, id)
	}
}

// made tells of a step that was made, with the objects that asked for it.
func (t *turn) made(ctx context.Context, p *passenger, due plan.Due) {
	undeclared := due.Step.Verb == plan.Remove && len(p.person.Leaving) == 0 || due.Step.Verb == plan.Unassign && len(due.For) == 0
	t.edge.Made(ctx, Made{Step: due.Step, Asker: namespacedName(due.Asker), For: due.For, Objects: p.g, Undeclared: undeclared})
}

// logMade logs a step that was made in the organization: one line for each thing that changed, with who it was, what
// changed, from what and to what. "" is none.
func (o *Organization) logMade(l *link, step plan.Step) {
	logger := o.world.log.WithValues("organization", l.object.String(), "verb", step.Verb, "who", step.Who, "userID", step.UserID)
	changed := func(what, from, to string, more ...any) {
		logger.Info("changed the organization", append([]any{"what", what, "from", from, "to", to}, more...)...)
	}
	switch step.Verb {
	case plan.Update:
		for _, change := range step.Changes {
			changed(string(change.Field), change.From, change.To)
		}
	case plan.Remove:
		changed("membership", "member", "")
	case plan.Assign:
		changed("roleAssignment", "", step.Role.Name, "roleID", step.Role.ID)
	case plan.Unassign:
		changed("roleAssignment", step.Role.Name, "", "roleID", step.Role.ID)
	}
}
