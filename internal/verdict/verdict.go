// Package verdict says what is said about an object: its conditions, reasons and messages, the lines of its plan, and its
// events. It is pure: facts in, words out.
package verdict

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// State says who moves next.
type State int

const (
	// Ready: nobody; what is declared holds.
	Ready State = iota
	// Waiting: rollcall; it goes on by itself.
	Waiting
	// Stalled: a person.
	Stalled
	// Keep: rollcall, and so soon or so surely that the status stays as it is.
	Keep
)

// Verdict is what is said of an object.
type Verdict struct {
	State           State
	Reason, Message string
}

// AsItWas says nothing: nothing can be said now, and nothing that was said is known to be wrong.
func AsItWas() Verdict { return Verdict{State: Keep} }

// SetConditions writes a verdict into the conditions. Ready is always there; Reconciling and Stalled only while they are
// True, as kstatus has it.
func SetConditions(conditions *[]metav1.Condition, generation int64, v Verdict) {
	set := func(kind string, status metav1.ConditionStatus) {
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: kind, Status: status, Reason: v.Reason, Message: Cut(v.Message, maxMessage), ObservedGeneration: generation,
		})
	}
	switch v.State {
	case Keep:
	case Waiting:
		set(v1alpha1.ConditionReady, metav1.ConditionFalse)
		set(v1alpha1.ConditionReconciling, metav1.ConditionTrue)
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionStalled)
	case Stalled:
		set(v1alpha1.ConditionReady, metav1.ConditionFalse)
		set(v1alpha1.ConditionStalled, metav1.ConditionTrue)
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionReconciling)
	case Ready:
		set(v1alpha1.ConditionReady, metav1.ConditionTrue)
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionReconciling)
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionStalled)
	}
}

// maxMessage is shorter than the 32 KiB that a condition may hold: messages are for people.
const maxMessage = 2048

// Cut shortens a message to at most so many bytes and three dots, between two characters.
func Cut(message string, most int) string {
	if len(message) <= most {
		return message
	}
	for most > 0 && !utf8.RuneStart(message[most]) {
		most--
	}
	return message[:most] + "..."
}

// PlanLines renders steps for status.plan.
func PlanLines(steps []plan.Step) []string {
	var lines []string
	for i, step := range steps {
		if i == maxPlanLines-1 && len(steps) > maxPlanLines {
			return append(lines, fmt.Sprintf("and %d more", len(steps)-i))
		}
		lines = append(lines, Cut(step.String(), maxPlanLine))
	}
	return lines
}

const (
	maxPlanLines = 50
	maxPlanLine  = 1000
)

// Words writes a duration as people do: 1h, not 1h0m0s.
func Words(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// Clock tells a time of today, or of another day.
func Clock(at, now time.Time) string {
	at, now = at.UTC(), now.UTC()
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04Z")
	}
	return at.Format("2006-01-02 15:04Z")
}

// FirstOf joins the first few words and says how many more there are.
func FirstOf(words []string, most int, separator string) string {
	if len(words) <= most {
		return strings.Join(words, separator)
	}
	return fmt.Sprintf("%s%sand %d more", strings.Join(words[:most], separator), separator, len(words)-most)
}

func join[T any](items []T, word func(T) string) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = word(item)
	}
	return strings.Join(words, ", ")
}

func sentences(steps []plan.Step) string {
	return strings.ReplaceAll(join(steps, plan.Step.String), ", ", "; ")
}
