package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Who is woken by what. Handlers run after the cache has what they tell of.

// filledBy is the source of a queue that the edge fills.
func filledBy(f *fair) source.Source {
	return source.Func(func(_ context.Context, q queue) error {
		f.use(q)
		return nil
	})
}

// countDelay gathers changes that come together into one count.
const countDelay = 3 * time.Second

// orgUserWakes has an OrgUser looked at when its manifest changes, and whoever it names taken up.
func (r *OrgUserReconciler) orgUserWakes() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, _ queue) {
			r.edge.orgUsers.add(named(e.Object), e.IsInInitialList, 0)
			if e.IsInInitialList {
				return // an organization that becomes known takes up everybody
			}
			r.wakeNamed(e.Object)
			r.wakeNaming(ctx, e.Object)
			r.edge.WakeOrganization(declared.OrganizationOf(e.Object), countDelay)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, _ queue) {
			manifest := manifestChanged(e.ObjectOld, e.ObjectNew)
			if manifest {
				r.edge.orgUsers.add(named(e.ObjectNew), false, 0)
			}
			if manifest || writtenDown(e.ObjectOld) != writtenDown(e.ObjectNew) {
				r.wakeNamed(e.ObjectOld, e.ObjectNew)
			}
			if e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero() {
				r.wakeNaming(ctx, e.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, _ queue) {
			r.wakeNamed(e.Object)
			r.wakeNaming(ctx, e.Object)
			r.edge.WakeOrganization(declared.OrganizationOf(e.Object), countDelay)
		},
	}
}

// wakeNamed has whoever the OrgUsers name taken up.
func (r *OrgUserReconciler) wakeNamed(objects ...client.Object) {
	o := r.organizations.Of(declared.OrganizationOf(objects[0]))
	if o == nil {
		return
	}
	for _, object := range objects {
		o.Wake(pending.Edited, true, declared.KeysOf(object)...)
	}
}

// wakeNaming has the bindings looked at that name an OrgUser: what they released may have waited for it.
func (r *OrgUserReconciler) wakeNaming(ctx context.Context, object client.Object) {
	user, ok := object.(*v1alpha1.OrgUser)
	if !ok {
		return
	}
	bindings, err := r.cache.BindingsNaming(ctx, user)
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which bindings name an OrgUser; the next reading will", "orgUser", named(user).String())
		return
	}
	o := r.organizations.Of(declared.OrganizationOf(user))
	for i := range bindings {
		r.edge.Wake(&bindings[i])
		if o != nil {
			o.Wake(pending.Edited, false, lineKeys(&bindings[i])...)
		}
	}
}

// manifestChanged says whether a person changed an object: its spec, a pause, or that it goes. What the controllers
// write themselves is none of these.
func manifestChanged(before, after client.Object) bool {
	return before.GetGeneration() != after.GetGeneration() || before.GetUID() != after.GetUID() || declared.Paused(before) != declared.Paused(after) ||
		before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero()
}

// writtenDown is what an object has written down of whom it means: the user, and that it is kept until they are let go.
func writtenDown(object client.Object) string {
	id := ""
	if user, ok := object.(*v1alpha1.OrgUser); ok {
		id = user.Status.UserID
	}
	return fmt.Sprint(id, controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer))
}

