// Package wake says who is woken by what: for each event of an informer which objects are looked at, and which people are
// taken up. Its handlers run after the cache has what they tell of.
package wake

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/edge"
	"github.com/rollcall-dev/rollcall/internal/registry"
)

// Handlers wake whom the events of the three kinds concern.
type Handlers struct {
	Client client.Reader
	// Live reads past the cache.
	Live          client.Reader
	Cache         *declared.Cache
	Edge          *edge.Edge
	Organizations *registry.Organizations
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// named is the key of an object.
func named(object client.Object) types.NamespacedName { return client.ObjectKeyFromObject(object) }

// manifestChanged says whether a person changed an object: its spec, a pause, or that it goes. What the controllers
// write themselves is none of these.
func manifestChanged(before, after client.Object) bool {
	return before.GetGeneration() != after.GetGeneration() || before.GetUID() != after.GetUID() || declared.Paused(before) != declared.Paused(after) ||
		before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero()
}

// written is what an object has written down of whom it means: the user, and that it is kept until they are let go.
type written struct {
	userID string
	kept   bool
}

func writtenDown(object client.Object) written {
	w := written{kept: controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer)}
	if user, ok := object.(*v1alpha1.OrgUser); ok {
		w.userID = user.Status.UserID
	}
	return w
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
