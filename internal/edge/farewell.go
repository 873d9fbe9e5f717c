package edge

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Farewell is how the deletion of an object ended.
type Farewell struct {
	Reason, Message string
	// Action tells events apart that differ in their note only, which would be counted as one; "" is that of a deletion.
	Action         string
	NamespaceGoing bool
}

// Tell logs a farewell and sends it as an event. In a namespace that is going no event can be made, so it
// is one of the Namespace then, which is found in the namespace default.
func (e *Edge) Tell(ctx context.Context, object client.Object, kind string, f Farewell) {
	log.FromContext(ctx).Info("let the object go", "reason", f.Reason, "message", f.Message)
	action := cmp.Or(f.Action, "Finalize")
	if !f.NamespaceGoing {
		e.events.Eventf(object, nil, "Normal", f.Reason, action, "%s", f.Message)
		return
	}
	namespace := &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: object.GetNamespace()},
	}
	// The object is named as related: events that differ in their note only would be counted as one.
	e.events.Eventf(namespace, object, "Normal", f.Reason, action, "%s", fmt.Sprintf("%s %s: %s", kind, object.GetName(), f.Message))
}
