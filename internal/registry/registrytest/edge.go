package registrytest

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Edge writes into the cluster and keeps what it is told.
type Edge struct {
	*Cluster
	mu     sync.Mutex
	made   []organization.Made
	Woken  map[types.NamespacedName]int
	orgs   map[types.NamespacedName]int
	writes int
	// Writing is called before a write.
	Writing func() error
}

// Wake implements organization.Edge.
func (e *Edge) Wake(object client.Object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Woken[client.ObjectKeyFromObject(object)]++
}

// WakeOrganization implements organization.Edge.
func (e *Edge) WakeOrganization(name types.NamespacedName, _ time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.orgs[name]++
}

// WakeObjects implements organization.Edge.
func (e *Edge) WakeObjects(types.NamespacedName) {}

// Made implements organization.Edge.
func (e *Edge) Made(_ context.Context, made organization.Made) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made = append(e.made, made)
}

// Write implements organization.Edge.
func (e *Edge) Write(_ context.Context, name types.NamespacedName, change func(*v1alpha1.Organization) error) error {
	if e.Writing != nil {
		if err := e.Writing(); err != nil {
			return err
		}
	}
	org := &v1alpha1.Organization{}
	if err := e.Get(context.Background(), name, org); err != nil {
		return err
	}
	if err := change(org); err != nil {
		return err
	}
	e.Put(org)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writes++
	return nil
}

// IDsOf are the users that steps were made of, in order.
func (e *Edge) IDsOf(verb plan.Verb) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for _, made := range e.made {
		if made.Step.Verb == verb {
			ids = append(ids, made.Step.UserID)
		}
	}
	slices.Sort(ids)
	return ids
}
