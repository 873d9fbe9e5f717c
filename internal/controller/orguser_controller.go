package controller

import (
	"context"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// OrgUserReconciler keeps one member of the organization as their OrgUser declares them.
type OrgUserReconciler struct {
	client.Client
	// Live reads past the cache.
	Live        client.Reader
	Connections *Connections
	Events      events.EventRecorder
}

func (r *OrgUserReconciler) gate() gate { return gate{r.Client, r.Live, r.Connections, r.Events} }

// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=orgusers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=orgusers/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=orgusers.openai.rollcall.dev;orguserrolebindings.openai.rollcall.dev,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile observes the member, plans, applies and writes down what came of it.
func (r *OrgUserReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	user := &v1alpha1.OrgUser{}
	if err := r.Get(ctx, request.NamespacedName, user); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !user.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, user)
	}
	before := user.DeepCopy()

	var made progress
	member, err := r.observe(ctx, user)
	if err == nil {
		member, made, err = r.converge(ctx, user, member)
	}

	result := outcomeOf(err, "the organization has this user as declared")
	setOrgUserStatus(user, member, made.left, result)
	if err := r.patchStatus(ctx, before, user); err != nil {
		return ctrl.Result{}, err
	}
	r.tell(user, before, made.done)
	announceTurn(r.Events, user, before.Status.Conditions, result)
	return result.result, result.err
}

// SetupWithManager has the reconciler look at an OrgUser when its spec changes, when its member changes in
// the organization, and when another OrgUser of the same person comes or goes.
func (r *OrgUserReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	find := finder{mgr.GetCache()}
	return ctrl.NewControllerManagedBy(mgr).
		Named("orguser").
		For(&v1alpha1.OrgUser{}, specChanges()).
		Watches(&v1alpha1.OrgUser{}, rivalsOf(r.Connections, find), comingsAndGoings()).
		WatchesRawSource(changes(r.Connections, orgUsersConcerned(find))).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: backoff(), LogConstructor: logOf(mgr, "OrgUser")}).
		Complete(r)
}
