// Package adminkey gives each organization the admin key that its Secret holds. It is the only room that reads a Secret.
package adminkey

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/registry"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// Keys connects organizations with what their Secrets hold.
type Keys struct {
	// live reads Secrets past the cache, which would need the right to read every Secret of the cluster.
	live          client.Reader
	organizations *registry.Organizations
	// allowInsecureBaseURL permits http to hosts other than loopback.
	allowInsecureBaseURL bool

	mu sync.Mutex
	// read is when an Organization's Secret was read last.
	read map[types.NamespacedName]secretRead
}

// New returns Keys.
func New(live client.Reader, organizations *registry.Organizations, allowInsecureBaseURL bool) *Keys {
	return &Keys{live: live, organizations: organizations, allowInsecureBaseURL: allowInsecureBaseURL, read: map[types.NamespacedName]secretRead{}}
}

// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// maxSyncRequest is as much of a request's value as the status repeats.
const maxSyncRequest = 250

// Connect gives the organization what the Secret holds now, and says how far its key is, and when to ask again; 0: when
// something wakes the Organization.
func (k *Keys) Connect(ctx context.Context, org *v1alpha1.Organization) (time.Duration, verdict.Verdict, error) {
	name := client.ObjectKeyFromObject(org)
	if declared.Paused(org) {
		k.organizations.Suspend(name)
		return 0, verdict.Paused(), nil
	}
	requested := requestOf(org)
	if k.readLately(org, requested) {
		again, v := k.keyVerdict(org, k.organizations.View(name))
		return again, v, nil
	}
	credential, v, err := k.credential(ctx, org)
	if err != nil {
		return 0, v, err
	}
	if v.State != verdict.Ready {
		k.organizations.Suspend(name)
		return verdict.SecretPoll, v, nil
	}
	terms := link.Terms{Interval: org.Spec.ResyncInterval.Duration, RequestsPerMinute: int(org.Spec.RequestsPerMinute)}
	if err := k.organizations.Connect(name, credential, terms, link.PairOf(org), requested); err != nil {
		return verdict.SecretPoll, verdict.SecretInvalid(org, err.Error()), nil
	}
	k.noteRead(org)
	if requested != org.Status.LastHandledSyncRequest {
		if o := k.organizations.Usable(name); o != nil {
			o.Readings().Ask(name, requested)
		}
	}
	again, v := k.keyVerdict(org, k.organizations.View(name))
	return again, v, nil
}

// Forget drops what is known of the Secret of an Organization that is gone.
func (k *Keys) Forget(name types.NamespacedName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.read, name)
}

// secretRead is when, and for which object and generation, the Secret of an Organization was read last.
type secretRead struct {
	at         time.Time
	uid        types.UID
	generation int64
}

// readLately says whether the Secret need not be read now: the key is good, and it was read within the resync interval for
// this manifest, and nobody asks for more.
func (k *Keys) readLately(org *v1alpha1.Organization, requested string) bool {
	k.mu.Lock()
	last := k.read[client.ObjectKeyFromObject(org)]
	k.mu.Unlock()
	state := k.organizations.View(client.ObjectKeyFromObject(org)).State
	return (state == link.Proven || state == link.Proving) && last.uid == org.UID && last.generation == org.Generation &&
		requested == org.Status.LastHandledSyncRequest && time.Since(last.at) < org.Spec.ResyncInterval.Duration*4/5
}

func (k *Keys) noteRead(org *v1alpha1.Organization) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read[client.ObjectKeyFromObject(org)] = secretRead{time.Now(), org.UID, org.Generation}
}

func requestOf(org *v1alpha1.Organization) string {
	return verdict.Cut(org.Annotations[v1alpha1.SyncRequestedAtAnnotation], maxSyncRequest)
}

// keyVerdict says how far the key of an Organization is.
func (k *Keys) keyVerdict(org *v1alpha1.Organization, view registry.View) (time.Duration, verdict.Verdict) {
	trouble := registry.TroubleOf(view.Err)
	switch view.State {
	case link.KeyRefused:
		return verdict.SecretPoll, verdict.KeyRefused(org, trouble.Words)
	case link.OtherOrganization:
		return verdict.SecretPoll, verdict.OtherOrganization(org, view.Pair.Address, view.Pair.ID)
	case link.Failed:
		return 0, unreadable(org, trouble)
	case link.Proven:
		if reading := registry.TroubleOf(view.ReadErr); view.ReadErr != nil && !reading.Busy {
			return 0, unreadable(org, reading)
		}
		v := verdict.WasRead()
		if view.Slow {
			v = verdict.WasReadSlowly(len(view.Learnt) > 0 || view.Paused > 0)
		}
		if interval := org.Spec.ResyncInterval.Duration; view.LookWait > interval/2 {
			v = verdict.RolesListedLate(v, interval, view.LookWait)
		}
		return 0, v
	}
	return 0, verdict.AsItWas()
}

// unreadable says whether a person has to see to it that the organization can be read.
func unreadable(org *v1alpha1.Organization, trouble registry.Trouble) verdict.Verdict {
	if trouble.Refused {
		return verdict.ReadingRejected(org, trouble.Words)
	}
	return verdict.Retrying(trouble.Words)
}

// baseURLKey is the key of the Secret that replaces the API's address. It lives in the Secret because whoever can redirect
// the admin key may as well read it.
const baseURLKey = "base-url"

// credential reads the Secret that the Organization names.
func (k *Keys) credential(ctx context.Context, org *v1alpha1.Organization) (link.Credential, verdict.Verdict, error) {
	var none link.Credential
	ref := org.Spec.AdminKeySecretRef
	secret := &corev1.Secret{}
	err := k.live.Get(ctx, client.ObjectKey{Namespace: org.Namespace, Name: ref.Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return none, verdict.SecretNotFound(org), nil
	case apierrors.IsForbidden(err):
		return none, verdict.SecretForbidden(org), nil
	case err != nil:
		return none, verdict.Verdict{}, fmt.Errorf("get Secret %s: %w", ref.Name, err)
	}
	credential := link.NewCredential(string(secret.Data[ref.Key]), string(secret.Data[baseURLKey]), k.allowInsecureBaseURL)
	if credential.Empty() {
		return none, verdict.SecretWithoutKey(org, secret), nil
	}
	return credential, verdict.Verdict{}, nil
}
