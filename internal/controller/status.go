package controller

import (
	"context"
	"fmt"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// setConditions writes an outcome into the conditions. Ready is always there; Reconciling and Stalled only
// while they are True, as kstatus has it.
func setConditions(conditions *[]metav1.Condition, generation int64, o outcome) {
	set := func(kind string, status metav1.ConditionStatus) {
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: kind, Status: status, Reason: o.reason, Message: cut(o.message, maxMessage), ObservedGeneration: generation,
		})
	}
	switch o.state {
	case waiting:
		set(v1alpha1.ConditionReady, metav1.ConditionFalse)
		set(v1alpha1.ConditionReconciling, metav1.ConditionTrue)
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionStalled)
	case stalled:
		set(v1alpha1.ConditionReady, metav1.ConditionFalse)
		set(v1alpha1.ConditionStalled, metav1.ConditionTrue)
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionReconciling)
	default:
		set(v1alpha1.ConditionReady, metav1.ConditionTrue)
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionReconciling)
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionStalled)
	}
}

// maxMessage is shorter than the 32 KiB that a condition may hold: messages are for people.
const maxMessage = 2048

// cut shortens a message to at most so many bytes, between two characters.
func cut(message string, most int) string {
	if len(message) <= most {
		return message
	}
	for !utf8.RuneStart(message[most]) {
		most--
	}
	return message[:most] + "..."
}

// planLines renders steps for status.plan.
func planLines(steps []plan.Step) []string {
	var lines []string
	for i, step := range steps {
		if i == maxPlanLines-1 && len(steps) > maxPlanLines {
			return append(lines, fmt.Sprintf("and %d more", len(steps)-i))
		}
		lines = append(lines, cut(step.String(), maxPlanLine))
	}
	return lines
}

const (
	maxPlanLines = 50
	maxPlanLine  = 1000
)

// heldAlready says whether the status says already that the guard holds the object.
func heldAlready(object client.Object) bool {
	var conditions []metav1.Condition
	switch o := object.(type) {
	case *v1alpha1.OrgUser:
		conditions = o.Status.Conditions
	case *v1alpha1.Organization:
		return len(o.Status.Plan) > 0
	}
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonHeld
}

// patchStatus writes the status if it differs from what it was.
func patchStatus(ctx context.Context, writer client.SubResourceWriter, before, after client.Object, statusOf func(client.Object) any) error {
	if equality.Semantic.DeepEqual(statusOf(before), statusOf(after)) {
		return nil
	}
	return client.IgnoreNotFound(writer.Patch(ctx, after, client.MergeFrom(before)))
}

// settled says whether an object's status already says of this generation that it is ready.
func settled(conditions []metav1.Condition, observed, generation int64) bool {
	return observed == generation && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
}
