package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

var (
	namespaceKind = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
	crdKind       = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
)

// surroundings say why a deletion is part of taking something down.
type surroundings struct {
	// why is "" where nothing is being taken down.
	why string
	// namespace says that the namespace is going, in which no event can be made any more.
	namespace bool
}

// teardown looks whether a deletion is part of taking something down. Teardown is not offboarding: in one
// nobody is removed from the organization.
//
// It reads live, since a cache may lag behind the deletion of what it would be asked about. Where it cannot
// be read, the error keeps the caller from removing anybody.
func teardown(ctx context.Context, live client.Reader, object client.Object, crd string) (surroundings, error) {
	organization := organizationOf(object)
	for _, look := range []struct {
		kind schema.GroupVersionKind
		key  types.NamespacedName
		what string
	}{
		{namespaceKind, types.NamespacedName{Name: object.GetNamespace()}, "namespace " + object.GetNamespace()},
		{crdKind, types.NamespacedName{Name: crd}, "CustomResourceDefinition " + crd},
		{v1alpha1.GroupVersion.WithKind("Organization"), organization, "Organization " + organization.Name},
	} {
		going, err := goneOrGoing(ctx, live, look.kind, look.key)
		if err != nil {
			return surroundings{}, fmt.Errorf("whether %s is being deleted cannot be told: %w", look.what, err)
		}
		if going {
			return surroundings{look.what + " is gone or being deleted", look.kind == namespaceKind}, nil
		}
	}
	return surroundings{}, nil
}

func goneOrGoing(ctx context.Context, live client.Reader, kind schema.GroupVersionKind, key types.NamespacedName) (bool, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	err := live.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && !object.DeletionTimestamp.IsZero(), err
}
