package controller

import (
	"context"
	"fmt"
	"strings"
	"unique"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// baseURLKey is the key of the Secret that replaces the API's address. It lives in the Secret because
// whoever can redirect the admin key may as well read it.
const baseURLKey = "base-url"

// credential is what a Secret holds. It is comparable, and no way of formatting it, or what it is a field of,
// shows the Secret's values: fmt goes past the methods of a field that is not exported, but follows no handle.
type credential struct {
	adminKey, baseURL unique.Handle[string]
	allowInsecure     bool
	metrics           *openai.Metrics
	label             string
}

// sameKey says whether two Organization objects use one key, and so stand for one organization.
func (c credential) sameKey(other credential) bool {
	return c.adminKey == other.adminKey && c.baseURL == other.baseURL && c.allowInsecure == other.allowInsecure
}

func (c credential) client(limiter *openai.Limiter) (*openai.Client, error) {
	return openai.NewClient(openai.Config{
		BaseURL: c.baseURL.Value(), AdminKey: c.adminKey.Value(), AllowInsecure: c.allowInsecure,
		Limiter: limiter, Metrics: c.metrics, MetricsLabel: c.label,
	})
}

// credential reads the Secret that the Organization names, live: a cache would need the right to read every
// Secret of the cluster.
func (r *OrganizationReconciler) credential(ctx context.Context, org *v1alpha1.Organization) (credential, error) {
	ref := org.Spec.AdminKeySecretRef
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: org.Namespace, Name: ref.Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return credential{}, secretNotFound(org)
	case apierrors.IsForbidden(err):
		return credential{}, secretForbidden(org)
	case err != nil:
		return credential{}, fmt.Errorf("get Secret %s: %w", ref.Name, err)
	}
	key := strings.TrimSpace(string(secret.Data[ref.Key]))
	if key == "" {
		return credential{}, secretWithoutKey(org, secret)
	}
	return credential{
		adminKey: unique.Make(key), baseURL: unique.Make(strings.TrimSpace(string(secret.Data[baseURLKey]))),
		allowInsecure: r.AllowInsecureBaseURL, metrics: r.Metrics, label: org.Namespace + "/" + org.Name,
	}, nil
}
