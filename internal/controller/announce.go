package controller

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// announceTurn sends an event when an object comes into trouble or out of it: its conditions tell what is, its
// events what was. before are the conditions as they were.
func announceTurn(recorder events.EventRecorder, object client.Object, before []metav1.Condition, o outcome) {
	was := ""
	if ready := meta.FindStatusCondition(before, v1alpha1.ConditionReady); ready != nil && ready.Status == metav1.ConditionFalse {
		was = ready.Reason
	}
	switch {
	case o.state == keep || o.reason == was:
	case o.state == ready && worthTelling(was):
		recorder.Eventf(object, nil, "Normal", o.reason, "Reconcile", "%s", o.message)
	case o.state != ready && worthTelling(o.reason):
		recorder.Eventf(object, nil, "Warning", o.reason, "Reconcile", "%s", o.message)
	}
}

// worthTelling says whether the reason is an object's own trouble, of which nothing else tells.
func worthTelling(reason string) bool {
	switch reason {
	case "", v1alpha1.ReasonProgressing,
		v1alpha1.ReasonOrganizationNotReady, // the Organization tells why
		v1alpha1.ReasonHeld:                 // the guard tells, with numbers
		return false
	}
	return true
}

// maxNote is what the API server takes, 1,024 bytes, less the dots of a cut.
const maxNote = 1024 - len("...")

// brief cuts the notes of events: one that is too long would be lost.
type brief struct{ events.EventRecorder }

func (b brief) Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any) {
	b.EventRecorder.Eventf(regarding, related, eventtype, reason, action, "%s", cut(fmt.Sprintf(note, args...), maxNote))
}
