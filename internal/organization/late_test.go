package organization

import (
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

func TestTwoChangesForWhichOneLookIsTooOldAreLateOnce(t *testing.T) {
	o := New(World{Now: time.Now}, link.Pair{}, nil, nil)
	t.Run("in their first turn", func(t *testing.T) { lateTwice(t, o, 0) })
	t.Run("in the one after it", func(t *testing.T) { lateTwice(t, o, 2) })
	t.Run("in a third", func(t *testing.T) { lateTwice(t, o, 2) }) // late anew, and what failed before is kept
}

// lateTwice has two changes of one person late in one turn, and tells whether that many are put off.
func lateTwice(t *testing.T, o *Organization, want int) {
	t.Helper()
	user := plan.User{ID: "user-001"}
	p := &passenger{Candidate: &pending.Candidate{Key: plan.IDKey(user.ID), User: user}, person: &plan.Person{User: user}}
	turn := &turn{Organization: o}
	for _, role := range []string{"one", "two"} {
		turn.late(p, plan.Due{Step: plan.Step{Verb: plan.Assign, UserID: user.ID, Role: plan.Role{ID: role}}})
	}
	if got := len(o.tries.Of(user.ID)); got != want {
		t.Errorf("%d changes are put off, want %d", got, want)
	}
}
