package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

// Options are the settings that all controllers share.
type Options struct {
	// Workers is how many objects of one kind are reconciled at once.
	Workers int
	// AllowInsecureBaseURL permits a base-url with http to hosts other than loopback.
	AllowInsecureBaseURL bool
	// Metrics is where metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
}

// SetupWithManager adds all controllers to the manager.
func SetupWithManager(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if err := AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("rollcall's kinds cannot be read: %w; if they are not installed yet: kubectl apply -k config/crd", err)
	}
	connections := NewConnections(time.Now)
	if options.Metrics != nil {
		options.Metrics.MustRegister(newStateMetrics(mgr, connections))
	}
	recorder := brief{mgr.GetEventRecorder("rollcall")}
	if err := (&OrganizationReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Connections: connections,
		Metrics: openai.NewMetrics(options.Metrics), AllowInsecureBaseURL: options.AllowInsecureBaseURL, Events: recorder,
	}).SetupWithManager(mgr, options.Workers); err != nil {
		return err
	}
	if err := (&OrgUserReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Connections: connections, Events: recorder,
	}).SetupWithManager(mgr, options.Workers); err != nil {
		return err
	}
	if err := (&OrgUserRoleBindingReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Connections: connections, Events: recorder,
	}).SetupWithManager(mgr, options.Workers); err != nil {
		return err
	}
	return mgr.Add(&AssignmentSweep{Reader: mgr.GetCache(), Connections: connections})
}
