package wake

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/pending"
)

// OrgUser has an OrgUser looked at when its manifest changes, and whoever it names taken up.
func (h *Handlers) OrgUser() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, _ queue) {
			h.Edge.OrgUsers.Add(named(e.Object), e.IsInInitialList, 0)
			if e.IsInInitialList {
				return // an organization that becomes known takes up everybody
			}
			h.wakeNamed(e.Object)
			h.wakeNaming(ctx, e.Object)
			h.Edge.Recount(declared.OrganizationOf(e.Object))
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, _ queue) {
			manifest := manifestChanged(e.ObjectOld, e.ObjectNew)
			if manifest {
				h.Edge.OrgUsers.Add(named(e.ObjectNew), false, 0)
			}
			if manifest || writtenDown(e.ObjectOld) != writtenDown(e.ObjectNew) {
				h.wakeNamed(e.ObjectOld, e.ObjectNew)
			}
			if e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero() {
				h.wakeNaming(ctx, e.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, _ queue) {
			h.wakeNamed(e.Object)
			h.wakeNaming(ctx, e.Object)
			h.Edge.Recount(declared.OrganizationOf(e.Object))
		},
	}
}

// wakeNamed has whoever the OrgUsers name taken up.
func (h *Handlers) wakeNamed(objects ...client.Object) {
	o := h.Organizations.Of(declared.OrganizationOf(objects[0]))
	if o == nil {
		return
	}
	for _, object := range objects {
		o.Wake(pending.Edited, true, declared.KeysOf(object)...)
	}
}

// wakeNaming has the bindings looked at that name an OrgUser: what they released may have waited for it.
func (h *Handlers) wakeNaming(ctx context.Context, object client.Object) {
	user, ok := object.(*v1alpha1.OrgUser)
	if !ok {
		return
	}
	bindings, err := h.Cache.BindingsNaming(ctx, user)
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which bindings name an OrgUser; the next reading will", "orgUser", named(user).String())
		return
	}
	o := h.Organizations.Of(declared.OrganizationOf(user))
	for i := range bindings {
		h.Edge.Wake(&bindings[i])
		if o != nil {
			o.Wake(pending.Edited, false, lineKeys(&bindings[i])...)
		}
	}
}
