package controller

import (
	"math/bits"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// backoff spaces the tries after an error: 0.5 s, doubling up to 2 min.
func backoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](500*time.Millisecond, 2*time.Minute)
}

// fair is a reconciler's queue as the edge fills it: an object has less priority the more of its namespace wait, so that
// one namespace with very many delays no other.
type fair struct {
	mu      sync.Mutex
	queue   queue
	waiting map[string]map[types.NamespacedName]bool
	early   []types.NamespacedName
}

func newFair() *fair { return &fair{waiting: map[string]map[types.NamespacedName]bool{}} }

// use fills the queue from now on.
func (f *fair) use(q queue) {
	f.mu.Lock()
	f.queue = q
	early := f.early
	f.early = nil
	f.mu.Unlock()
	for _, name := range early {
		f.add(name, false, 0)
	}
}

// later is the priority of what nobody waits for: after all that somebody does.
const later = -100

// add has an object reconciled; background: after what people changed.
func (f *fair) add(name types.NamespacedName, background bool, after time.Duration) {
	f.mu.Lock()
	q := f.queue
	if q == nil {
		f.early = append(f.early, name)
		f.mu.Unlock()
		return
	}
	if f.waiting[name.Namespace] == nil {
		f.waiting[name.Namespace] = map[types.NamespacedName]bool{}
	}
	f.waiting[name.Namespace][name] = true
	priority := -bits.Len(uint(len(f.waiting[name.Namespace])))
	f.mu.Unlock()
	if background {
		priority += later
	}
	request := reconcile.Request{NamespacedName: name}
	if prioritized, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		prioritized.AddWithOpts(priorityqueue.AddOpts{Priority: new(priority), After: after}, request)
		return
	}
	q.AddAfter(request, after)
}

// begun notes that an object is reconciled now.
func (f *fair) begun(name types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting[name.Namespace], name)
	if len(f.waiting[name.Namespace]) == 0 {
		delete(f.waiting, name.Namespace)
	}
}
