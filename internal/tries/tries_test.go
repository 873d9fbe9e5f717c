package tries

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/plan"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func remembering() (*Memory, *clock) {
	c := &clock{noon}
	return New(c.now), c
}

func expect(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var (
	update  = plan.Target{Verb: plan.Update, UserID: "a"}
	remove  = plan.Target{Verb: plan.Remove, UserID: "b"}
	refused = plan.Fact{Kind: plan.Refused, Words: "no"}
)

func (m *Memory) waitsFor(target plan.Target) time.Duration {
	return time.Unix(m.Of(target.UserID)[target].Until, 0).Sub(m.now())
}

func TestAPaceDoublesUpToItsLast(t *testing.T) {
	for attempts, want := range []float64{1, 2, 4, 8, 10, 10} {
		expect(t, "seconds", want, Late.After(attempts).Seconds())
	}
	expect(t, "after very many", time.Hour, Refusal.After(1000))
	expect(t, "rounded up", noon.Unix()+1, Seconds(noon.Add(time.Nanosecond)))
}

func TestAStepThatFailsTheSameWayIsTriedEverMoreRarely(t *testing.T) {
	m, _ := remembering()
	m.Failed(update, "x", refused, Refusal)
	expect(t, "at first", time.Minute, m.waitsFor(update))
	m.Failed(update, "x", refused, Refusal)
	expect(t, "then", 2*time.Minute, m.waitsFor(update))
	m.Failed(update, "another", refused, Refusal)
	expect(t, "when what it rests on changed", time.Minute, m.waitsFor(update))
	m.Accepted(update, "another")
	expect(t, "when something else came of it", time.Minute, m.waitsFor(update))
	expect(t, "what came of it", plan.NotTakenOver, m.Of("a")[update].Fact.Kind)
}

func TestWhatWaitsAlreadyWaitsNoLongerForALookThatDoesNotCallForIt(t *testing.T) {
	m, c := remembering()
	m.Failed(update, "x", refused, Refusal)
	m.NotYet(update, "x")
	expect(t, "what is kept", refused, m.Of("a")[update].Fact)
	c.at = noon.Add(time.Minute)
	m.NotYet(update, "x")
	expect(t, "when that is over", plan.Pending, m.Of("a")[update].Fact.Kind)
	m.Held(remove, plan.Try{Fingerprint: "y", Fact: plan.Fact{Kind: plan.Guarded}})
	m.NotYet(remove, "y")
	expect(t, "what is held for good", plan.Guarded, m.Of("b")[remove].Fact.Kind)
}

func TestOnlyStepsThatAreCalledForAreRemembered(t *testing.T) {
	m, _ := remembering()
	m.Failed(update, "x", refused, Refusal)
	m.LookFailed(Look{Key: plan.IDKey("a")}, "down")
	m.Settle("a", plan.Decision{Look: plan.Look{User: true}})
	expect(t, "while nothing is known", 1, len(m.Of("a")))
	m.Settle("a", plan.Decision{Steps: []plan.Due{{Step: plan.Step{Verb: plan.Update, UserID: "a"}}}})
	expect(t, "called for", 1, len(m.Of("a")))
	m.Settle("a", plan.Decision{})
	expect(t, "not called for", 0, len(m.Of("a"))+len(m.steps)+len(m.of)+len(m.looks))
}

func TestWhoIsFreedIsNamed(t *testing.T) {
	m, _ := remembering()
	m.Failed(update, "x", refused, Refusal)
	m.Held(remove, plan.Try{Fact: plan.Fact{Kind: plan.Guarded}})
	expect(t, "whom the guard held", []plan.Key{plan.IDKey("b")}, m.FreeGuarded())
	m.LookFailed(Look{Key: plan.IDKey("a")}, "down")
	m.LateAgain("a")
	expect(t, "all", []plan.Key{plan.IDKey("a")}, m.FreeAll())
	expect(t, "left", 0, len(m.steps)+len(m.of)+len(m.looks)+len(m.late))
}

func TestALookWaitsUntilItsTimeAndIsForgottenWhenItSucceeds(t *testing.T) {
	m, c := remembering()
	look := Look{Key: plan.IDKey("a"), Roles: true}
	expect(t, "after the first", time.Second, m.LookFailed(look, "down"))
	expect(t, "after the second", 2*time.Second, m.LookFailed(look, "down"))
	until, waits := m.LookWaits(look)
	expect(t, "waits", true, waits)
	expect(t, "until", noon.Add(2*time.Second), until.UTC())
	_, other := m.LookWaits(Look{Key: plan.IDKey("a")})
	expect(t, "another look", false, other)
	c.at = noon.Add(2 * time.Second)
	_, waits = m.LookWaits(look)
	expect(t, "waits then", false, waits)
	fact, _ := m.LookFact(look)
	expect(t, "is said until it succeeds", plan.Fact{Kind: plan.Retrying, Words: "down"}, fact)
	m.LookSucceeded(look)
	_, failed := m.LookFact(look)
	expect(t, "said then", false, failed)
}

func TestWhatIsLongOverIsSwept(t *testing.T) {
	m, c := remembering()
	m.Failed(update, "x", refused, Refusal)
	m.Held(remove, plan.Try{Fact: plan.Fact{Kind: plan.Guarded}})
	m.LookFailed(Look{Key: plan.IDKey("a")}, "down")
	m.Sweep()
	expect(t, "kept at first", 3, len(m.steps)+len(m.looks))
	c.at = noon.Add(3 * time.Hour)
	m.Sweep()
	expect(t, "looks", 0, len(m.looks))
	expect(t, "what waits to be freed", 1, len(m.steps))
	expect(t, "of nobody else", 0, len(m.Of("a")))
}

func TestOnlyTwoTurnsInARowAreLateAgain(t *testing.T) {
	m, _ := remembering()
	expect(t, "once", false, m.LateAgain("a"))
	expect(t, "somebody else", false, m.LateAgain("b"))
	expect(t, "twice", true, m.LateAgain("a"))
	expect(t, "it begins anew", false, m.LateAgain("a"))
	m.InTime("a")
	expect(t, "after one in time", false, m.LateAgain("a"))
}

func TestACallIsUnderWayUntilAllHaveEnded(t *testing.T) {
	m, _ := remembering()
	m.Begin("a")
	m.Begin("a")
	m.End("a")
	expect(t, "one of two", true, m.UnderWay("a"))
	m.End("a")
	expect(t, "none", false, m.UnderWay("a"))
	expect(t, "kept", 0, len(m.underWay))
}
