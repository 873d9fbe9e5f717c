package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/registry"
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
	edge := newEdge(mgr.GetClient(), mgr.GetAPIReader(), cache, recorder)
	looks := organization.NewMetrics(options.Metrics)
	api := openai.NewMetrics(options.Metrics)
	organizations := registry.New(registry.Options{
		Cache: cache, Live: mgr.GetAPIReader(), Edge: edge, Metrics: api, Looks: looks,
		Log: mgr.GetLogger(), Now: time.Now, RequestTimeout: options.RequestTimeout, Linger: options.Linger,
	})
	if err := mgr.Add(organizations); err != nil {
		return err
	}
	shared := shared{
		Client: mgr.GetClient(), live: mgr.GetAPIReader(), cache: cache, edge: edge, organizations: organizations, events: recorder,
	}
	org := &OrganizationReconciler{shared: shared, api: api, looks: looks, allowInsecureBaseURL: options.AllowInsecureBaseURL}
	if options.Metrics != nil {
		options.Metrics.MustRegister(newStateMetrics(mgr, organizations, org))
	}
	if err := org.SetupWithManager(mgr, options.Workers); err != nil {
		return err
	}
	if err := (&OrgUserReconciler{shared: shared}).SetupWithManager(mgr, options.Workers); err != nil {
		return err
	}
	return (&OrgUserRoleBindingReconciler{shared: shared, written: map[string]written{}}).SetupWithManager(mgr, options.Workers)
}
