package reading

import (
	"context"
	"time"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// TakeOver keeps a whole reading, and has those taken up whom it shows otherwise, and those who are not settled.
func (r *Reader) TakeOver(reading roster.Reading, users []openai.User) {
	ctx := context.Background()
	usersBefore, ownersBefore := r.from.Roster.Size()
	changed := r.from.Roster.End(reading, users)
	more := r.from.Roster.MoreOwners()
	if users, owners := r.from.Roster.Size(); more || users != usersBefore || owners != ownersBefore {
		r.from.Pending.Wake(pending.Due, true, r.from.Tries.FreeGuarded()...) // its rules count both
	}
	r.from.Log.V(1).Info("read the organization whole", "users", len(users), "changed", len(changed))
	taken, err := r.from.Known.Sight(ctx)
	if err != nil {
		r.from.Log.Error(err, "cannot tell who is undeclared; the next reading will")
	}
	r.from.Pending.Wake(pending.Reread, false, taken...)
	r.from.Tries.Sweep()
	r.from.Pending.Wake(pending.Reread, true, changed...)
	for _, name := range r.from.Objects() {
		unsettled, err := r.from.Cache.Unsettled(ctx, name)
		if err != nil {
			r.from.Log.Error(err, "cannot tell which objects wait; the next reading will", "organization", name.String())
			continue
		}
		for _, object := range unsettled {
			r.from.Pending.Wake(pending.Reread, false, declared.KeysOf(object)...)
			r.from.Edge.Wake(object)
		}
		if org, err := r.from.Cache.Organization(ctx, name); err == nil && org != nil {
			r.from.Pending.Wake(pending.Reread, false, declared.KeysOf(org)...)
		}
	}
}

// RolesLate is how much longer ago than an interval the roles of somebody were listed whose turn it is.
func (r *Reader) RolesLate() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rolesLate
}

func (r *Reader) setRolesLate(late time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rolesLate = late
}

// listDueRoles has the roles of those listed again that are due, in the background.
func (r *Reader) listDueRoles(ctx context.Context) {
	interval := r.from.Links.Interval()
	if interval == 0 {
		return
	}
	listed := 0
	late := time.Duration(0)
	defer func() { r.setRolesLate(late) }()
	for _, id := range r.from.Roster.DueAssignments(interval) {
		if listed == pending.PeopleATurn {
			return
		}
		key := plan.IDKey(id)
		if until, waits := r.from.Tries.LookWaits(tries.Look{Key: key, Roles: true}); waits {
			r.from.Pending.WakeAt(until, key)
			continue // it hides nobody behind it
		}
		late = max(late, r.from.Now().Sub(r.from.Roster.RolesListedAt(id))-interval)
		if _, waits := r.from.Pending.WaitingSince(key); waits {
			listed++
			continue
		}
		p, _, err := r.from.Known.Of(ctx, id)
		if err != nil {
			return
		}
		p.RolesKnown = false
		if !plan.Decide(p).Look.Roles {
			r.from.Roster.ForgetAssignments(id) // nobody cares any more
			continue
		}
		listed++
		r.from.Pending.Propose(key, &pending.Candidate{
			Key: key, User: p.User, Lane: pending.Looking, Urgency: pending.Reread, Look: plan.Look{Roles: true},
		}, r.from.Now())
		r.from.Pending.Nudge()
	}
}
