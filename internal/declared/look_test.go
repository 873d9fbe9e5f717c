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
