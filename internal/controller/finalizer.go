package controller

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// stillWaits reads an object that is being deleted live, and says whether it still waits for rollcall. The cache may
// lag behind its end, and behind a policy that was changed a moment ago.
func stillWaits(ctx context.Context, live client.Reader, object client.Object) (bool, error) {
	uid := object.GetUID()
	err := live.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && object.GetUID() == uid && controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer), err
}

// dropFinalizer lets the object go.
func dropFinalizer(ctx context.Context, c client.Client, object client.Object) error {
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok || !controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer) {
		return nil
	}
	return client.IgnoreNotFound(c.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}
