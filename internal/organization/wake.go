package organization

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Wake has people taken up soon.
func (o *Organization) Wake(urgency pending.Urgency, tell bool, keys ...plan.Key) {
	o.pending.Wake(urgency, tell, keys...)
}

// Begin has everybody taken up of whom any object speaks, since a key of the organization was proven, and the next reading
// come after an interval.
func (o *Organization) Begin(interval time.Duration) {
	o.readings.Begin(interval)
	o.WakeEverybody()
	o.pending.Nudge()
}

// WakeEverybody has all taken up of whom any object speaks.
func (o *Organization) WakeEverybody() {
	ctx := context.Background()
	for _, name := range o.objects() {
		o.WakeObject(ctx, name)
	}
}

// WakeObject has everybody taken up of whom the objects of one Organization speak.
func (o *Organization) WakeObject(ctx context.Context, name types.NamespacedName) {
	users, err := o.world.Cache.OrgUsers(ctx, name)
	if err != nil {
		o.log.Error(err, "cannot tell whom an Organization declares; the next reading will", "organization", name.String())
		return
	}
	for i := range users {
		o.pending.Wake(pending.Reread, false, declared.KeysOf(&users[i])...)
	}
	bindings, err := o.world.Cache.Bindings(ctx, name)
	if err != nil {
		o.log.Error(err, "cannot tell whom an Organization declares; the next reading will", "organization", name.String())
		return
	}
	for i := range bindings {
		o.pending.Wake(pending.Reread, false, declared.KeysOf(&bindings[i])...)
	}
	if org, err := o.world.Cache.Organization(ctx, name); err == nil && org != nil {
		o.pending.Wake(pending.Reread, false, declared.KeysOf(org)...)
	}
}

// FreeGuarded has what the guard holds asked again: its rules, or what they count, changed.
func (o *Organization) FreeGuarded() {
	o.pending.Wake(pending.Due, true, o.tries.FreeGuarded()...)
}

// saw has those taken up who were found to differ from what was known, and with an owner more whom the guard held.
func (o *Organization) saw(changed []plan.Key) {
	o.pending.Wake(pending.Due, true, changed...)
	if o.roster.MoreOwners() {
		o.FreeGuarded()
	}
}

// tell has the objects looked at that speak of a person.
func (o *Organization) tell(g declared.Gathered) {
	for _, user := range g.Users {
		o.world.Edge.Wake(user)
	}
	for _, binding := range g.Bindings {
		o.world.Edge.Wake(binding)
	}
	for _, org := range g.Organizations {
		if len(org.Status.Leaving) > 0 {
			o.world.Edge.Wake(org)
		}
	}
}

// recount has the Organizations say anew what they count, and what becomes of what no object declares.
func (o *Organization) recount(g declared.Gathered) {
	for _, org := range g.Organizations {
		o.world.Edge.WakeOrganization(client.ObjectKeyFromObject(org), countsGather)
	}
}

// countsGather is how long changes of what is counted gather.
const countsGather = 3 * time.Second
