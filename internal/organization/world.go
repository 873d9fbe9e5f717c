package organization

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Edge is what an organization asks of the edge to Kubernetes. No method waits for an organization.
type Edge interface {
	// Wake has an object looked at soon: what is to be said of it may have changed.
	Wake(object client.Object)
	// WakeOrganization has an Organization object looked at after a while.
	WakeOrganization(name types.NamespacedName, after time.Duration)
	// WakeObjects has all objects of an Organization looked at.
	WakeObjects(name types.NamespacedName)
	// Write changes the status of an Organization on what it is at that moment, or fails.
	Write(ctx context.Context, name types.NamespacedName, change func(*v1alpha1.Organization) error) error
	// Made tells of a step that was made.
	Made(ctx context.Context, made Made)
}

// Made is a step that was made.
type Made struct {
	Step plan.Step
	// Asker is the Organization object whose manifest asked for it, Objects all that speak of the person.
	Asker types.NamespacedName
	// For are the UIDs of the objects that called for it.
	For     []string
	Objects declared.Gathered
	// Undeclared: no object declares what was taken.
	Undeclared bool
}

// World is what all organizations share, none of which leads from one to another.
type World struct {
	Cache *declared.Cache
	// Live reads past the cache.
	Live  client.Reader
	Edge  Edge
	Looks *Metrics
	Log   logr.Logger
	Now   func() time.Time
	// Timeout bounds one request.
	Timeout time.Duration
	// LandedBy is when the last request of a manager before this one has landed; zero: there is none.
	LandedBy time.Time
}

// namespacedName is how Kubernetes names what plans call a Ref.
type namespacedName = types.NamespacedName
