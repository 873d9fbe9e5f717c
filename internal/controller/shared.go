package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/edge"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/registry"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// shared is what the reconcilers have in common.
type shared struct {
	client.Client
	// live reads past the cache.
	live          client.Reader
	cache         *declared.Cache
	edge          *edge.Edge
	organizations *registry.Organizations
	events        events.EventRecorder
}

// organizationOf returns the Organization of an object and, where its key is good, the organization. Else the verdict says
// what the object waits for: while there is nothing new to be known, one that was ready stays as it is, since a restart
// or an outage must not turn everything red.
func (s *shared) organizationOf(ctx context.Context, object client.Object) (*v1alpha1.Organization, *organization.Organization, verdict.Verdict, error) {
	name := declared.OrganizationOf(object)
	org, err := s.cache.Organization(ctx, name)
	if err != nil {
		return nil, nil, verdict.Verdict{}, err
	}
	ref := declared.RefOf(object)
	ref.Name = name.Name
	stays := object.GetDeletionTimestamp().IsZero() && declared.Settled(object)
	switch {
	case org == nil || !org.DeletionTimestamp.IsZero():
		if stays {
			return org, nil, verdict.AsItWas(), nil
		}
		return org, nil, verdict.OrganizationMissing(ref), nil
	case declared.Paused(org):
		if stays {
			return org, nil, verdict.AsItWas(), nil
		}
		return org, nil, verdict.OrganizationPaused(ref), nil
	}
	if o := s.organizations.Usable(name); o != nil {
		return org, o, verdict.Verdict{}, nil
	}
	if stays || len(org.Status.Conditions) == 0 {
		// With no condition the first reading is under way: whatever comes of it, the object is looked at again then.
		return org, nil, verdict.AsItWas(), nil
	}
	return org, nil, verdict.OrganizationNotReady(ref), nil
}

// announce sends the event of an object that comes into trouble or out of it.
func (s *shared) announce(object client.Object, before []metav1.Condition, v verdict.Verdict) {
	event, ok := verdict.Turn(before, v)
	if !ok {
		return
	}
	kind := "Normal"
	if event.Warning {
		kind = "Warning"
	}
	s.events.Eventf(object, nil, kind, event.Reason, "Reconcile", "%s", event.Note)
}

// maxNote is what the API server takes, 1,024 bytes, less the dots of a cut.
const maxNote = 1024 - len("...")

// brief cuts the notes of events: one that is too long would be lost.
type brief struct{ events.EventRecorder }

func (b brief) Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any) {
	b.EventRecorder.Eventf(regarding, related, eventtype, reason, action, "%s", verdict.Cut(fmt.Sprintf(note, args...), maxNote))
}
