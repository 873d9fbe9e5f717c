package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/edge"
	"github.com/rollcall-dev/rollcall/internal/organization"
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
	organizations := organization.New(organization.Options{
		Cache: cache, Live: mgr.GetAPIReader(), Edge: kubernetes, Registry: options.Metrics,
		Log: mgr.GetLogger(), Now: time.Now, RequestTimeout: options.RequestTimeout, Linger: options.Linger,
	})
	if err := mgr.Add(organizations); err != nil {
		return err
	}
	shared := shared{
		Client: mgr.GetClient(), live: mgr.GetAPIReader(), cache: cache, edge: kubernetes, organizations: organizations, events: recorder,
		wakes: &wake.Handlers{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Cache: cache, Edge: kubernetes, Organizations: organizations,
		},
	}
	org := &OrganizationReconciler{shared: shared, allowInsecureBaseURL: options.AllowInsecureBaseURL}
	if options.Metrics != nil {
		options.Metrics.MustRegister(&statemetrics.Metrics{
			Cache: mgr.GetCache(), Organizations: organizations, Undeclared: org.undeclaredOf, Elected: mgr.Elected(),
		})
	}
	if err := org.SetupWithManager(mgr, options.Workers); err != nil {
		return err
	}
	if err := (&OrgUserReconciler{shared: shared}).SetupWithManager(mgr, options.Workers); err != nil {
		return err
	}
	return (&OrgUserRoleBindingReconciler{shared: shared, written: map[types.NamespacedName]written{}}).SetupWithManager(mgr, options.Workers)
}

// backoff spaces the tries after an error: 0.5 s, doubling up to 2 min.
func backoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](500*time.Millisecond, 2*time.Minute)
}
