package edge

import (
	"cmp"
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// writer writes the statuses of Organizations.
type writer struct {
	status client.SubResourceWriter
	live   client.Reader

	mu      sync.Mutex
	batches map[types.NamespacedName]*batch
}

func newWriter(status client.SubResourceWriter, live client.Reader) *writer {
	return &writer{status: status, live: live, batches: map[types.NamespacedName]*batch{}}
}

// batch gathers the changes of one Organization's status that come while a write is under way into the next.
type batch struct {
	running bool
	next    []*change
}

type change struct {
	apply func(*v1alpha1.Organization) error
	done  chan error
}

// Write implements organization.Edge. Changes that come together are one write; each sees those before it.
func (w *writer) Write(ctx context.Context, name types.NamespacedName, apply func(*v1alpha1.Organization) error) error {
	mine := &change{apply: apply, done: make(chan error, 1)}
	w.mu.Lock()
	b := w.batches[name]
	if b == nil {
		b = &batch{}
		w.batches[name] = b
	}
	b.next = append(b.next, mine)
	leads := !b.running
	b.running = true
	w.mu.Unlock()
	if leads {
		go w.write(context.WithoutCancel(ctx), name, b)
	}
	select {
	case err := <-mine.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write makes writes until nobody has gathered any more.
func (w *writer) write(ctx context.Context, name types.NamespacedName, b *batch) {
	for {
		w.mu.Lock()
		changes := b.next
		b.next = nil
		if len(changes) == 0 {
			delete(w.batches, name)
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		bounded, cancel := context.WithTimeout(ctx, writeTimeout)
		w.writeOnce(bounded, name, changes)
		cancel()
	}
}

// writeTimeout bounds one write with its reading.
const writeTimeout = 10 * time.Second

func (w *writer) writeOnce(ctx context.Context, name types.NamespacedName, changes []*change) {
	for try := 0; ; try++ {
		errs, err := w.tryWrite(ctx, name, changes)
		if apierrors.IsConflict(err) && try < maxConflicts {
			continue // somebody edited it meanwhile: each change looks again at what it rests on
		}
		for i, change := range changes {
			change.done <- cmp.Or(errs[i], err)
		}
		return
	}
}

const maxConflicts = 5

func (w *writer) tryWrite(ctx context.Context, name types.NamespacedName, changes []*change) ([]error, error) {
	errs := make([]error, len(changes))
	org := &v1alpha1.Organization{}
	if err := w.live.Get(ctx, name, org); err != nil {
		return errs, err
	}
	before := org.DeepCopy()
	for i, change := range changes {
		tried := org.DeepCopy()
		if errs[i] = change.apply(tried); errs[i] == nil {
			org = tried
		}
	}
	if equality.Semantic.DeepEqual(before.Status, org.Status) {
		return errs, nil
	}
	return errs, w.status.Patch(ctx, org, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
