package organization

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// stale says whether the look at a person is too old for a call to rest on it. Who is late is looked at again; who is
// late twice in a row gets a backoff.
func (t *turn) stale(p *passenger, due plan.Due) bool {
	age := t.world.Now().Sub(p.seenAt)
	if p.look != nil {
		age = max(age, t.world.Now().Sub(p.look.Oldest()))
	}
	if due.Step.MayDemote() && len(t.staying) > 0 && !t.listedAt.IsZero() {
		age = max(age, t.world.Now().Sub(t.listedAt)) // those who must stay were seen then
	}
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
	l := t.links.Usable(namespacedName(due.Asker))
	if l == nil || ctx.Err() != nil || t.stale(p, due) {
		return false
	}
	if !t.spend(p, pending.EndpointOf(due.Step)) {
		return false
	}
	sentAt := t.world.Now()
	t.world.Looks.observeLook(l.Object(), sentAt.Sub(p.seenAt))
	// It is carried to its end also when the manager stops: what is sent is to be known.
	request, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.world.Timeout)
	defer cancel()
	err := t.call(openai.Prepaid(request), l, sentAt, due.Step)
	t.note(ctx, p, l, due, sentAt, err)
	return true
}

// call sends the step, and keeps what its answer says of the organization. The answer of another organization says nothing.
func (o *Organization) call(ctx context.Context, l *link.Link, sent time.Time, step plan.Step) error {
	changer := openai.NewChanger(l.Client())
	switch step.Verb {
	case plan.Update:
		user, err := changer.UpdateUser(ctx, step.UserID, updateOf(step))
		if err := o.taken(l, err); err != nil {
			return err
		}
		o.saw(o.roster.Changed(sent, user))
		if hasRoleID(step) {
			o.roster.ForgetAssignments(step.UserID)
		}
		return nil
	case plan.Assign:
		answered, err := changer.AssignRole(ctx, step.UserID, step.Role.ID)
		if err := o.taken(l, err); err != nil {
			return err
		}
		if !plan.SameRole(answered, step.Role.ID) {
			o.known.Alias(answered, step.Role.ID)
		}
		o.roster.SetAssigned(step.UserID, openai.RoleAssignment{RoleID: step.Role.ID, RoleName: step.Role.Name})
		return nil
	case plan.Unassign:
		err := o.taken(l, changer.UnassignRole(ctx, step.UserID, step.Role.ID))
		if err == nil || openai.IsNotFound(err) {
			o.roster.SetUnassigned(step.UserID, step.Role.ID)
			for _, answered := range o.known.Aliases(step.Role.ID) {
				o.roster.SetUnassigned(step.UserID, answered)
			}
			return nil
		}
		return err
	case plan.Remove:
		err := o.taken(l, changer.DeleteUser(ctx, step.UserID))
		if err == nil || openai.IsNotFound(err) {
			o.saw(o.roster.SawNobody(o.world.Now(), step.UserID))
			return nil
		}
		return err
	}
	return fmt.Errorf("no call makes a step %s", step.Verb)
}

// taken says whether a change was taken, and by this organization. What a refusal says of where it comes from is not asked.
func (o *Organization) taken(l *link.Link, err error) error {
	if err != nil {
		return err
	}
	return o.links.Answered(l, nil)
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
func (t *turn) note(ctx context.Context, p *passenger, l *link.Link, due plan.Due, sent time.Time, err error) {
	step := due.Step
	t.urge(p)
	t.tries.InTime(p.Key.ID)
	fingerprint := p.person.Fingerprint(step, due.Asker)
	if err != nil {
		t.log.Info("the organization did not take a change", "organization", l.Object().String(), "step", step.String(), "userID", step.UserID, "error", err.Error())
	}
	switch {
	case err == nil:
		t.logMade(l, step)
		l.Ledger().Count(step.Verb)
		t.made(ctx, p, due)
		t.tries.Accepted(step.Target(), fingerprint)
	case link.IsUnauthorized(err):
		t.links.Refused(l, err)
	case openai.IsRateLimited(err):
	case openai.IsTransient(err):
		// It may have been carried out, and may still be.
		t.roster.Doubt(step.UserID, step.Role.ID != "", sent.Add(2*t.world.Timeout))
		t.tries.Failed(step.Target(), fingerprint, plan.Fact{Kind: plan.Retrying, Words: openai.StableMessage(err)}, tries.Retry)
	default:
		if openai.IsNotFound(err) {
			// They may have left: somebody is to look.
			t.roster.Doubt(step.UserID, step.Role.ID != "", sent)
		}
		t.tries.Failed(step.Target(), fingerprint, plan.Fact{Kind: plan.Refused, Words: openai.StableMessage(err)}, tries.Refusal)
	}
	if err != nil && step.Verb == plan.Remove && (link.IsUnauthorized(err) || openai.IsRateLimited(err) || openai.IsRejected(err) || openai.IsUnauthorized(err)) {
		t.refund(ctx, due.Asker)
	}
}

// late keeps that a look was too old for the call, in two turns in a row.
func (t *turn) late(p *passenger, due plan.Due) {
	p.late.Do(func() { p.lateAgain = t.tries.LateAgain(p.Key.ID) })
	if !p.lateAgain {
		return
	}
	t.tries.Failed(due.Step.Target(), p.person.Fingerprint(due.Step, due.Asker), plan.Fact{
		Kind: plan.Retrying, Words: "the API answers too slowly for a change to rest on a fresh look",
	}, tries.Late)
}

// made tells of a step that was made, with the objects that asked for it.
func (t *turn) made(ctx context.Context, p *passenger, due plan.Due) {
	undeclared := due.Step.Verb == plan.Remove && len(p.person.Leaving) == 0 || due.Step.Verb == plan.Unassign && len(due.For) == 0
	t.world.Edge.Made(ctx, Made{Step: due.Step, Asker: namespacedName(due.Asker), For: due.For, Objects: p.g, Undeclared: undeclared})
}

// logMade logs a step that was made in the organization: one line for each thing that changed, with who it was, what
// changed, from what and to what. "" is none.
func (o *Organization) logMade(l *link.Link, step plan.Step) {
	logger := o.world.Log.WithValues("organization", l.Object().String(), "verb", step.Verb, "who", step.Who, "userID", step.UserID)
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
