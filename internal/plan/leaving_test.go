package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLeavers(t *testing.T) {
	line := func(kind Kind) map[string]Kind { return map[string]Kind{"default": kind} }
	waits := func(kind Kind) outcome {
		return outcome{waiting: map[string]Kind{removeAda: kind}, leaving: line(kind)}
	}
	decisions(t, map[string]decisionCase{
		"who is not due stays, and is woken then": {
			func(s *scene) { s.leaver().Due = 150 },
			outcome{leaving: line(NotDue), wakeAt: 150},
		},
		"who is due is removed": {
			func(s *scene) { s.leaver() },
			outcome{now: []string{removeAda}, leaving: line(Pending)},
		},
		"who is due this second is removed": {
			func(s *scene) { s.leaver().Due = 100 },
			outcome{now: []string{removeAda}, leaving: line(Pending)},
		},
		"who is declared again stays for good": {
			func(s *scene) { s.leaver(); s.claim("b", 1) },
			outcome{claims: map[string]Kind{"b": None}, leaving: line(DeclaredAgain), forgotten: []string{"default"}},
		},
		"who is declared again by a paused OrgUser stays for good": {
			func(s *scene) { s.leaver(); s.claim("b", 1).Paused = true },
			outcome{claims: map[string]Kind{"b": Paused}, leaving: line(DeclaredAgain), forgotten: []string{"default"}},
		},
		"an OrgUser that has not written them down protects them, and the line stays": {
			func(s *scene) { s.leaver(); s.claim("b", 1).Written = false },
			outcome{claims: map[string]Kind{"b": NotWritten}, leaving: line(Protected)},
		},
		"an OrgUser that is to take them over protects them, and the line stays until that is written down": {
			func(s *scene) { s.leaver(); s.claim("b", 1).Remembered = "user-0" },
			outcome{claims: map[string]Kind{"b": NotWritten}, leaving: line(Protected)},
		},
		"an OrgUser that is not matched with them protects them": {
			func(s *scene) {
				s.others = []User{{ID: "user-0", Email: "king@example.com"}}
				s.leaver()
				s.claim("b", 1).Remembered = "user-0"
			},
			outcome{claims: map[string]Kind{"b": AddressChanged}, leaving: line(Protected)},
		},
		"an OrgUser under Observe protects them": {
			func(s *scene) {
				s.leaver()
				c := s.claim("b", 1)
				c.Written, c.Organization = false, s.another("lax")
				c.Organization.Observe = true
			},
			outcome{claims: map[string]Kind{"b": Observed}, leaving: line(Protected)},
		},
		"an OrgUser that is going protects nobody": {
			func(s *scene) { s.leaver(); s.claim("b", 1).Going = true },
			outcome{now: []string{removeAda}, leaving: line(Pending)},
		},
		"who has another address now stays": {
			func(s *scene) { s.leaver(); s.User.Email = "king@example.com" },
			outcome{leaving: line(AddressChanged)},
		},
		"whom the manifest named by ID goes under whatever address": {
			func(s *scene) { s.leaver().Email = ""; s.User.Email = "" },
			outcome{now: []string{"remove user-1 from the organization"}, leaving: line(Pending)},
		},
		"who is gone already needs no step": {
			func(s *scene) { s.leaver(); s.Present = false },
			outcome{leaving: line(Gone), forgotten: []string{"default"}},
		},
		"who is gone is gone although an OrgUser names them": {
			func(s *scene) { s.leaver(); s.Present = false; s.claim("b", 1) },
			outcome{claims: map[string]Kind{"b": Left}, leaving: line(Gone), forgotten: []string{"default"}},
		},
		"whose absence is not confirmed is looked for": {
			func(s *scene) { s.leaver(); s.Present, s.unsure = false, []string{"user-1"} },
			outcome{leaving: line(Unknown), look: Look{User: true}},
		},
		"after a lost answer they are looked at": {
			func(s *scene) { s.leaver(); s.Doubted = true },
			outcome{leaving: line(Unknown), look: Look{User: true}},
		},
		"under Observe they stay": {
			func(s *scene) { s.leaver(); s.org.Observe = true }, waits(Observed),
		},
		"of a paused Organization they stay": {
			func(s *scene) { s.leaver(); s.org.Paused = true }, waits(OrganizationPaused),
		},
		"without a good key they stay": {
			func(s *scene) { s.leaver(); s.org.Acts = false }, waits(OrganizationNotReady),
		},
		"whom the guard holds waits for the window": {
			func(s *scene) {
				s.leaver()
				s.tried(t, Try{Fact: Fact{Kind: Guarded, Rule: RuleMaxRemovals}, Until: 160})
			},
			outcome{waiting: map[string]Kind{removeAda: Guarded}, leaving: line(Guarded), wakeAt: 160},
		},
		"who is to be removed is given nothing": {
			func(s *scene) { s.leaver(); s.grant("b", viewer) },
			outcome{
				now: []string{removeAda}, leaving: line(Pending),
				grants: map[string]string{"b": "NotHeld"}, facts: map[string]Kind{"b": Leaving},
			},
		},
		"who is held back from being removed is given nothing": {
			func(s *scene) { s.leaver(); s.grant("b", viewer).Organization = s.another("b"); s.org.Paused = true },
			outcome{
				waiting: map[string]Kind{removeAda: OrganizationPaused}, leaving: line(OrganizationPaused),
				grants: map[string]string{"b": "NotHeld"}, facts: map[string]Kind{"b": Leaving},
			},
		},
		"who is not due is still given what is declared": {
			func(s *scene) { s.leaver().Due = 150; s.grant("b", viewer) },
			outcome{
				now: []string{giveViewer}, leaving: line(NotDue), wakeAt: 150,
				grants: map[string]string{"b": "NotHeld"}, facts: map[string]Kind{"b": Pending},
			},
		},
		"what is taken from them is taken before they are removed": {
			func(s *scene) { s.leaver(); s.holds(viewer); s.released("b", viewer) },
			outcome{
				now: []string{takeViewer, removeAda}, leaving: line(Pending),
				grants: map[string]string{"b": "Direct"}, facts: map[string]Kind{"b": Pending},
			},
		},
		"of two Organizations whose leaver they are one removes them": {
			func(s *scene) { s.leaver(); s.leaver().Organization = s.another("second") },
			outcome{now: []string{removeAda}, leaving: map[string]Kind{"default": Pending, "second": Pending}},
		},
		"of two Organizations whose leaver they are the one that may removes them": {
			func(s *scene) { s.leaver(); s.leaver().Organization = s.another("second"); s.org.Paused = true },
			outcome{now: []string{removeAda}, leaving: map[string]Kind{"default": OrganizationPaused, "second": Pending}},
		},
		"of two Organizations whose leaver they are the later one waits for nobody": {
			func(s *scene) {
				s.leaver()
				second := s.leaver()
				second.Organization, second.Due = s.another("second"), 150
			},
			outcome{now: []string{removeAda}, leaving: map[string]Kind{"default": Pending, "second": NotDue}, wakeAt: 150},
		},
	})
}

