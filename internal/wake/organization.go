package wake

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/edge"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Organization has an Organization looked at when its manifest changes, and all of its objects and people with it.
func (h *Handlers) Organization() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, _ queue) {
			if org, ok := e.Object.(*v1alpha1.Organization); ok {
				h.Organizations.Noted(named(org), link.PairOf(org))
				h.Edge.WakeOrganization(named(org), 0)
				h.Edge.WakeObjects(named(org))
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, _ queue) {
			before, ok := e.ObjectOld.(*v1alpha1.Organization)
			after, also := e.ObjectNew.(*v1alpha1.Organization)
			if !ok || !also {
				return
			}
			h.changed(ctx, before, after)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, _ queue) {
			if org, ok := e.Object.(*v1alpha1.Organization); ok {
				if org.DeletionTimestamp.IsZero() {
					h.retain(ctx, org)
				}
				h.Edge.WakeOrganization(named(org), 0)
				h.Edge.WakeObjects(named(org))
			}
		},
	}
}

// changed wakes who is concerned by a change of an Organization.
func (h *Handlers) changed(ctx context.Context, before, after *v1alpha1.Organization) {
	if before.UID != after.UID {
		h.Organizations.Forget(named(before)) // another object of the name: it has no key and stands for nothing yet
	}
	h.Organizations.Noted(named(after), link.PairOf(after))
	manifest := manifestChanged(before, after)
	if manifest || before.Annotations[v1alpha1.SyncRequestedAtAnnotation] != after.Annotations[v1alpha1.SyncRequestedAtAnnotation] {
		h.Edge.WakeOrganization(named(after), 0)
	}
	if !before.DeletionTimestamp.Equal(after.DeletionTimestamp) || before.UID != after.UID {
		h.retain(ctx, before)
	}
	o := h.Organizations.Of(named(after))
	if manifest {
		h.Edge.WakeObjects(named(after))
		if o != nil {
			o.FreeGuarded()
			o.WakeObject(ctx, named(after))
		}
	}
	if o != nil && removals(after) < removals(before) {
		o.FreeGuarded() // one was given back, or another window began
	}
	// The objects that wait for their Organization are told when that has something to say.
	if len(before.Status.Conditions) == 0 && len(after.Status.Conditions) > 0 {
		h.Edge.WakeObjects(named(after))
	}
	if keys := differingLeavers(before, after); len(keys) > 0 {
		h.Edge.WakeOrganization(named(after), edge.Gathering)
		if o != nil {
			o.Wake(pending.Edited, true, keys...)
		}
		if len(before.Status.Leaving) >= declared.MaxLeavers && len(after.Status.Leaving) < declared.MaxLeavers {
			h.Edge.WakeObjects(named(after))
		}
	}
}

// removals are those that are counted in the window.
func removals(org *v1alpha1.Organization) int32 {
	if org.Status.Removals == nil {
		return 0
	}
	return org.Status.Removals.Count
}

// differingLeavers are the keys of those who became leavers, or are none any more.
func differingLeavers(before, after *v1alpha1.Organization) []plan.Key {
	type leaver struct {
		userID string
		since  int64
	}
	leavers := func(org *v1alpha1.Organization) []leaver {
		var all []leaver
		for _, line := range org.Status.Leaving {
			all = append(all, leaver{line.UserID, line.Since.Unix()})
		}
		return all
	}
	var keys []plan.Key
	for _, l := range symmetric(leavers(before), leavers(after)) {
		keys = append(keys, plan.IDKey(l.userID))
	}
	return keys
}

// retain tells of leavers who stay, since their Organization goes. In a namespace that is going no event can be made, so it
// is one of the Namespace then.
func (h *Handlers) retain(ctx context.Context, org *v1alpha1.Organization) {
	if len(org.Status.Leaving) == 0 {
		return
	}
	down, err := h.Cache.NewLook(h.Live).Teardown(ctx, org.Namespace)
	if err != nil {
		log.FromContext(ctx).Error(err, "an event about leavers who stay may be lost", "organization", named(org).String())
	}
	for _, line := range org.Status.Leaving {
		h.Edge.Tell(ctx, org, "Organization", edge.Farewell{
			Reason:  v1alpha1.EventRetained,
			Message: fmt.Sprintf("%s (%s) stays in the organization: Organization %s is gone or being deleted", declared.WhoLeft(line), line.UserID, org.Name),
			Action:  "Leave " + line.UserID, NamespaceGoing: down.Namespace,
		})
	}
}
