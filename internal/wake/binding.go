package wake

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Binding has a binding looked at when its manifest changes, and those taken up of whom it says something else now.
func (h *Handlers) Binding() handler.EventHandler {
	wake := func(binding *v1alpha1.OrgUserRoleBinding, keys []plan.Key) {
		if o := h.Organizations.Of(declared.OrganizationOf(binding)); o != nil {
			o.Wake(pending.Edited, true, keys...)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, _ queue) {
			h.Edge.Bindings.Add(named(e.Object), e.IsInInitialList, 0)
			if binding, ok := e.Object.(*v1alpha1.OrgUserRoleBinding); ok && !e.IsInInitialList {
				wake(binding, h.everybody(ctx, binding))
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, _ queue) {
			before, ok := e.ObjectOld.(*v1alpha1.OrgUserRoleBinding)
			after, also := e.ObjectNew.(*v1alpha1.OrgUserRoleBinding)
			if !ok || !also {
				return
			}
			manifest := manifestChanged(before, after)
			if manifest {
				h.Edge.Bindings.Add(named(after), false, 0)
			}
			all := writtenDown(before) != writtenDown(after) || declared.Paused(before) != declared.Paused(after) ||
				before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() || before.Status.RoleID != after.Status.RoleID
			switch {
			case all:
				wake(after, append(h.everybody(ctx, before), h.everybody(ctx, after)...))
			default:
				wake(after, h.differing(ctx, before, after))
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, _ queue) {
			if binding, ok := e.Object.(*v1alpha1.OrgUserRoleBinding); ok {
				wake(binding, h.everybody(ctx, binding))
				h.Cache.Forget(binding.UID)
				h.Edge.Bindings.Add(named(binding), false, 0) // nothing is kept of one that is gone
			}
		},
	}
}

// everybody are the keys of all whom a binding names or remembers.
func (h *Handlers) everybody(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) []plan.Key {
	keys := declared.KeysOf(binding)
	for _, subject := range binding.Spec.Subjects {
		keys = append(keys, h.throughOrgUser(ctx, binding, subject)...)
	}
	return keys
}

// throughOrgUser are the keys of whom a subject names through an OrgUser.
func (h *Handlers) throughOrgUser(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding, subject v1alpha1.Subject) []plan.Key {
	if subject.OrgUser == "" {
		return nil
	}
	user := &v1alpha1.OrgUser{}
	if err := h.Client.Get(ctx, types.NamespacedName{Namespace: binding.Namespace, Name: subject.OrgUser}, user); err != nil {
		return nil // when it comes, it wakes them
	}
	return declared.KeysOf(user)
}

// differing are the keys of those whose subject or line differs. A state or a message wakes nobody.
func (h *Handlers) differing(ctx context.Context, before, after *v1alpha1.OrgUserRoleBinding) []plan.Key {
	var keys []plan.Key
	if before.Generation != after.Generation {
		for _, subject := range symmetric(before.Spec.Subjects, after.Spec.Subjects) {
			if subject.UserID != "" {
				keys = append(keys, plan.IDKey(subject.UserID))
			}
			if subject.Email != "" {
				keys = append(keys, plan.EmailKey(subject.Email))
			}
			keys = append(keys, h.throughOrgUser(ctx, after, subject)...)
		}
		keys = append(keys, lineKeys(after)...)
	}
	for _, line := range symmetric(remembered(before), remembered(after)) {
		keys = append(keys, plan.IDKey(line.UserID))
	}
	return keys
}

// lineKeys are the keys of those whom the binding's status remembers.
func lineKeys(binding *v1alpha1.OrgUserRoleBinding) []plan.Key {
	var keys []plan.Key
	for _, line := range remembered(binding) {
		keys = append(keys, plan.IDKey(line.UserID))
	}
	return keys
}

// remembered are the lines of a binding, without what comes and goes.
func remembered(binding *v1alpha1.OrgUserRoleBinding) []v1alpha1.SubjectStatus {
	var lines []v1alpha1.SubjectStatus
	for _, line := range binding.Status.Subjects {
		if line.UserID != "" {
			lines = append(lines, v1alpha1.SubjectStatus{Subject: line.Subject, UserID: line.UserID})
		}
	}
	return lines
}
