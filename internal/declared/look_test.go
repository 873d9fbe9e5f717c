package declared

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// together answers no read before so many of them are under way.
type together struct {
	client.Client
	waiting chan struct{}
	all     chan struct{}
}

func newTogether(c client.Client, reads int) *together {
	r := &together{Client: c, waiting: make(chan struct{}, reads), all: make(chan struct{})}
	go func() {
		for range reads {
			<-r.waiting
		}
		close(r.all)
	}()
	return r
}

func (r *together) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	r.waiting <- struct{}{}
	<-r.all
	return r.Client.Get(ctx, key, into, options...)
}

func TestAllObjectsOfAPersonAreReadAtOnce(t *testing.T) {
	org, user, grants := acme(), orgUser("ada", "ada@example.com", "", "user-1"), binding(subjects(email("ada@example.com")))
	kube := clusterOf(t, org, user, grants)
	synctest.Test(t, func(t *testing.T) { // a read that waits for the one before it is a deadlock here
		found := Gathered{
			Organizations: []*v1alpha1.Organization{org}, Users: []*v1alpha1.OrgUser{user}, Bindings: []*v1alpha1.OrgUserRoleBinding{grants},
		}
		now, err := NewCache(kube, time.Now).NewLook(newTogether(kube, 3)).Again(t.Context(), found)
		if err != nil || len(now.Organizations) != 1 || len(now.Users) != 1 || len(now.Bindings) != 1 {
			t.Errorf("read %v, %v", now, err)
		}
	})
}

func TestAnAnswerServesOthersForAMomentAndEachLookKnowsHowOldItsAnswersAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube := clusterOf(t, acme())
		reads := 0
		first := NewCache(kube, time.Now).NewLook(counting{kube, &reads})
		name := client.ObjectKey{Namespace: "team", Name: "acme"}
		begun := time.Now()
		for _, c := range []struct {
			after  time.Duration
			reads  int
			oldest time.Duration
		}{{0, 1, 0}, {shared, 1, 0}, {shared + time.Millisecond, 2, shared + time.Millisecond}} {
			time.Sleep(time.Until(begun.Add(c.after))) //nolint:forbidigo // the bubble's clock
			look := first.Another()
			if _, err := look.Organization(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if reads != c.reads || look.Oldest().Sub(begun) != c.oldest {
				t.Errorf("after %s: %d reads, the oldest from %s", c.after, reads, look.Oldest().Sub(begun))
			}
		}
	})
}

func TestWhatWasWrittenIsReadAnew(t *testing.T) {
	kube := clusterOf(t, acme())
	reads := 0
	look := NewCache(kube, time.Now).NewLook(counting{kube, &reads})
	name := client.ObjectKey{Namespace: "team", Name: "acme"}
	for _, ask := range []func(){func() {}, func() {}, func() { look.Changed(name) }} {
		ask()
		if _, err := look.Organization(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if reads != 2 {
		t.Errorf("%d reads, want one and one after the write", reads)
	}
}

// counting counts the reads.
type counting struct {
	client.Client
	reads *int
}

func (c counting) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	*c.reads++
	return c.Client.Get(ctx, key, into, options...)
}
