package verdict

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// Event is what an event says.
type Event struct {
	Warning      bool
	Reason, Note string
}

// Turn is the event of an object that comes into trouble or out of it: its conditions tell what is, its events what was.
// before are the conditions as they were.
func Turn(before []metav1.Condition, v Verdict) (Event, bool) {
	was := ""
	if ready := meta.FindStatusCondition(before, v1alpha1.ConditionReady); ready != nil && ready.Status == metav1.ConditionFalse {
		was = ready.Reason
	}
	switch {
	case v.State == Keep || v.Reason == was:
	case v.State == Ready && worthTelling(was):
		return Event{Reason: v.Reason, Note: v.Message}, true
	case v.State != Ready && worthTelling(v.Reason):
		return Event{Warning: true, Reason: v.Reason, Note: v.Message}, true
	}
	return Event{}, false
}

// worthTelling says whether the reason is an object's own trouble, of which nothing else tells.
func worthTelling(reason string) bool {
	switch reason {
	case "", v1alpha1.ReasonProgressing,
		v1alpha1.ReasonOrganizationNotReady, // the Organization tells why
		v1alpha1.ReasonHeld:                 // told with the numbers
		return false
	}
	return true
}
