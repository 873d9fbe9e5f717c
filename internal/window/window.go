// Package window counts the removals of users in the window that spec.guard of an Organization sets: what is allowed, what
// was counted in its status and until when, and one more. It has no client and no clock.
package window

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Rules are what the guard asks for of what an Organization asks for, where there are so many users. orgs are all objects
// of the organization.
func Rules(org *v1alpha1.Organization, orgs []*v1alpha1.Organization, acts func(types.NamespacedName) bool, users int) plan.Rules {
	return plan.Rules{MinOwners: MinOwners(orgs, acts), MaxRemovals: maxRemovals(org.Spec.Guard.MaxRemovals, users)}
}

// MinOwners is the largest that any object asks for whose key is good: none of them is to see fewer owners.
func MinOwners(orgs []*v1alpha1.Organization, acts func(types.NamespacedName) bool) int {
	most := 0
	for _, org := range orgs {
		if acts(client.ObjectKeyFromObject(org)) {
			most = max(most, int(org.Spec.Guard.MinOwners))
		}
	}
	return most
}

// maxRemovals resolves a number or a percentage of all users.
func maxRemovals(limit *intstr.IntOrString, users int) int {
	if limit == nil {
		return 0
	}
	if limit.Type == intstr.Int {
		return limit.IntValue()
	}
	percent, err := intstr.GetScaledValueFromIntOrPercent(limit, users, true)
	if err != nil {
		return 0 // admission lets nothing else through; holding is the safe side
	}
	return max(percent, 1)
}

// Removals counts the removals in the present windows of all Organization objects of one organization, and says when the
// first of these windows ends; zero if nothing is counted. acts says whose key is good: who has none any more stretches no
// window, but what they removed while they had one counts as long as it would for the others.
func Removals(orgs []*v1alpha1.Organization, acts func(types.NamespacedName) bool, now time.Time) (count int, until time.Time) {
	longest := time.Duration(0)
	for _, org := range orgs {
		if acts(client.ObjectKeyFromObject(org)) {
			longest = max(longest, org.Spec.Guard.Window.Duration)
		}
	}
	for _, org := range orgs {
		more, end := counted(org, now, longest)
		if more > 0 && (until.IsZero() || end.Before(until)) {
			until = end
		}
		count += more
	}
	return count, until
}

// counted is the number of removals in the present window, and when it ends. A window that begins in the future, as the
// clock of a leader before had it, began now at the latest. most is as long as a window may be.
func counted(org *v1alpha1.Organization, now time.Time, most time.Duration) (int, time.Time) {
	removals := org.Status.Removals
	if removals == nil {
		return 0, now
	}
	start := removals.WindowStart.Time
	if start.After(now) {
		start = now
	}
	until := start.Add(min(org.Spec.Guard.Window.Duration, most))
	if !now.Before(until) {
		return 0, now
	}
	return int(removals.Count), until
}

// Count counts removals in the present window of an Organization, or begins one with them.
func Count(org *v1alpha1.Organization, count int, now time.Time) {
	before, _ := counted(org, now, org.Spec.Guard.Window.Duration)
	start := metav1.NewTime(now).Rfc3339Copy()
	if before > 0 && !org.Status.Removals.WindowStart.After(now) {
		start = org.Status.Removals.WindowStart
	}
	org.Status.Removals = &v1alpha1.Removals{WindowStart: start, Count: int32(max(0, before+count))} //nolint:gosec // people
}

// GiveBack takes one removal from what an Organization counts.
func GiveBack(org *v1alpha1.Organization) {
	if org.Status.Removals != nil && org.Status.Removals.Count > 0 {
		org.Status.Removals.Count--
	}
}
