package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGuard(t *testing.T) {
	removeReader := Step{Verb: Remove, UserID: "reader"}
	removeOwner := Step{Verb: Remove, UserID: "owner", DemotesOwner: true}
	demote := Step{Verb: Update, UserID: "owner", DemotesOwner: true}
	change := Step{Verb: Update, UserID: "reader"}
	for name, tc := range map[string]struct {
		steps  []Step
		rules  Rules
		facts  Facts
		passed []Step
		held   []Refusal
	}{
		"what neither removes nor demotes passes whatever the rules": {
			[]Step{change}, Rules{MinOwners: 9}, Facts{}, []Step{change}, nil,
		},
		"a demotion passes as long as enough owners stay": {
			[]Step{demote}, Rules{MinOwners: 2}, Facts{Owners: 3}, []Step{demote}, nil,
		},
		"a demotion that leaves too few owners is held": {
			[]Step{demote}, Rules{MinOwners: 2}, Facts{Owners: 2}, nil, []Refusal{{demote, RuleMinOwners}},
		},
		"the removal of an owner counts for both rules": {
			[]Step{removeOwner}, Rules{MinOwners: 2, MaxRemovals: 5}, Facts{Owners: 2}, nil, []Refusal{{removeOwner, RuleMinOwners}},
		},
		"removals pass up to the most and no further": {
			[]Step{removeReader, removeReader, removeReader}, Rules{MaxRemovals: 10}, Facts{Removals: 8},
			[]Step{removeReader, removeReader}, []Refusal{{removeReader, RuleMaxRemovals}},
		},
		"steps count together": {
			[]Step{demote, removeOwner}, Rules{MinOwners: 2, MaxRemovals: 5}, Facts{Owners: 3},
			[]Step{demote}, []Refusal{{removeOwner, RuleMinOwners}},
		},
		"a held step leaves room for the next": {
			[]Step{removeOwner, removeReader}, Rules{MinOwners: 2, MaxRemovals: 1}, Facts{Owners: 2},
			[]Step{removeReader}, []Refusal{{removeOwner, RuleMinOwners}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			passed, held := Guard(tc.steps, tc.rules, tc.facts)
			if diff := cmp.Diff(tc.passed, passed); diff != "" {
				t.Errorf("passed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.held, held); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzTheGuardKeepsItsRules(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 1, 1}, 2, 3, 4, 0)
	f.Fuzz(func(t *testing.T, kinds []byte, minOwners, maxRemovals, owners, removals int) {
		var steps []Step
		for _, kind := range kinds {
			steps = append(steps, []Step{
				{Verb: Update}, {Verb: Update, DemotesOwner: true}, {Verb: Remove}, {Verb: Remove, DemotesOwner: true},
			}[kind%4])
		}
		minOwners, maxRemovals, owners, removals = minOwners%1000, maxRemovals%1000, owners%1000, removals%1000
		passed, held := Guard(steps, Rules{minOwners, maxRemovals}, Facts{owners, removals})
		if len(passed)+len(held) != len(steps) {
			t.Fatalf("%d steps became %d passed and %d held", len(steps), len(passed), len(held))
		}
		demoted, removed := 0, 0
		for _, step := range passed {
			if step.DemotesOwner {
				demoted++
			}
			if step.Verb == Remove {
				removed++
			}
		}
		if demoted > 0 && owners-demoted < minOwners {
			t.Errorf("%d of %d owners demoted, and %d must stay", demoted, owners, minOwners)
		}
		if removed > 0 && removals+removed > maxRemovals {
			t.Errorf("%d removed after %d, and at most %d may be", removed, removals, maxRemovals)
		}
	})
}
