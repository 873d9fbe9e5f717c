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
	mu    sync.Mutex
	inner queue
	// waiting has the objects that wait, by namespace: those that somebody waits for, and those of the background.
	waiting map[lane]map[types.NamespacedName]bool
	early   []early
}

// lane is of what is added for people, or in the background, of one namespace.
type lane struct {
	namespace  string
	background bool
}

// early is what was added before the reconciler started.
type early struct {
	name       types.NamespacedName
	background bool
	after      time.Duration
}

func newQueue() *Queue { return &Queue{waiting: map[lane]map[types.NamespacedName]bool{}} }

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
	for _, e := range early {
		q.Add(e.name, e.background, e.after)
	}
}

// later is how much less priority the background has: it comes after what people changed while fewer than 128 of a namespace
// wait for that. Where more do, what is to be said of others goes before the rest of them: else very many edits at once would
// keep everybody from hearing anything.
const later = 7

// Add has an object reconciled; background: nobody waits for it.
func (q *Queue) Add(name types.NamespacedName, background bool, after time.Duration) {
	q.mu.Lock()
	inner := q.inner
	if inner == nil {
		q.early = append(q.early, early{name, background, after})
		q.mu.Unlock()
		return
	}
	l := lane{name.Namespace, background}
	if q.waiting[l] == nil {
		q.waiting[l] = map[types.NamespacedName]bool{}
	}
	q.waiting[l][name] = true
	priority := -bits.Len(uint(len(q.waiting[l])))
	q.mu.Unlock()
	if background {
		priority -= later
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
	for _, l := range []lane{{name.Namespace, false}, {name.Namespace, true}} {
		delete(q.waiting[l], name)
		if len(q.waiting[l]) == 0 {
			delete(q.waiting, l)
		}
	}
}
