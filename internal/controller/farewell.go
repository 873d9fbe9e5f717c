package controller

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// farewell is how the deletion of an object ended.
type farewell struct {
	reason, message string
	// action tells events apart that differ in their note only, which would be counted as one; "" is that of a deletion.
	action         string
	namespaceGoing bool
}

// tell logs the farewell and sends it as an event. In a namespace that is going no event can be made, so it
// is one of the Namespace then, which is found in the namespace default.
func (f farewell) tell(ctx context.Context, recorder events.EventRecorder, object client.Object, kind string) {
	log.FromContext(ctx).Info("let the object go", "reason", f.reason, "message", f.message)
	action := cmp.Or(f.action, "Finalize")
	if !f.namespaceGoing {
		recorder.Eventf(object, nil, "Normal", f.reason, action, "%s", f.message)
		return
	}
	namespace := &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: object.GetNamespace()},
	}
	// The object is named as related: events that differ in their note only would be counted as one.
	recorder.Eventf(namespace, object, "Normal", f.reason, action, "%s", fmt.Sprintf("%s %s: %s", kind, object.GetName(), f.message))
}
