package edge

import (
	"context"
	"math/bits"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Queue is a reconciler's queue as the edge fills it: an object has less priority the more of its namespace wait, so that
// one namespace with very many delays no other.
type Queue struct {
	mu      sync.Mutex
	inner   queue
	waiting map[string]map[types.NamespacedName]bool
	early   []types.NamespacedName
}

func newQueue() *Queue { return &Queue{waiting: map[string]map[types.NamespacedName]bool{}} }

// Source is what a reconciler watches to get what this queue is filled with.
func (q *Queue) Source() source.Source {
	return source.Func(func(_ context.Context, inner queue) error {
		q.use(inner)
		return nil
	})
}

// use fills the queue from now on.
func (q *Queue) use(inner queue) {
	q.mu.Lock()
	q.inner = inner
	early := q.early
	q.early = nil
	q.mu.Unlock()
	for _, name := range early {
		q.Add(name, false, 0)
	}
}

// later is the priority of what nobody waits for: after all that somebody does.
const later = -100

// Add has an object reconciled; background: after what people changed.
func (q *Queue) Add(name types.NamespacedName, background bool, after time.Duration) {
	q.mu.Lock()
	inner := q.inner
	if inner == nil {
		q.early = append(q.early, name)
		q.mu.Unlock()
		return
	}
	if q.waiting[name.Namespace] == nil {
		q.waiting[name.Namespace] = map[types.NamespacedName]bool{}
	}
	q.waiting[name.Namespace][name] = true
	priority := -bits.Len(uint(len(q.waiting[name.Namespace])))
	q.mu.Unlock()
	if background {
		priority += later
	}
	request := reconcile.Request{NamespacedName: name}
	if prioritized, ok := inner.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		prioritized.AddWithOpts(priorityqueue.AddOpts{Priority: new(priority), After: after}, request)
		return
	}
	inner.AddAfter(request, after)
}

// Begun notes that an object is reconciled now.
func (q *Queue) Begun(name types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting[name.Namespace], name)
	if len(q.waiting[name.Namespace]) == 0 {
		delete(q.waiting, name.Namespace)
	}
}
