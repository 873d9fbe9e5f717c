package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/registry"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// OrganizationReconciler gives each organization the key that its Secret holds, ends leavers, and writes down what is
// known. It changes nothing in an organization.
type OrganizationReconciler struct {
	shared
	api   *openai.Metrics
	looks *organization.Metrics
	// allowInsecureBaseURL permits http to hosts other than loopback.
	allowInsecureBaseURL bool

	mu sync.Mutex
	// counted is when an object's counts were written last; held is how many undeclared removals its guard holds.
	counted map[types.NamespacedName]time.Time
	held    map[types.NamespacedName]int
	// blocked says of which objects nothing that is undeclared is taken.
	blocked map[types.NamespacedName]bool
	// read is when an object's Secret was read last.
	read map[types.NamespacedName]secretRead
}

// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=organizations,verbs=get;list;watch
// +kubebuilder:rbac:groups=openai.rollcall.dev,resources=organizations/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// Reconcile reads the Secret, and writes down what is known of the organization.
func (r *OrganizationReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.edge.orgs.begun(request.NamespacedName)
	org := &v1alpha1.Organization{}
	if err := r.Get(ctx, request.NamespacedName, org); apierrors.IsNotFound(err) || err == nil && !org.DeletionTimestamp.IsZero() {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, err
	}
	r.organizations.Noted(request.NamespacedName, link.PairOf(org))
	again, own, err := r.connect(ctx, org)
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

func (r *OrganizationReconciler) forget(name types.NamespacedName) {
	r.organizations.Forget(name)
	r.api.DeleteOrganization(name.String())
	r.looks.DeleteOrganization(name.String())
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.counted, name)
	delete(r.held, name)
	delete(r.blocked, name)
	delete(r.read, name)
}

// maxSyncRequest is as much of a request's value as the status repeats.
const maxSyncRequest = 250

// connect gives the organization what the Secret holds now, and says how far its key is.
func (r *OrganizationReconciler) connect(ctx context.Context, org *v1alpha1.Organization) (time.Duration, verdict.Verdict, error) {
	name := client.ObjectKeyFromObject(org)
	if declared.Paused(org) {
		r.organizations.Suspend(name)
		return 0, verdict.Paused(), nil
	}
	requested := requestOf(org)
	if r.readLately(org, requested) {
		again, v := r.keyVerdict(org, r.organizations.View(name))
		return again, v, nil
	}
	credential, v, err := r.credential(ctx, org)
	if err != nil {
		return 0, v, err
	}
	if v.State != verdict.Ready {
		r.organizations.Suspend(name)
		return verdict.SecretPoll, v, nil
	}
	terms := link.Terms{Interval: org.Spec.ResyncInterval.Duration, RequestsPerMinute: int(org.Spec.RequestsPerMinute)}
	if err := r.organizations.Connect(name, credential, terms, link.PairOf(org), requested); err != nil {
		return verdict.SecretPoll, verdict.SecretInvalid(org, err.Error()), nil
	}
	r.noteRead(org)
	if requested != org.Status.LastHandledSyncRequest {
		if o := r.organizations.Usable(name); o != nil {
			o.Readings().Ask(name, requested)
		}
	}
	again, v := r.keyVerdict(org, r.organizations.View(name))
	return again, v, nil
}

// secretRead is when, and for which generation, the Secret of an Organization was read last.
type secretRead struct {
	at         time.Time
	generation int64
}

// readLately says whether the Secret need not be read now: the key is good, and it was read within the resync interval for
// this manifest, and nobody asks for more.
func (r *OrganizationReconciler) readLately(org *v1alpha1.Organization, requested string) bool {
	r.mu.Lock()
	last := r.read[client.ObjectKeyFromObject(org)]
	r.mu.Unlock()
	state := r.organizations.View(client.ObjectKeyFromObject(org)).State
	return (state == link.Proven || state == link.Proving) && last.generation == org.Generation &&
		requested == org.Status.LastHandledSyncRequest && time.Since(last.at) < org.Spec.ResyncInterval.Duration*4/5
}

