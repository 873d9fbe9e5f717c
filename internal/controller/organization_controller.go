package controller

import (
	"context"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// OrganizationReconciler keeps the way to each organization open and its roster fresh.
type OrganizationReconciler struct {
	client.Client
	// Live reads past the cache: Secrets are never cached.
	Live        client.Reader
	Connections *Connections
	Metrics     *openai.Metrics
	// AllowInsecureBaseURL permits http to hosts other than loopback.
	AllowInsecureBaseURL bool
	Events               events.EventRecorder
}

func (r *OrganizationReconciler) gate() gate { return gate{r.Client, r.Live, r.Connections, r.Events} }

// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=organizations,verbs=get;list;watch
// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=organizations/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// Reconcile reads the Secret and, when that is due, the organization.
func (r *OrganizationReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	org := &v1alpha1.Organization{}
	if err := r.Get(ctx, request.NamespacedName, org); apierrors.IsNotFound(err) || err == nil && !org.DeletionTimestamp.IsZero() {
		r.Connections.Forget(request.NamespacedName)
		r.Metrics.DeleteOrganization(request.String())
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, err
	}
	before := org.DeepCopy()

	reading, err := r.observe(ctx, org)
	if err != nil {
		err = r.suspend(org, err)
	} else {
		err = r.tidy(ctx, org, &reading)
	}
	result := outcomeOf(err, "the organization was read whole")
	if wait := result.result.RequeueAfter; result.err == nil && reading.conn != nil && (wait == 0 || wait > reading.wait) {
		result.result.RequeueAfter = reading.wait
	}
	if err := r.setStatus(ctx, org, reading, result); err != nil {
		return ctrl.Result{}, err
	}
	err = r.patchStatus(ctx, before, org)
	if err == nil {
		r.announce(org, before, result)
	}
	if err == nil && len(before.Status.Conditions) == 0 {
		r.Connections.Announce(request.NamespacedName)
	}
	return result.result, firstError(err, result.err)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// SetupWithManager has the reconciler look at an Organization when its spec changes, when a whole reading is
// asked for, when the API refused its key, and when the number of its OrgUsers or of its owners changes.
func (r *OrganizationReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	askedOrChanged := predicate.Or[client.Object](predicate.GenerationChangedPredicate{},
		annotationChanges(v1alpha1.SyncRequestedAtAnnotation, v1alpha1.PausedAnnotation))
	return ctrl.NewControllerManagedBy(mgr).
		Named("organization").
		For(&v1alpha1.Organization{}, builder.WithPredicates(askedOrChanged)).
		Watches(&v1alpha1.OrgUser{}, handler.Funcs{
			CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
				q.AddAfter(reconcile.Request{NamespacedName: organizationOf(e.Object)}, countDelay)
			},
			DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
				q.AddAfter(reconcile.Request{NamespacedName: organizationOf(e.Object)}, countDelay)
			},
		}).
		WatchesRawSource(source.Func(func(_ context.Context, q queue) error {
			r.Connections.OnLook(func(object types.NamespacedName, after time.Duration) {
				q.AddAfter(reconcile.Request{NamespacedName: object}, after)
			})
			return nil
		})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: backoff(), LogConstructor: logOf(mgr, "Organization")}).
		Complete(r)
}

// jittered spreads an interval by 10% either way, so that organizations are not all read at once.
func jittered(interval time.Duration) time.Duration {
	return interval + time.Duration((rand.Float64()*0.2-0.1)*float64(interval)) //nolint:gosec // nothing depends on its being secret
}
