package controller

import (
	"context"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// OrgUserRoleBindingReconciler keeps one role assigned to the users whom its OrgUserRoleBinding names.
type OrgUserRoleBindingReconciler struct {
	client.Client
	// Live reads past the cache.
	Live        client.Reader
	Connections *Connections
	Events      events.EventRecorder
}

// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=orguserrolebindings,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=orguserrolebindings/status,verbs=patch

// Reconcile observes who has the role, plans, applies and writes down what came of it.
func (r *OrgUserRoleBindingReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	binding := &v1alpha1.OrgUserRoleBinding{}
	if err := r.Get(ctx, request.NamespacedName, binding); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !binding.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, binding)
	}
	before := binding.DeepCopy()

	var made progress
	seen, err := r.observe(ctx, binding)
	if err == nil {
		made, err = r.converge(ctx, binding, before, seen)
	}

	result := bindingOutcome(seen, made, err)
	setBindingStatus(binding, seen, made.left, result)
	if err := r.patchStatus(ctx, before, binding); err != nil {
		return ctrl.Result{}, err
	}
	r.tell(binding, before, made.done)
	announceTurn(r.Events, binding, before.Status.Conditions, result)
	return result.result, result.err
}

// SetupWithManager has the reconciler look at an OrgUserRoleBinding when its spec changes, when a user whom
// it names changes in the organization, and when an OrgUser that it names comes or goes.
func (r *OrgUserRoleBindingReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	find := finder{mgr.GetCache()}
	return ctrl.NewControllerManagedBy(mgr).
		Named("orguserrolebinding").
		For(&v1alpha1.OrgUserRoleBinding{}, specChanges()).
		Watches(&v1alpha1.OrgUser{}, bindingsNaming(find), comingsAndGoings()).
		WatchesRawSource(changes(r.Connections, bindingsConcerned(find))).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: backoff(), LogConstructor: logOf(mgr, "OrgUserRoleBinding")}).
		Complete(r)
}
