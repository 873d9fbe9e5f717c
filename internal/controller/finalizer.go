package controller

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// ensureFinalizer has the object kept until its share of the organization is removed or released. It
// changes nothing but metadata.finalizers, and only from what was read.
func ensureFinalizer(ctx context.Context, c client.Client, object client.Object) error {
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok || !controllerutil.AddFinalizer(object, v1alpha1.Finalizer) {
		return nil
	}
	return c.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// dropFinalizer lets the object go.
func dropFinalizer(ctx context.Context, c client.Client, object client.Object) error {
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok || !controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer) {
		return nil
	}
	return client.IgnoreNotFound(c.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}
