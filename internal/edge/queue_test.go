package edge

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// added is a reconciler's queue that keeps the priority of what was added last, by name.
type added struct {
	priorityqueue.PriorityQueue[reconcile.Request]

	priorities map[types.NamespacedName]int
}

func (a *added) AddWithOpts(o priorityqueue.AddOpts, requests ...reconcile.Request) {
	for _, request := range requests {
		a.priorities[request.NamespacedName] = *o.Priority
	}
}

func name(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func TestANamespaceWithManyDelaysNoOther(t *testing.T) {
	q, inner := newQueue(), &added{priorities: map[types.NamespacedName]int{}}
	q.use(inner)
	for i := range 100 {
		q.Add(name("many", strconv.Itoa(i)), false, 0)
	}
	last := name("many", "last")
	q.Add(last, false, 0)
	q.Add(name("few", "only"), false, 0)
	if many, few := inner.priorities[last], inner.priorities[name("few", "only")]; few <= many {
		t.Errorf("the only one of its namespace has priority %d, one of very many %d", few, many)
	}
	q.Add(name("many", "background"), true, 0)
	if background, many := inner.priorities[name("many", "background")], inner.priorities[last]; background >= many {
		t.Errorf("what nobody waits for has priority %d, what somebody does %d", background, many)
	}
	for waiting := range q.waiting[lane{"many", false}] {
		q.Begun(waiting)
	}
	q.Add(last, false, 0)
	if many, few := inner.priorities[last], inner.priorities[name("few", "only")]; many != few {
		t.Errorf("the others of its namespace are done, and it still has priority %d instead of %d", many, few)
	}
}

func TestWhatIsSaidOfAFewDoesNotWaitForVeryManyEdits(t *testing.T) {
	q, inner := newQueue(), &added{priorities: map[types.NamespacedName]int{}}
	q.use(inner)
	for i := range 1000 {
		q.Add(name("many", strconv.Itoa(i)), false, 0)
	}
	q.Add(name("few", "said"), true, 0)
	if many, few := inner.priorities[name("many", "999")], inner.priorities[name("few", "said")]; few <= many {
		t.Errorf("what is to be said of the only one of its namespace has priority %d, an edit of very many %d", few, many)
	}
}

func TestWhatIsAddedBeforeTheReconcilerStartsIsNotLost(t *testing.T) {
	q, inner := newQueue(), &added{priorities: map[types.NamespacedName]int{}}
	q.Add(name("team", "early"), false, time.Hour)
	q.use(inner)
	if _, there := inner.priorities[name("team", "early")]; !there {
		t.Error("it is lost")
	}
}
