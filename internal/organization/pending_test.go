package organization

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/plan"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func (w woke) String() string { return w.key.ID }

func takenOf(p *pending, most int) (ids []string) {
	for _, w := range p.take(most) {
		ids = append(ids, w.key.ID)
	}
	return ids
}

func waitingOf(p *pending, l lane, most int) (ids []string) {
	for _, c := range p.waiting(l, most) {
		ids = append(ids, c.key.ID+c.key.Email)
	}
	return ids
}

func expect(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func signalled(p *pending) bool {
	select {
	case <-p.signal:
		return true
	default:
		return false
	}
}

func TestWhoIsWokenUrgentlyIsTakenUpFirstAndOnce(t *testing.T) {
	p := newPending()
	p.wake(Reread, true, plan.IDKey("a"))
	p.wake(Due, false, plan.IDKey("b"))
	p.wake(Edited, false, plan.IDKey("c"))
	p.wake(Edited, false, plan.IDKey("a"))
	p.wake(Reread, false, plan.IDKey("c"))
	expect(t, "the most urgent", 2, len(p.take(2)))
	expect(t, "then the next", []string{"b"}, takenOf(p, 5))
	expect(t, "nobody twice", []string(nil), takenOf(p, 5))
	expect(t, "signalled", true, signalled(p))
	p.wake(Reread, true, plan.IDKey("a"))
	p.wake(Edited, false, plan.IDKey("a"))
	woken := p.take(5)
	if len(woken) != 1 || !woken[0].tell || woken[0].urgency != Edited {
		t.Errorf("got %+v, want the urgency of one and the telling of the other", woken)
	}
}

func TestWhoIsBusyStaysWokenAndIsHeardWhenReleased(t *testing.T) {
	p := newPending()
	c := &candidate{key: plan.IDKey("a"), user: plan.User{ID: "a", Email: "A@example.com"}}
	p.propose(c.key, c, noon)
	if !p.hold(c, c.keys()) {
		t.Fatal("not held")
	}
	if p.hold(c, c.keys()) {
		t.Error("held twice")
	}
	p.wake(Edited, false, c.key, plan.EmailKey("a@example.com"), plan.IDKey("b"))
	expect(t, "taken", []string{"b"}, takenOf(p, 5))
	signalled(p)
	p.release(c.keys(), Due)
	expect(t, "signalled", true, signalled(p))
	woken := p.take(5)
	expect(t, "both keys", 2, len(woken))
	for _, w := range woken {
		if w.urgency != Edited || !w.tell {
			t.Errorf("%+v: want as urgent as they were woken, and told", w)
		}
	}
	expect(t, "nobody is busy", 0, len(p.busy))
}

func TestAnotherWithTheAddressOfOneWhoIsBusyDoesNotWaitForATurn(t *testing.T) {
	p := newPending()
	a := &candidate{key: plan.IDKey("a"), user: plan.User{ID: "a", Email: "twin@example.com"}}
	b := &candidate{key: plan.IDKey("b"), user: plan.User{ID: "b", Email: "twin@example.com"}}
	p.propose(a.key, a, noon)
	p.propose(b.key, b, noon)
	p.hold(a, a.keys())
	expect(t, "waiting", []string(nil), waitingOf(p, giving, 5))
	p.release(a.keys(), Due)
	expect(t, "waiting then", []string{"b"}, waitingOf(p, giving, 5))
}

func TestTheMostUrgentOldestLeaverAndLongestWaitingGoFirst(t *testing.T) {
	p := newPending()
	add := func(id string, u Urgency, order int64, since time.Duration) {
		p.propose(plan.IDKey(id), &candidate{key: plan.IDKey(id), lane: taking, urgency: u, order: order}, noon.Add(since))
	}
	add("reread", Reread, 0, 0)
	add("late", Due, 0, 2)
	add("early", Due, 0, 1)
	add("leaver-young", Due, 20, 3)
	add("leaver-old", Due, 10, 4)
	add("edited", Edited, 0, 5)
	p.propose(plan.IDKey("other-lane"), &candidate{key: plan.IDKey("other-lane"), lane: giving}, noon)
	all := []string{"edited", "leaver-old", "leaver-young", "early", "late", "reread"}
	for most := 1; most <= len(all); most++ {
		expect(t, "the first", all[:most], waitingOf(p, taking, most))
	}
	// Who is proposed again keeps their place.
	add("early", Reread, 0, 100)
	expect(t, "proposed again", all, waitingOf(p, taking, 10))
	since, waits := p.waitingSince(plan.IDKey("early"))
	expect(t, "since", noon.Add(1), since)
	expect(t, "waits", true, waits)
	p.propose(plan.IDKey("early"), nil, noon)
	_, waits = p.waitingSince(plan.IDKey("early"))
	expect(t, "no candidate any more", false, waits)
}

func TestACandidateWhoWasProposedAnewCannotBeHeldAsTheOld(t *testing.T) {
	p := newPending()
	old := &candidate{key: plan.IDKey("a")}
	p.propose(old.key, old, noon)
	p.propose(old.key, &candidate{key: plan.IDKey("a"), look: plan.Look{Roles: true}}, noon)
	expect(t, "held", false, p.hold(old, old.keys()))
	expect(t, "busy", 0, len(p.busy))
}

func TestACandidateWhoWasProposedAgainAsTheyWereIsHeld(t *testing.T) {
	p := newPending()
	chosen := &candidate{key: plan.IDKey("a"), lane: taking}
	p.propose(chosen.key, chosen, noon)
	p.propose(chosen.key, &candidate{key: plan.IDKey("a"), lane: taking}, noon.Add(time.Second))
	expect(t, "held", true, p.hold(chosen, chosen.keys()))
}

func TestWhoIsBusyIsTakenUpAgainInsteadOfBecomingACandidate(t *testing.T) {
	p := newPending()
	chosen := &candidate{key: plan.IDKey("a")}
	p.propose(chosen.key, chosen, noon)
	expect(t, "held", true, p.hold(chosen, chosen.keys()))
	p.propose(chosen.key, &candidate{key: plan.IDKey("a"), urgency: Due}, noon)
	expect(t, "woken while busy", 0, len(p.take(5)))
	p.release(chosen.keys(), Reread)
	expect(t, "waiting", []string(nil), waitingOf(p, giving, 5))
	taken := p.take(5)
	expect(t, "taken up", 1, len(taken))
	expect(t, "urgency", Due, taken[0].urgency)
}

func TestATimerRingsOnceAtTheEarliestTimeAndANearerOneIsHeard(t *testing.T) {
	p := newPending()
	p.wakeAt(noon.Add(time.Minute), plan.IDKey("a"))
	expect(t, "the first is heard", true, signalled(p))
	p.wakeAt(noon.Add(time.Hour), plan.IDKey("a"))
	expect(t, "a later one is not", false, signalled(p))
	p.wakeAt(noon.Add(2*time.Minute), plan.IDKey("b"))
	expect(t, "wait", time.Minute, p.ring(noon))
	expect(t, "nobody yet", []string(nil), takenOf(p, 5))
	expect(t, "rings", time.Duration(0), p.ring(noon.Add(time.Minute)))
	expect(t, "who", []string{"a"}, takenOf(p, 5))
	expect(t, "wait for the next", time.Minute, p.ring(noon.Add(time.Minute)))
	p.ring(noon.Add(2 * time.Minute))
	expect(t, "who then", []string{"b"}, takenOf(p, 5))
	expect(t, "timers left", 0, len(p.timers))
}
