package controller

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// baseURLKey is the key of the Secret that replaces the API's address. It lives in the Secret because
// whoever can redirect the admin key may as well read it.
const baseURLKey = "base-url"

// credential is what a Secret holds. It is comparable, and prints without the key.
type credential struct {
	adminKey, baseURL string
	allowInsecure     bool
	metrics           *openai.Metrics
	label             string
}

// String keeps the key out of whatever prints a credential.
func (c credential) String() string { return "credential for " + c.baseURL }

// GoString keeps the key out of %#v.
func (c credential) GoString() string { return c.String() }

func (c credential) client(limiter *openai.Limiter) (*openai.Client, error) {
	return openai.NewClient(openai.Config{
		BaseURL: c.baseURL, AdminKey: c.adminKey, AllowInsecure: c.allowInsecure,
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
		adminKey: key, baseURL: strings.TrimSpace(string(secret.Data[baseURLKey])),
		allowInsecure: r.AllowInsecureBaseURL, metrics: r.Metrics, label: org.Namespace + "/" + org.Name,
	}, nil
}
