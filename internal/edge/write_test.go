package edge

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

var acme = types.NamespacedName{Namespace: "team", Name: "acme"}

// cluster is a cluster of one Organization, each write of whose status goes through patch first.
func cluster(t *testing.T, patch func() error) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	org := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Namespace: acme.Namespace, Name: acme.Name}}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(org).WithStatusSubresource(org).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, subresource string, object client.Object, p client.Patch, options ...client.SubResourcePatchOption) error {
			if err := patch(); err != nil {
				return err
			}
			return c.SubResource(subresource).Patch(ctx, object, p, options...)
		},
	}).Build()
}

func leaves(id string) func(*v1alpha1.Organization) error {
	return func(org *v1alpha1.Organization) error {
		org.Status.Leaving = append(org.Status.Leaving, v1alpha1.Leaver{UserID: id, OrgUser: id, Since: metav1.Now()})
		return nil
	}
}

func leavers(t *testing.T, c client.Reader) []string {
	t.Helper()
	org := &v1alpha1.Organization{}
	if err := c.Get(t.Context(), acme, org); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, line := range org.Status.Leaving {
		ids = append(ids, line.UserID)
	}
	return ids
}

func TestChangesThatComeDuringAWriteAreTheNextOne(t *testing.T) {
	writes, first, goOn := 0, make(chan struct{}), make(chan struct{})
	c := cluster(t, func() error {
		writes++
		if writes == 1 {
			close(first)
			<-goOn
		}
		return nil
	})
	w := newWriter(c.Status(), c)
	done := make(chan error)
	write := func(id string) { go func() { done <- w.Write(t.Context(), acme, leaves(id)) }() }
	write("user-0")
	<-first
	const more = 20
	for i := range more {
		write(fmt.Sprintf("user-%d", i+1))
	}
	for gathered := 0; gathered < more; {
		goruntime.Gosched()
		w.mu.Lock()
		gathered = len(w.batches[acme].next)
		w.mu.Unlock()
	}
	close(goOn)
	for range more + 1 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if ids := leavers(t, c); len(ids) != more+1 || writes != 2 {
		t.Errorf("%d writes of %v", writes, ids)
	}
}

func TestAChangeThatIsRefusedStopsNoOther(t *testing.T) {
	c := cluster(t, func() error { return nil })
	w := newWriter(c.Status(), c)
	refused := errors.New("no")
	changes := []*change{
		{apply: leaves("user-1"), done: make(chan error, 1)},
		{apply: func(org *v1alpha1.Organization) error {
			org.Status.Leaving = nil
			return refused
		}, done: make(chan error, 1)},
		{apply: leaves("user-2"), done: make(chan error, 1)},
	}
	w.writeOnce(t.Context(), acme, changes)
	for i, want := range []error{nil, refused, nil} {
		if err := <-changes[i].done; !errors.Is(err, want) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if ids := leavers(t, c); len(ids) != 2 {
		t.Errorf("wrote %v", ids)
	}
}

func TestAChangeIsMadeAnewOnWhatSomebodyElseWrote(t *testing.T) {
	conflicts := 2
	c := cluster(t, func() error {
		conflicts--
		if conflicts >= 0 {
			return apierrors.NewConflict(schema.GroupResource{Resource: "organizations"}, acme.Name, errors.New("edited"))
		}
		return nil
	})
	applied := 0
	err := newWriter(c.Status(), c).Write(t.Context(), acme, func(org *v1alpha1.Organization) error {
		applied++
		return leaves("user-1")(org)
	})
	if ids := leavers(t, c); err != nil || applied != 3 || len(ids) != 1 {
		t.Errorf("%v after %d tries: %v", err, applied, ids)
	}
}

func TestAWriteOfNothingIsNone(t *testing.T) {
	c := cluster(t, func() error { return errors.New("nothing was to be written") })
	if err := newWriter(c.Status(), c).Write(t.Context(), acme, func(*v1alpha1.Organization) error { return nil }); err != nil {
		t.Error(err)
	}
}
