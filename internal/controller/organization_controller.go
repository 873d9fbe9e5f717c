package controller

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/adminkey"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/statemetrics"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// organizationReconciler has each organization given its key, ends leavers, and writes down what is known. It changes
// nothing in an organization.
type organizationReconciler struct {
	shared
	keys *adminkey.Keys

	mu sync.Mutex
	// counted is when an object's counts were written last.
	counted map[types.NamespacedName]time.Time
	// against is what stands against taking what no object declares, for the metrics.
	against map[types.NamespacedName]statemetrics.Undeclared
}

func newOrganizationReconciler(s shared, keys *adminkey.Keys) *organizationReconciler {
	return &organizationReconciler{
		shared: s, keys: keys, counted: map[types.NamespacedName]time.Time{}, against: map[types.NamespacedName]statemetrics.Undeclared{},
	}
}

// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=organizations,verbs=get;list;watch
// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=organizations/status,verbs=patch

// Reconcile has the Secret read, and writes down what is known of the organization.
func (r *organizationReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.edge.Organizations.Begun(request.NamespacedName)
	org := &v1alpha1.Organization{}
	if err := r.Get(ctx, request.NamespacedName, org); apierrors.IsNotFound(err) || err == nil && !org.DeletionTimestamp.IsZero() {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, err
	}
	r.organizations.Noted(request.NamespacedName, link.PairOf(org))
	again, own, err := r.keys.Connect(ctx, org)
	if err != nil {
		return ctrl.Result{}, err
	}
	leavers, ended, err := r.leavers(ctx, org)
	if err != nil {
		return ctrl.Result{}, err
	}
	found, err := r.undeclared(ctx, org)
	if err != nil {
		return ctrl.Result{}, err
	}
	v := own
	if v.State == verdict.Ready {
		v = verdict.Worst(append([]verdict.Verdict{own, found.shared}, append(leavers.verdicts, found.verdict)...)...)
		if v.State == verdict.Ready && found.blocked != "" {
			v.Message += ". " + found.blocked
		}
	}
	wait, err := r.write(ctx, org, v, leavers, ended, found)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: soonest(again, wait)}, nil
}

func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

func (r *organizationReconciler) forget(name types.NamespacedName) {
	r.organizations.Forget(name)
	r.keys.Forget(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.counted, name)
	delete(r.against, name)
}
