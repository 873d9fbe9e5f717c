// Package edge is what organizations ask of Kubernetes: objects are woken, what is counted is written, and what was made is
// told.
package edge

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/organization"
)

// Edge implements organization.Edge.
type Edge struct {
	*writer

	// OrgUsers, Bindings and Organizations are the queues of the reconcilers.
	OrgUsers, Bindings, Organizations *Queue

	cache  *declared.Cache
	events events.EventRecorder

	mu sync.Mutex
	// made are the steps that a binding made and has not told yet, by its UID.
	made map[types.UID][]madeStep
	// removed are the leavers whom rollcall removed, until their lines go.
	removed map[leaver]bool
}

var _ organization.Edge = (*Edge)(nil)

// New returns an Edge. live reads past the cache.
func New(c client.Client, live client.Reader, cache *declared.Cache, recorder events.EventRecorder) *Edge {
	return &Edge{
		writer: newWriter(c.Status(), live), OrgUsers: newQueue(), Bindings: newQueue(), Organizations: newQueue(),
		cache: cache, events: recorder, made: map[types.UID][]madeStep{}, removed: map[leaver]bool{},
	}
}

// Wake implements organization.Edge.
func (e *Edge) Wake(object client.Object) {
	name := client.ObjectKeyFromObject(object)
	switch o := object.(type) {
	case *v1alpha1.OrgUser:
		e.OrgUsers.Add(name, true, 0)
	case *v1alpha1.OrgUserRoleBinding:
		// What is to be said of a binding is asked for each of its subjects, and each of them wakes it.
		e.Bindings.Add(name, true, max(Gathering, time.Duration(len(o.Spec.Subjects))*gatheringASubject))
	case *v1alpha1.Organization:
		e.Organizations.Add(name, true, Gathering)
	}
}

const (
	// Gathering has what comes together looked at together.
	Gathering = 50 * time.Millisecond
	// gatheringASubject is that for each subject of a binding, where it is more.
	gatheringASubject = 2 * time.Millisecond
)

// WakeOrganization implements organization.Edge.
func (e *Edge) WakeOrganization(name types.NamespacedName, after time.Duration) {
	e.Organizations.Add(name, false, after)
}

// WakeObjects implements organization.Edge.
func (e *Edge) WakeObjects(name types.NamespacedName) {
	ctx := context.Background()
	users, err := e.cache.OrgUsers(ctx, name)
	if err != nil {
		log.Log.Error(err, "cannot tell which objects an Organization has; the next reading will", "organization", name.String())
	}
	for i := range users {
		e.OrgUsers.Add(client.ObjectKeyFromObject(&users[i]), true, 0)
	}
	bindings, err := e.cache.Bindings(ctx, name)
	if err != nil {
		log.Log.Error(err, "cannot tell which objects an Organization has; the next reading will", "organization", name.String())
	}
	for i := range bindings {
		e.Bindings.Add(client.ObjectKeyFromObject(&bindings[i]), true, 0)
	}
}

// Recount has an Organization looked at since its counts may have changed. Changes that come together are one count.
func (e *Edge) Recount(name types.NamespacedName) { e.WakeOrganization(name, 3*time.Second) }
