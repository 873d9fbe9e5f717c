package window

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// orgWith has a window, and counted so many in one that began some time ago.
func orgWith(name string, window time.Duration, count int32, ago time.Duration) *v1alpha1.Organization {
	org := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: name}}
	org.Spec.Guard.Window.Duration = window
	if count > 0 {
		org.Status.Removals = &v1alpha1.Removals{WindowStart: metav1.NewTime(noon.Add(-ago)), Count: count}
	}
	return org
}

func expect(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTheWindowsOfAllObjectsCountUntilTheFirstEnds(t *testing.T) {
	type orgs = []*v1alpha1.Organization
	for what, c := range map[string]struct {
		orgs  orgs
		count int
		until time.Duration
	}{
		"nothing counted":                      {orgs{orgWith("a", time.Hour, 0, 0)}, 0, 0},
		"one window":                           {orgs{orgWith("a", time.Hour, 2, time.Minute)}, 2, 59 * time.Minute},
		"the first of two":                     {orgs{orgWith("a", time.Hour, 2, time.Minute), orgWith("b", time.Hour, 3, 10*time.Minute)}, 5, 50 * time.Minute},
		"one that is over":                     {orgs{orgWith("a", time.Hour, 2, time.Hour), orgWith("b", time.Hour, 1, 0)}, 1, time.Hour},
		"one that begins in the future":        {orgs{orgWith("a", time.Hour, 2, -time.Hour)}, 2, time.Hour},
		"no good key stretches no window":      {orgs{orgWith("a", time.Hour, 0, 0), orgWith("keyless", 720*time.Hour, 2, 2*time.Hour)}, 0, 0},
		"no good key counts as for the others": {orgs{orgWith("a", time.Hour, 0, 0), orgWith("keyless", 720*time.Hour, 2, time.Minute)}, 2, 59 * time.Minute},
	} {
		count, until := Removals(c.orgs, func(name types.NamespacedName) bool { return name.Name != "keyless" }, noon)
		expect(t, what, c.count, count)
		end := time.Time{}
		if c.until > 0 {
			end = noon.Add(c.until)
		}
		expect(t, what+": until", end, until)
	}
}

func TestARemovalIsCountedInItsWindowOrBeginsOne(t *testing.T) {
	org := orgWith("a", time.Hour, 2, time.Minute)
	Count(org, 3, noon)
	expect(t, "in a window", 5, int(org.Status.Removals.Count))
	expect(t, "which began", noon.Add(-time.Minute), org.Status.Removals.WindowStart.UTC())
	Count(org, 1, noon.Add(2*time.Hour))
	expect(t, "in a new one", 1, int(org.Status.Removals.Count))
	expect(t, "which begins", noon.Add(2*time.Hour), org.Status.Removals.WindowStart.UTC())
	GiveBack(org)
	GiveBack(org)
	expect(t, "given back", 0, int(org.Status.Removals.Count))
}

func TestAShareOfTheUsersIsRoundedUpAndAtLeastOne(t *testing.T) {
	for limit, want := range map[string]int{"10%": 3, "1%": 1, "0%": 1} {
		org := orgWith("a", time.Hour, 0, 0)
		org.Spec.Guard.MinOwners, org.Spec.Guard.MaxRemovals = 2, new(intstr.FromString(limit))
		expect(t, limit, plan.Rules{MinOwners: 2, MaxRemovals: want}, Rules(org, []*v1alpha1.Organization{org}, all, 21))
	}
	expect(t, "no limit is written: none is removed", plan.Rules{}, Rules(orgWith("a", time.Hour, 0, 0), nil, all, 21))
}

func all(types.NamespacedName) bool { return true }

func TestTheLargestMinOwnersOfThoseWithAGoodKeyHolds(t *testing.T) {
	few, many := orgWith("few", time.Hour, 0, 0), orgWith("many", time.Hour, 0, 0)
	few.Spec.Guard.MinOwners, many.Spec.Guard.MinOwners = 1, 3
	orgs := []*v1alpha1.Organization{few, many}
	expect(t, "of all", 3, Rules(few, orgs, all, 21).MinOwners)
	expect(t, "whose key is no good", 1, MinOwners(orgs, func(name types.NamespacedName) bool { return name.Name == "few" }))
}