// bindingWakes has a binding looked at when its manifest changes, and those taken up of whom it says something else now.
func (r *OrgUserRoleBindingReconciler) bindingWakes() handler.EventHandler {
	wake := func(binding *v1alpha1.OrgUserRoleBinding, keys []plan.Key) {
		if o := r.organizations.Of(declared.OrganizationOf(binding)); o != nil {
			o.Wake(pending.Edited, true, keys...)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, _ queue) {
			r.edge.bindings.add(named(e.Object), e.IsInInitialList, 0)
			if binding, ok := e.Object.(*v1alpha1.OrgUserRoleBinding); ok && !e.IsInInitialList {
				wake(binding, r.everybody(ctx, binding))
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
				r.edge.bindings.add(named(after), false, 0)
			}
			all := writtenDown(before) != writtenDown(after) || declared.Paused(before) != declared.Paused(after) ||
				before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() || before.Status.RoleID != after.Status.RoleID
			switch {
			case all:
				wake(after, append(r.everybody(ctx, before), r.everybody(ctx, after)...))
			default:
				wake(after, r.differing(ctx, before, after))
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, _ queue) {
			if binding, ok := e.Object.(*v1alpha1.OrgUserRoleBinding); ok {
				wake(binding, r.everybody(ctx, binding))
				r.cache.Forget(binding.UID)
				r.forgetWritten(string(binding.UID))
			}
		},
	}
}

// everybody are the keys of all whom a binding names or remembers.
func (r *OrgUserRoleBindingReconciler) everybody(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) []plan.Key {
	keys := declared.KeysOf(binding)
	for _, subject := range binding.Spec.Subjects {
		keys = append(keys, r.throughOrgUser(ctx, binding, subject)...)
	}
	return keys
}

// throughOrgUser are the keys of whom a subject names through an OrgUser.
func (r *OrgUserRoleBindingReconciler) throughOrgUser(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding, subject v1alpha1.Subject) []plan.Key {
	if subject.OrgUser == "" {
		return nil
	}
	user := &v1alpha1.OrgUser{}
	if err := r.Get(ctx, types.NamespacedName{Namespace: binding.Namespace, Name: subject.OrgUser}, user); err != nil {
		return nil // when it comes, it wakes them
	}
	return declared.KeysOf(user)
}

// differing are the keys of those whose subject or line differs. A state or a message wakes nobody.
func (r *OrgUserRoleBindingReconciler) differing(ctx context.Context, before, after *v1alpha1.OrgUserRoleBinding) []plan.Key {
	var keys []plan.Key
	if before.Generation != after.Generation {
		for _, subject := range symmetric(before.Spec.Subjects, after.Spec.Subjects) {
			if subject.UserID != "" {
				keys = append(keys, plan.IDKey(subject.UserID))
			}
			if subject.Email != "" {
				keys = append(keys, plan.EmailKey(subject.Email))
			}
			keys = append(keys, r.throughOrgUser(ctx, after, subject)...)
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

// symmetric are the items that only one of the two has.
func symmetric[T comparable](a, b []T) []T {
	if slices.Equal(a, b) {
		return nil
	}
	count := map[T]int{}
	for _, item := range a {
		count[item] |= 1
	}
	for _, item := range b {
		count[item] |= 2
	}
	var only []T
	for item, in := range count {
		if in != 3 {
			only = append(only, item)
		}
	}
	return only
}

// organizationWakes has an Organization looked at when its manifest changes, and all of its objects and people with it.
func (r *OrganizationReconciler) organizationWakes() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, _ queue) {
			if org, ok := e.Object.(*v1alpha1.Organization); ok {
				r.organizations.Noted(named(org), link.PairOf(org))
				r.edge.WakeOrganization(named(org), 0)
				r.edge.WakeObjects(named(org))
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, _ queue) {
			before, ok := e.ObjectOld.(*v1alpha1.Organization)
			after, also := e.ObjectNew.(*v1alpha1.Organization)
			if !ok || !also {
				return
			}
			r.changed(ctx, before, after)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, _ queue) {
			if org, ok := e.Object.(*v1alpha1.Organization); ok {
				if org.DeletionTimestamp.IsZero() {
					r.retain(ctx, org)
				}
				r.edge.WakeOrganization(named(org), 0)
				r.edge.WakeObjects(named(org))
			}
		},
	}
}

// changed wakes who is concerned by a change of an Organization.
func (r *OrganizationReconciler) changed(ctx context.Context, before, after *v1alpha1.Organization) {
	r.organizations.Noted(named(after), link.PairOf(after))
	manifest := manifestChanged(before, after)
	if manifest || requestOf(before) != requestOf(after) {
		r.edge.WakeOrganization(named(after), 0)
	}
	if !before.DeletionTimestamp.Equal(after.DeletionTimestamp) || before.UID != after.UID {
		r.retain(ctx, before)
	}
	o := r.organizations.Of(named(after))
	if manifest {
		r.edge.WakeObjects(named(after))
		if o != nil {
			o.FreeGuarded()
			o.WakeObject(ctx, named(after))
		}
	}
	// The objects that wait for their Organization are told when that has something to say.
	if len(before.Status.Conditions) == 0 && len(after.Status.Conditions) > 0 {
		r.edge.WakeObjects(named(after))
	}
	if keys := differingLeavers(before, after); len(keys) > 0 {
		r.edge.WakeOrganization(named(after), gathering)
		if o != nil {
			o.Wake(pending.Edited, true, keys...)
		}
		if len(before.Status.Leaving) >= maxLeavers && len(after.Status.Leaving) < maxLeavers {
			r.edge.WakeObjects(named(after))
		}
	}
}

// differingLeavers are the keys of those who became leavers, or are none any more.
func differingLeavers(before, after *v1alpha1.Organization) []plan.Key {
	if equality.Semantic.DeepEqual(before.Status.Leaving, after.Status.Leaving) {
		return nil
	}
	ids := func(org *v1alpha1.Organization) []string {
		var all []string
		for _, line := range org.Status.Leaving {
			all = append(all, line.UserID+" "+line.Since.String())
		}
		return all
	}
	var keys []plan.Key
	for _, id := range symmetric(ids(before), ids(after)) {
		keys = append(keys, plan.IDKey(id[:slices.Index([]byte(id), ' ')]))
	}
	return keys
}

// retain tells of leavers who stay, since their Organization goes. In a namespace that is going no event can be made, so it
// is one of the Namespace then.
func (r *OrganizationReconciler) retain(ctx context.Context, org *v1alpha1.Organization) {
	if len(org.Status.Leaving) == 0 {
		return
	}
	down, err := r.cache.NewLook(r.live).Teardown(ctx, org.Namespace)
	if err != nil {
		log.FromContext(ctx).Error(err, "an event about leavers who stay may be lost", "organization", named(org).String())
	}
	for _, line := range org.Status.Leaving {
		farewell{
			reason:  v1alpha1.EventRetained,
			message: fmt.Sprintf("%s (%s) stays in the organization: Organization %s is gone or being deleted", whoLeft(line), line.UserID, org.Name),
			action:  "Leave " + line.UserID, namespaceGoing: down.Namespace,
		}.tell(ctx, r.events, org, "Organization")
	}
}
