package organization

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/openai"
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

// Options are what Organizations need.
type Options struct {
	Cache *declared.Cache
	// Live reads past the cache.
	Live    client.Reader
	Edge    Edge
	Metrics *openai.Metrics
	Looks   *Metrics
	Log     logr.Logger
	Now     func() time.Time
	// RequestTimeout bounds one request. 0: 30 s.
	RequestTimeout time.Duration
	// Linger is how long after a start requests of a manager before this one may still land. 0: 60 s; negative: not at all,
	// as where leader election sees to it.
	Linger time.Duration
	// Transport carries the requests to the organizations. nil: connections of each client's own.
	Transport http.RoundTripper
}

// world is what all organizations share, none of which leads from one to another.
type world struct {
	cache   *declared.Cache
	live    client.Reader
	edge    Edge
	api     *openai.Metrics
	metrics *Metrics
	log     logr.Logger
	now     func() time.Time
	timeout time.Duration
	linger  time.Duration
	// began is when this manager started.
	began     time.Time
	turnGroup *sync.WaitGroup
	transport http.RoundTripper
	// standing returns the objects that stand for an organization.
	standing func(context.Context, *Organization) []types.NamespacedName
	// spawn runs a function while the manager acts.
	spawn func(func(context.Context))
}

// namespacedName is how Kubernetes names what plans call a Ref.
type namespacedName = types.NamespacedName

// describe words an error for people: the same words for the same error.
func describe(err error) string {
	if apiError, ok := openai.AsError(err); ok {
		return apiError.StableMessage()
	}
	return err.Error()
}