func (r *OrganizationReconciler) noteRead(org *v1alpha1.Organization) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[client.ObjectKeyFromObject(org)] = secretRead{time.Now(), org.Generation}
}

func requestOf(org *v1alpha1.Organization) string {
	return verdict.Cut(org.Annotations[v1alpha1.SyncRequestedAtAnnotation], maxSyncRequest)
}

// keyVerdict says how far the key of an Organization is.
func (r *OrganizationReconciler) keyVerdict(org *v1alpha1.Organization, view registry.View) (time.Duration, verdict.Verdict) {
	switch view.State {
	case link.KeyRefused:
		return verdict.SecretPoll, verdict.KeyRefused(org, describeAPI(view.Err))
	case link.OtherOrganization:
		return verdict.SecretPoll, verdict.OtherOrganization(org, view.Pair.Address, view.Pair.ID)
	case link.Failed:
		if openai.IsRejected(view.Err) || openai.IsUnauthorized(view.Err) {
			return 0, verdict.ReadingRejected(org, describeAPI(view.Err))
		}
		return 0, verdict.Retrying(describeAPI(view.Err))
	case link.Proven:
		if err := view.ReadErr; err != nil {
			if openai.IsRejected(err) || openai.IsUnauthorized(err) {
				return 0, verdict.ReadingRejected(org, describeAPI(err))
			}
			if !openai.IsRateLimited(err) {
				return 0, verdict.Retrying(describeAPI(err))
			}
		}
		if view.Slow {
			return 0, verdict.WasReadSlowly(len(view.Learnt) > 0 || view.Paused > 0)
		}
		return 0, verdict.WasRead()
	}
	return 0, verdict.AsItWas()
}

func describeAPI(err error) string {
	if err == nil {
		return "no answer"
	}
	if apiError, ok := openai.AsError(err); ok {
		return apiError.StableMessage()
	}
	return err.Error()
}

// baseURLKey is the key of the Secret that replaces the API's address. It lives in the Secret because whoever can redirect
// the admin key may as well read it.
const baseURLKey = "base-url"

// credential reads the Secret that the Organization names, live: a cache would need the right to read every Secret of the
// cluster.
func (r *OrganizationReconciler) credential(ctx context.Context, org *v1alpha1.Organization) (link.Credential, verdict.Verdict, error) {
	var none link.Credential
	ref := org.Spec.AdminKeySecretRef
	secret := &corev1.Secret{}
	err := r.live.Get(ctx, client.ObjectKey{Namespace: org.Namespace, Name: ref.Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return none, verdict.SecretNotFound(org), nil
	case apierrors.IsForbidden(err):
		return none, verdict.SecretForbidden(org), nil
	case err != nil:
		return none, verdict.Verdict{}, fmt.Errorf("get Secret %s: %w", ref.Name, err)
	}
	key := string(secret.Data[ref.Key])
	credential := link.NewCredential(key, string(secret.Data[baseURLKey]), r.allowInsecureBaseURL)
	if credential.Empty() {
		return none, verdict.SecretWithoutKey(org, secret), nil
	}
	return credential, verdict.Verdict{}, nil
}

// SetupWithManager has the reconciler look at an Organization when its manifest changes, when a whole reading is asked
// for or ended, and when anything changes of a leaver.
func (r *OrganizationReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	r.counted, r.held, r.blocked = map[types.NamespacedName]time.Time{}, map[types.NamespacedName]int{}, map[types.NamespacedName]bool{}
	r.read = map[types.NamespacedName]secretRead{}
	return ctrl.NewControllerManagedBy(mgr).
		Named("organization").
		Watches(&v1alpha1.Organization{}, r.organizationWakes()).
		WatchesRawSource(filledBy(r.edge.orgs)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: backoff(), LogConstructor: logOf(mgr, "Organization")}).
		Complete(r)
}
