package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/adminkey"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/edge"
	"github.com/rollcall-dev/rollcall/internal/registry"
	"github.com/rollcall-dev/rollcall/internal/statemetrics"
	"github.com/rollcall-dev/rollcall/internal/wake"
)

// Options are the settings that all controllers share.
type Options struct {
	// Workers is how many objects of one kind are reconciled at once.
	Workers int
	// AllowInsecureBaseURL permits a base-url with http to hosts other than loopback.
	AllowInsecureBaseURL bool
	// Metrics is where metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
	// RequestTimeout bounds one request to an organization. 0: 30 s.
	RequestTimeout time.Duration
	// Linger is how long after a start requests of a manager before this one may still land. 0: 60 s; negative: not at all,
	// as where leader election sees to it.
	Linger time.Duration
}

// SetupWithManager adds all controllers to the manager.
func SetupWithManager(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if err := declared.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("rollcall's kinds cannot be read: %w; if they are not installed yet: kubectl apply -k config/crd", err)
	}
	cache := declared.NewCache(mgr.GetCache(), time.Now)
	recorder := brief{mgr.GetEventRecorder("rollcall")}
	kubernetes := edge.New(mgr.GetClient(), mgr.GetAPIReader(), cache, recorder)
	organizations := registry.New(registry.Options{
		Cache: cache, Live: mgr.GetAPIReader(), Edge: kubernetes, Registry: options.Metrics,
		Log: mgr.GetLogger(), Now: time.Now, RequestTimeout: options.RequestTimeout, Linger: options.Linger,
	})
	if err := mgr.Add(organizations); err != nil {
		return err
	}
	shared := shared{
		Client: mgr.GetClient(), live: mgr.GetAPIReader(), cache: cache, edge: kubernetes, organizations: organizations, events: recorder,
	}
	org := newOrganizationReconciler(shared, adminkey.New(mgr.GetAPIReader(), organizations, options.AllowInsecureBaseURL))
	if options.Metrics != nil {
		options.Metrics.MustRegister(&statemetrics.Metrics{
			Cache: mgr.GetCache(), Organizations: organizations, Undeclared: org.undeclaredOf, Elected: mgr.Elected(),
		})
	}
	wakes := &wake.Handlers{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Cache: cache, Edge: kubernetes, Organizations: organizations,
	}
	for _, k := range []kind{
		{"Organization", &v1alpha1.Organization{}, wakes.Organization(), kubernetes.Organizations, org},
		{"OrgUser", &v1alpha1.OrgUser{}, wakes.OrgUser(), kubernetes.OrgUsers, &orgUserReconciler{shared}},
		{"OrgUserRoleBinding", &v1alpha1.OrgUserRoleBinding{}, wakes.Binding(), kubernetes.Bindings, newBindingReconciler(shared)},
	} {
		if err := k.add(mgr, options.Workers); err != nil {
			return err
		}
	}
	return nil
}

// kind is a kind, who is woken by its events, and who takes up the objects that the queue is filled with.
type kind struct {
	name   string
	object client.Object
	wakes  handler.EventHandler
	queue  *edge.Queue
	by     reconcile.Reconciler
}

func (k kind) add(mgr ctrl.Manager, workers int) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named(strings.ToLower(k.name)).
		Watches(k.object, k.wakes).
		WatchesRawSource(k.queue.Source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: backoff(), LogConstructor: logOf(mgr, k.name)}).
		Complete(k.by)
}

// backoff spaces the tries after an error: 0.5 s, doubling up to 2 min.
func backoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](500*time.Millisecond, 2*time.Minute)
}

// logOf names the object in each line once. controller-runtime's own logger says the name and the namespace
// twice, and the kind three times.
func logOf(mgr ctrl.Manager, kind string) func(*reconcile.Request) logr.Logger {
	logger := mgr.GetLogger().WithValues("kind", kind)
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return logger.V(1) // what starts and stops inside a controller is for debugging
		}
		return logger.WithValues("namespace", request.Namespace, "name", request.Name)
	}
}
