package pending

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/plan"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func (w Woke) String() string { return w.Key.ID }

func takenOf(p *People, most int) (ids []string) {
	for _, w := range p.Take(most) {
		ids = append(ids, w.Key.ID)
	}
	return ids
}

func waitingOf(p *People, l Lane, most int) (ids []string) {
	for _, c := range p.Waiting(l, most, func(*Candidate) bool { return true }) {
		ids = append(ids, c.Key.ID+c.Key.Email)
	}
	return ids
}

func expect(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func signalled(p *People) bool {
	select {
	case <-p.signal:
		return true
	default:
		return false
	}
}

func TestWhoIsWokenUrgentlyIsTakenUpFirstAndOnce(t *testing.T) {
	p := New()
	p.Wake(Reread, true, plan.IDKey("a"))
	p.Wake(Due, false, plan.IDKey("b"))
	p.Wake(Edited, false, plan.IDKey("c"))
	p.Wake(Edited, false, plan.IDKey("a"))
	p.Wake(Reread, false, plan.IDKey("c"))
	expect(t, "the most urgent", 2, len(p.Take(2)))
	expect(t, "then the next", []string{"b"}, takenOf(p, 5))
	expect(t, "nobody twice", []string(nil), takenOf(p, 5))
	expect(t, "signalled", true, signalled(p))
	p.Wake(Reread, true, plan.IDKey("a"))
	p.Wake(Edited, false, plan.IDKey("a"))
	woken := p.Take(5)
	if len(woken) != 1 || !woken[0].Tell || woken[0].Urgency != Edited {
		t.Errorf("got %+v, want the urgency of one and the telling of the other", woken)
	}
}

func TestWhoIsBusyStaysWokenAndIsHeardWhenReleased(t *testing.T) {
	p := New()
	c := &Candidate{Key: plan.IDKey("a"), User: plan.User{ID: "a", Email: "A@example.com"}}
	p.Propose(c.Key, c, noon)
	if !p.Hold(c, c.Keys()) {
		t.Fatal("not held")
	}
	if p.Hold(c, c.Keys()) {
		t.Error("held twice")
	}
	p.Wake(Edited, false, c.Key, plan.EmailKey("a@example.com"), plan.IDKey("b"))
	expect(t, "taken", []string{"b"}, takenOf(p, 5))
	signalled(p)
	p.Release(c.Keys(), Due)
	expect(t, "signalled", true, signalled(p))
	woken := p.Take(5)
	expect(t, "both keys", 2, len(woken))
	for _, w := range woken {
		if w.Urgency != Edited || !w.Tell {
			t.Errorf("%+v: want as urgent as they were woken, and told", w)
		}
	}
	expect(t, "nobody is busy", 0, len(p.busy))
}

func TestAnotherWithTheAddressOfOneWhoIsBusyDoesNotWaitForATurn(t *testing.T) {
	p := New()
	a := &Candidate{Key: plan.IDKey("a"), User: plan.User{ID: "a", Email: "twin@example.com"}}
	b := &Candidate{Key: plan.IDKey("b"), User: plan.User{ID: "b", Email: "twin@example.com"}}
	p.Propose(a.Key, a, noon)
	p.Propose(b.Key, b, noon)
	p.Hold(a, a.Keys())
	expect(t, "waiting", []string(nil), waitingOf(p, Giving, 5))
	p.Release(a.Keys(), Due)
	expect(t, "waiting then", []string{"b"}, waitingOf(p, Giving, 5))
}

func TestTheMostUrgentOldestLeaverAndLongestWaitingGoFirst(t *testing.T) {
	p := New()
	add := func(id string, u Urgency, order int64, since time.Duration) {
		p.Propose(plan.IDKey(id), &Candidate{Key: plan.IDKey(id), Lane: Taking, Urgency: u, Order: order}, noon.Add(since))
	}
	add("reread", Reread, 0, 0)
	add("late", Due, 0, 2)
	add("early", Due, 0, 1)
	add("leaver-young", Due, 20, 3)
	add("leaver-old", Due, 10, 4)
	add("edited", Edited, 0, 5)
	p.Propose(plan.IDKey("other-lane"), &Candidate{Key: plan.IDKey("other-lane"), Lane: Giving}, noon)
	all := []string{"edited", "leaver-old", "leaver-young", "early", "late", "reread"}
	for most := 1; most <= len(all); most++ {
		expect(t, "the first", all[:most], waitingOf(p, Taking, most))
	}
	// Who is proposed again keeps their place.
	add("early", Reread, 0, 100)
	expect(t, "proposed again", all, waitingOf(p, Taking, 10))
	since, waits := p.WaitingSince(plan.IDKey("early"))
	expect(t, "since", noon.Add(1), since)
	expect(t, "waits", true, waits)
	p.Propose(plan.IDKey("early"), nil, noon)
	_, waits = p.WaitingSince(plan.IDKey("early"))
	expect(t, "no candidate any more", false, waits)
}

func TestACandidateWhoWasProposedAnewCannotBeHeldAsTheOld(t *testing.T) {
	p := New()
	old := &Candidate{Key: plan.IDKey("a")}
	p.Propose(old.Key, old, noon)
	p.Propose(old.Key, &Candidate{Key: plan.IDKey("a"), Look: plan.Look{Roles: true}}, noon)
	expect(t, "held", false, p.Hold(old, old.Keys()))
	expect(t, "busy", 0, len(p.busy))
}

func TestACandidateWhoWasProposedAgainAsTheyWereIsHeld(t *testing.T) {
	p := New()
	chosen := &Candidate{Key: plan.IDKey("a"), Lane: Taking}
	p.Propose(chosen.Key, chosen, noon)
	p.Propose(chosen.Key, &Candidate{Key: plan.IDKey("a"), Lane: Taking}, noon.Add(time.Second))
	expect(t, "held", true, p.Hold(chosen, chosen.Keys()))
}

func TestWhoIsBusyIsTakenUpAgainInsteadOfBecomingACandidate(t *testing.T) {
	p := New()
	chosen := &Candidate{Key: plan.IDKey("a")}
	p.Propose(chosen.Key, chosen, noon)
	expect(t, "held", true, p.Hold(chosen, chosen.Keys()))
	p.Propose(chosen.Key, &Candidate{Key: plan.IDKey("a"), Urgency: Due}, noon)
	expect(t, "woken while busy", 0, len(p.Take(5)))
	p.Release(chosen.Keys(), Reread)
	expect(t, "waiting", []string(nil), waitingOf(p, Giving, 5))
	taken := p.Take(5)
	expect(t, "taken up", 1, len(taken))
	expect(t, "urgency", Due, taken[0].Urgency)
}

func TestWhatWasDecidedBeforeATurnEndedIsDecidedAgain(t *testing.T) {
	p := New()
	chosen := &Candidate{Key: plan.IDKey("a")}
	p.Propose(chosen.Key, chosen, noon)
	p.Wake(Edited, false, chosen.Key)
	expect(t, "taken up", 1, len(p.Take(5)))
	expect(t, "held", true, p.Hold(chosen, chosen.Keys()))
	p.Release(chosen.Keys(), Reread)
	p.Propose(chosen.Key, &Candidate{Key: plan.IDKey("a"), Urgency: Edited}, noon)
	expect(t, "waiting", []string(nil), waitingOf(p, Giving, 5))
	taken := p.Take(5)
	expect(t, "taken up again", 1, len(taken))
	expect(t, "urgency", Edited, taken[0].Urgency)
	p.Propose(chosen.Key, &Candidate{Key: plan.IDKey("a")}, noon)
	expect(t, "waiting then", []string{"a"}, waitingOf(p, Giving, 5))
}

func TestWhoWaitsBecomesNoLessUrgent(t *testing.T) {
	p := New()
	p.Propose(plan.IDKey("a"), &Candidate{Key: plan.IDKey("a"), Urgency: Edited}, noon)
	p.Wake(Reread, true, plan.IDKey("a"))
	taken := p.Take(5)
	expect(t, "taken up", 1, len(taken))
	expect(t, "urgency", Edited, taken[0].Urgency)
}

func TestATimerRingsOnceAtTheEarliestTimeAndANearerOneIsHeard(t *testing.T) {
	p := New()
	p.WakeAt(noon.Add(time.Minute), plan.IDKey("a"))
	expect(t, "the first is heard", true, signalled(p))
	p.WakeAt(noon.Add(time.Hour), plan.IDKey("a"))
	expect(t, "a later one is not", false, signalled(p))
	p.WakeAt(noon.Add(2*time.Minute), plan.IDKey("b"))
	expect(t, "wait", time.Minute, p.Ring(noon))
	expect(t, "nobody yet", []string(nil), takenOf(p, 5))
	expect(t, "rings", time.Duration(0), p.Ring(noon.Add(time.Minute)))
	expect(t, "who", []string{"a"}, takenOf(p, 5))
	expect(t, "wait for the next", time.Minute, p.Ring(noon.Add(time.Minute)))
	p.Ring(noon.Add(2 * time.Minute))
	expect(t, "who then", []string{"b"}, takenOf(p, 5))
	expect(t, "timers left", 0, len(p.timers))
}
