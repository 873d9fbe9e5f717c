package controller

import (
	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

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