func TestALeaverSaysWho(t *testing.T) {
	for name, tc := range map[string]struct {
		scene func(s *scene)
		want  Fact
	}{
		"names them again": {
			func(s *scene) { s.claim("b", 1) }, Fact{Kind: DeclaredAgain, Object: Ref{"team", "b"}},
		},
		"protects them, the oldest of several": {
			func(s *scene) { s.claim("b", 2).Written = false; s.claim("c", 1).Written = false },
			Fact{Kind: Protected, Object: Ref{"team", "c"}},
		},
		"has which address now": {
			func(s *scene) {
				s.User = User{ID: "user-1", Email: "bob@example.com"}
				s.others = []User{{ID: "user-2", Email: "ada@example.com"}}
			},
			Fact{Kind: AddressChanged, Users: []User{{ID: "user-1", Email: "bob@example.com"}, {ID: "user-2", Email: "ada@example.com"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(tc.scene)
			s.leaver()
			if diff := cmp.Diff(tc.want, s.decide(t).Leaving[s.org.Ref].Fact); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUndeclaredUsers(t *testing.T) {
	take := func(s *scene) { s.org.UndeclaredUsers, s.SeenUndeclared = Take, Sightings }
	undeclared := outcome{undeclared: true}
	removed := outcome{undeclared: true, now: []string{removeAda}}
	but := func(change func(s *scene)) func(s *scene) {
		return func(s *scene) { take(s); change(s) }
	}
	decisions(t, map[string]decisionCase{
		"whom no OrgUser names is removed where the policy says so": {take, removed},
		"nobody is removed where the policy is to report": {
			but(func(s *scene) { s.org.UndeclaredUsers = Report }), undeclared,
		},
		"nobody is removed where the policy is to ignore": {
			but(func(s *scene) { s.org.UndeclaredUsers = Ignore }), undeclared,
		},
		"one reading is not enough": {
			but(func(s *scene) { s.SeenUndeclared = Sightings - 1 }), undeclared,
		},
		"nobody is removed while another object stands for the organization": {
			but(func(s *scene) { s.another("second") }), undeclared,
		},
		"nobody is removed while an OrgUser is not matched with anybody": {
			but(func(s *scene) { s.Sums.Unresolved = true }), undeclared,
		},
		"nobody is removed where there is no OrgUser at all": {
			but(func(s *scene) { s.Sums.OrgUsers = 0 }), undeclared,
		},
		"nobody is removed after a lost answer": {
			but(func(s *scene) { s.Doubted = true }), undeclared,
		},
		"a service account is not undeclared": {
			but(func(s *scene) { s.User.Exempt = true }), outcome{},
		},
		"who is declared is not undeclared": {
			but(func(s *scene) { s.claim("a", 1) }), outcome{claims: map[string]Kind{"a": None}},
		},
		"whom a leaver's line names is not undeclared": {
			but(func(s *scene) { s.leaver().Due = 150 }), outcome{leaving: map[string]Kind{"default": NotDue}, wakeAt: 150},
		},
		"who is not there is not undeclared": {
			but(func(s *scene) { s.Present = false }), outcome{},
		},
		"under Observe the removal is shown": {
			but(func(s *scene) { s.org.Observe = true }), outcome{undeclared: true, waiting: map[string]Kind{removeAda: Observed}},
		},
		"of a paused Organization the removal waits": {
			but(func(s *scene) { s.org.Paused = true }), outcome{undeclared: true, waiting: map[string]Kind{removeAda: OrganizationPaused}},
		},
		"a binding does not declare a user, and one who is to be removed is given nothing": {
			but(func(s *scene) { s.grant("b", viewer) }),
			outcome{
				undeclared: true, now: []string{removeAda},
				grants: map[string]string{"b": "NotHeld"}, facts: map[string]Kind{"b": Leaving},
			},
		},
	})
}

func TestForgettingWhileACallMayBeOut(t *testing.T) {
	gone := map[string]Kind{"default": Gone}
	decisions(t, map[string]decisionCase{
		"nothing is forgotten while a call is under way": {
			func(s *scene) {
				s.leaver()
				s.Present, s.Unsettled = false, true
				s.released("b", viewer)
			},
			outcome{leaving: gone, grants: map[string]string{"b": "NotHeld"}},
		},
		"nothing is forgotten before the deadline of a lost answer, and they are woken then": {
			func(s *scene) {
				s.leaver()
				s.Present, s.Unsettled, s.SettlesAt = false, true, 130
				s.released("b", viewer)
			},
			outcome{leaving: gone, grants: map[string]string{"b": "NotHeld"}, wakeAt: 130},
		},
		"after the deadline they are looked at once more, and nothing is forgotten before": {
			func(s *scene) {
				s.leaver()
				s.Present, s.Unsettled, s.SettlesAt, s.SettledBy = false, true, 100, Look{Roles: true}
				s.released("b", viewer)
			},
			outcome{leaving: gone, grants: map[string]string{"b": "NotHeld"}, look: Look{Roles: true}},
		},
		"what is settled is forgotten": {
			func(s *scene) {
				s.leaver()
				s.Present = false
				s.released("b", viewer)
			},
			outcome{leaving: gone, forgotten: []string{"default"}, grants: map[string]string{"b": "NotHeld forget"}},
		},
		"a line of a role that is not held stays while a call is under way": {
			func(s *scene) { s.Unsettled = true; s.released("b", viewer) },
			outcome{undeclared: true, grants: map[string]string{"b": "NotHeld"}},
		},
		"a line of a role that another binding gives stays while a call is under way": {
			func(s *scene) { s.holds(viewer); s.Unsettled = true; s.released("b", viewer); s.grant("c", viewer) },
			outcome{undeclared: true, grants: map[string]string{"b": "Direct", "c": "Direct"}},
		},
		"a leaver who is declared again stays one while a call is under way": {
			func(s *scene) { s.leaver(); s.Unsettled = true; s.claim("b", 1) },
			outcome{leaving: map[string]Kind{"default": DeclaredAgain}, claims: map[string]Kind{"b": None}},
		},
		"nothing is looked at where there is nothing to forget": {
			func(s *scene) { s.Unsettled, s.SettlesAt = true, 50; s.claim("b", 1) },
			outcome{claims: map[string]Kind{"b": None}},
		},
	})
}
