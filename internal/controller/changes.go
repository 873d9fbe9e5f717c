package controller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// backoff spaces the tries after an error: 0.5 s, doubling up to 2 min.
func backoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](500*time.Millisecond, 2*time.Minute)
}

// specChanges leaves out what the controllers write themselves: status and finalizers. A deletion changes
// the generation.
func specChanges() builder.ForOption {
	return builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, annotationChanges(v1alpha1.PausedAnnotation)))
}

func comingsAndGoings() builder.WatchesOption {
	return builder.WithPredicates(predicate.Funcs{
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}

// changes is a source of the objects that an Event concerns. They come after what people changed.
func changes(connections *Connections, concerned func(context.Context, Event) ([]types.NamespacedName, error)) source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		connections.Subscribe(func(event Event) {
			names, err := concerned(ctx, event)
			if err != nil {
				log.FromContext(ctx).Error(err, "cannot tell which objects a change in the organization concerns; the next resync will", "organization", event.Organization)
			}
			enqueue(q, names)
		})
		return nil
	})
}

func enqueue(q queue, names []types.NamespacedName) {
	requests := make([]reconcile.Request, len(names))
	for i, name := range names {
		requests[i] = reconcile.Request{NamespacedName: name}
	}
	if prioritized, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		prioritized.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, requests...)
		return
	}
	for _, request := range requests {
		q.Add(request)
	}
}

func orgUsersConcerned(find finder) func(context.Context, Event) ([]types.NamespacedName, error) {
	return func(ctx context.Context, event Event) ([]types.NamespacedName, error) {
		var users []*v1alpha1.OrgUser
		for _, index := range indexesFor(event) {
			listed, err := find.orgUsers(ctx, event.Organization.Namespace, index, event.Organization.Name)
			if err != nil {
				return nil, err
			}
			for i := range listed {
				users = append(users, &listed[i])
			}
		}
		named, err := find.orgUsersOf(ctx, []types.NamespacedName{event.Organization}, event.Keys)
		return namesOf(append(users, named...)), err
	}
}

func bindingsConcerned(find finder) func(context.Context, Event) ([]types.NamespacedName, error) {
	return func(ctx context.Context, event Event) ([]types.NamespacedName, error) {
		var bindings []*v1alpha1.OrgUserRoleBinding
		for _, index := range indexesFor(event) {
			listed, err := find.bindings(ctx, event.Organization.Namespace, index, event.Organization.Name)
			if err != nil {
				return nil, err
			}
			for i := range listed {
				bindings = append(bindings, &listed[i])
			}
		}
		named, err := find.bindingsOf(ctx, []types.NamespacedName{event.Organization}, event.Keys)
		return namesOf(append(bindings, named...)), err
	}
}

func indexesFor(event Event) []string {
	switch {
	case event.All:
		return []string{byOrganization}
	case event.Unsettled:
		return []string{byUnsettled}
	}
	return nil
}

func namesOf[T client.Object](objects []T) []types.NamespacedName {
	names := make([]types.NamespacedName, len(objects))
	for i, object := range objects {
		names[i] = client.ObjectKeyFromObject(object)
	}
	return names
}

// rivalsOf has the other OrgUsers of the same person looked at when one comes or goes: one of them acts.
func rivalsOf(connections *Connections, find finder) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		user, ok := object.(*v1alpha1.OrgUser)
		if !ok {
			return nil
		}
		keys := []roster.Key{personOf(user)}
		organizations := []types.NamespacedName{organizationOf(user)}
		if conn, ok := connections.For(organizations[0]); ok {
			siblings, err := find.siblings(ctx, connections, conn)
			if err != nil {
				log.FromContext(ctx).Error(err, "cannot tell which OrgUsers declare the same person; the next resync will", "orgUser", client.ObjectKeyFromObject(user))
				return nil
			}
			organizations = siblings
			for _, known := range conn.roster.Known(keys[0]) {
				keys = roster.Keys(known)
			}
		}
		users, err := find.orgUsersOf(ctx, organizations, keys)
		if err != nil {
			log.FromContext(ctx).Error(err, "cannot tell which OrgUsers declare the same person; the next resync will", "orgUser", client.ObjectKeyFromObject(user))
		}
		users = slices.DeleteFunc(users, func(other *v1alpha1.OrgUser) bool { return other.UID == user.UID })
		return requestsFor(namesOf(users))
	})
}

// bindingsNaming has the bindings looked at that name an OrgUser.
func bindingsNaming(find finder) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		bindings, err := find.bindings(ctx, object.GetNamespace(), byOrgUser, indexValue(organizationOf(object).Name, object.GetName()))
		if err != nil {
			log.FromContext(ctx).Error(err, "cannot tell which bindings name an OrgUser; the next resync will", "orgUser", client.ObjectKeyFromObject(object))
		}
		names := make([]types.NamespacedName, len(bindings))
		for i := range bindings {
			names[i] = client.ObjectKeyFromObject(&bindings[i])
		}
		return requestsFor(names)
	})
}

func requestsFor(names []types.NamespacedName) []reconcile.Request {
	requests := make([]reconcile.Request, len(names))
	for i, name := range names {
		requests[i] = reconcile.Request{NamespacedName: name}
	}
	return requests
}
