package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// promotes makes a claim want an owner.
func promotes(c *Claim) *Claim {
	c.Want.Role = RoleOwner
	return c
}

func TestWhoActs(t *testing.T) {
	decisions(t, map[string]decisionCase{
		"an OrgUser whose person is as it says is in sync": {
			func(s *scene) { s.claim("a", 1).Want.Role = "reader" },
			outcome{claims: map[string]Kind{"a": None}},
		},
		"the oldest acts, and the others are told of it": {
			func(s *scene) {
				promotes(s.claim("a", 3))
				s.claim("b", 1)
				promotes(s.claim("c", 2))
			},
			outcome{claims: map[string]Kind{"a": DeclaredElsewhere, "b": None, "c": DeclaredElsewhere}},
		},
		"of one age the first by namespace and name acts": {
			func(s *scene) {
				promotes(s.claim("b", 1))
				s.claim("a", 1)
				promotes(s.claim("c", 1)).Namespace = "zeta"
			},
			outcome{claims: map[string]Kind{"a": None, "b": DeclaredElsewhere, "c": DeclaredElsewhere}},
		},
		"a paused winner still wins, and its step waits": {
			func(s *scene) {
				promotes(s.claim("a", 1)).Paused = true
				s.claim("b", 2)
			},
			outcome{waiting: map[string]Kind{promoteAda: Paused}, claims: map[string]Kind{"a": Paused, "b": DeclaredElsewhere}},
		},
		"a winner under Observe still wins, and its step is shown": {
			func(s *scene) {
				s.org.Observe = true
				promotes(s.claim("a", 1))
				s.claim("b", 2).Organization = s.another("strict")
			},
			outcome{waiting: map[string]Kind{promoteAda: Observed}, claims: map[string]Kind{"a": Observed, "b": DeclaredElsewhere}},
		},
		"a winner of which the key cannot be used still wins": {
			func(s *scene) {
				s.org.Acts = false
				promotes(s.claim("a", 1))
				s.claim("b", 2).Organization = s.another("strict")
			},
			outcome{waiting: map[string]Kind{promoteAda: OrganizationNotReady}, claims: map[string]Kind{"a": OrganizationNotReady, "b": DeclaredElsewhere}},
		},
		"a winner of a paused Organization still wins": {
			func(s *scene) {
				s.org.Paused, s.org.Acts = true, false
				promotes(s.claim("a", 1))
				s.claim("b", 2).Organization = s.another("strict")
			},
			outcome{waiting: map[string]Kind{promoteAda: OrganizationPaused}, claims: map[string]Kind{"a": OrganizationPaused, "b": DeclaredElsewhere}},
		},
		"one that is going does not act, and nothing is said of it": {
			func(s *scene) {
				promotes(s.claim("a", 1)).Going = true
				s.claim("b", 2)
			},
			outcome{claims: map[string]Kind{"b": None}},
		},
		"one that is going alone changes nothing, and the person is not undeclared yet": {
			func(s *scene) {
				s.org.UndeclaredUsers = Take
				s.SeenUndeclared = Sightings
				promotes(s.claim("a", 1)).Going = true
			},
			outcome{},
		},
		"whose user has another address now conflicts, and changes nothing": {
			func(s *scene) {
				s.User.Email = "king@example.com"
				promotes(s.claim("a", 1))
			},
			outcome{claims: map[string]Kind{"a": AddressChanged}},
		},
		"an ID decides and the address beside it is checked": {
			func(s *scene) {
				c := promotes(s.claim("a", 1))
				c.UserID, c.Email = "user-1", "king@example.com"
			},
			outcome{claims: map[string]Kind{"a": AddressChanged}},
		},
		"whom an address went over to is not changed for it, and is declared": {
			func(s *scene) {
				s.others = []User{{ID: "user-0", Email: "king@example.com"}}
				s.org.UndeclaredUsers, s.SeenUndeclared = Take, Sightings
				promotes(s.claim("a", 1)).Remembered = "user-0"
			},
			outcome{claims: map[string]Kind{"a": AddressChanged}},
		},
		"a younger one acts where the older one is not matched with them": {
			func(s *scene) {
				s.others = []User{{ID: "user-0", Email: "king@example.com"}}
				s.claim("a", 1).Remembered = "user-0"
				promotes(s.claim("b", 2))
			},
			outcome{now: []string{promoteAda}, claims: map[string]Kind{"a": AddressChanged, "b": Pending}},
		},
		"one that stands for another by its ID has its say there": {
			func(s *scene) {
				s.others = []User{bob}
				c := promotes(s.claim("a", 1))
				c.Email, c.UserID, c.Remembered = "", "user-2", "user-2"
			},
			outcome{},
		},
		"a take-over must be written down first": {
			func(s *scene) { promotes(s.claim("a", 1)).Remembered = "user-0" },
			outcome{waiting: map[string]Kind{promoteAda: NotWritten}, claims: map[string]Kind{"a": NotWritten}},
		},
		"a take-over must be written down although nothing differs": {
			func(s *scene) { s.claim("a", 1).Remembered = "user-0" },
			outcome{claims: map[string]Kind{"a": NotWritten}},
		},
		"a user who may be there is looked at before anybody is taken over": {
			func(s *scene) {
				s.unsure = []string{"user-0"}
				promotes(s.claim("a", 1)).Remembered = "user-0"
			},
			outcome{claims: map[string]Kind{"a": Unknown}},
		},
		"an address that two users have is nobody's": {
			func(s *scene) {
				s.others = []User{{ID: "user-2", Email: "ADA@example.com"}}
				promotes(s.claim("a", 1)).Remembered = ""
			},
			outcome{claims: map[string]Kind{"a": Ambiguous}},
		},
		"an address that two users have does not matter to who remembers one of them": {
			func(s *scene) {
				s.others = []User{{ID: "user-2", Email: "ADA@example.com"}}
				promotes(s.claim("a", 1))
			},
			outcome{now: []string{promoteAda}, claims: map[string]Kind{"a": Pending}},
		},
		"who was a member has left": {
			func(s *scene) { s.Present = false; promotes(s.claim("a", 1)) },
			outcome{claims: map[string]Kind{"a": Left}},
		},
		"who was a member by ID has left": {
			func(s *scene) { s.Present = false; promotes(s.claim("a", 1)).UserID = "user-1" },
			outcome{claims: map[string]Kind{"a": Left}},
		},
		"who never was a member is none": {
			func(s *scene) {
				s.Present = false
				c := promotes(s.claim("a", 1))
				c.UserID, c.Remembered = "user-1", ""
			},
			outcome{claims: map[string]Kind{"a": NotAMember}},
		},
		"whose absence is not confirmed is looked for": {
			func(s *scene) {
				s.Present, s.unsure = false, []string{"user-1"}
				promotes(s.claim("a", 1)).UserID = "user-1"
			},
			outcome{claims: map[string]Kind{"a": Unknown}, look: Look{User: true}},
		},
	})
}

func TestWhatConflictsNames(t *testing.T) {
	s := newScene(func(s *scene) {
		s.User.Email = "king@example.com"
		s.others = []User{{ID: "user-2", Email: "ada@example.com"}}
		s.claim("a", 1)
		byID := s.claim("b", 2)
		byID.UserID, byID.Email = "user-1", ""
		s.claim("c", 3).Email = "king@example.com"
	})
	want := map[string]Said{
		"a": {Fact: Fact{Kind: AddressChanged, Users: []User{s.User, s.others[0]}}},
		"b": {},
		"c": {Fact: Fact{Kind: DeclaredElsewhere, Object: Ref{"team", "b"}}},
	}
	if diff := cmp.Diff(want, s.decide(t).Claims); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

func TestAYoungOneWaitsAMomentForTheOlderToGo(t *testing.T) {
	for name, c := range map[string]struct {
		now, until int64
	}{
		"just created": {100, 110}, "a second before": {109, 110}, "then": {110, 0},
	} {
		s := newScene(func(s *scene) {
			s.claim("old", 1)
			s.claim("new", 100)
			s.Now = c.now
		})
		d := s.decide(t)
		want := Said{Fact: Fact{Kind: DeclaredElsewhere, Object: Ref{"team", "old"}, Until: c.until}}
		if diff := cmp.Diff(want, d.Claims["new"]); diff != "" {
			t.Errorf("%s: said (-want +got):\n%s", name, diff)
		}
		if d.WakeAt != c.until {
			t.Errorf("%s: woken at %d, want %d", name, d.WakeAt, c.until)
		}
	}
}

func TestFieldsOfAPerson(t *testing.T) {
	byRoleID := func(s *scene) *Claim {
		c := s.claim("a", 1)
		c.Want.RoleID = viewer.ID
		return c
	}
	const setViewer = "update Ada@example.com: roleID to role-v"
	decisions(t, map[string]decisionCase{
		"a field that is not set is not managed": {
			func(s *scene) {
				s.User.Role, s.User.DeveloperPersona, s.User.TechnicalLevel = "owner", "backend", "expert"
				s.claim("a", 1)
			},
			outcome{claims: map[string]Kind{"a": None}},
		},
		"what differs is changed": {
			func(s *scene) { promotes(s.claim("a", 1)) },
			outcome{now: []string{promoteAda}, claims: map[string]Kind{"a": Pending}},
		},
		"nothing is changed for an object that has not written down whom it means": {
			func(s *scene) { promotes(s.claim("a", 1)).Written = false },
			outcome{waiting: map[string]Kind{promoteAda: NotWritten}, claims: map[string]Kind{"a": NotWritten}},
		},
		"an object whose person is as it says writes them down too": {
			func(s *scene) { s.claim("a", 1).Written = false },
			outcome{claims: map[string]Kind{"a": NotWritten}},
		},
		"under Observe nothing is written down": {
			func(s *scene) { s.org.Observe = true; promotes(s.claim("a", 1)).Written = false },
			outcome{waiting: map[string]Kind{promoteAda: Observed}, claims: map[string]Kind{"a": Observed}},
		},
		"under Observe what holds was compared": {
			func(s *scene) { s.org.Observe = true; s.claim("a", 1).Written = false },
			outcome{claims: map[string]Kind{"a": Observed}},
		},
		"what holds is not called so while the Organization is paused": {
			func(s *scene) { s.org.Paused = true; s.claim("a", 1).Written = false },
			outcome{claims: map[string]Kind{"a": OrganizationPaused}},
		},
		"what holds is not called so while the Organization has no good key": {
			func(s *scene) { s.org.Acts = false; s.claim("a", 1).Written = false },
			outcome{claims: map[string]Kind{"a": OrganizationNotReady}},
		},
		"a paused object says so although nothing differs": {
			func(s *scene) { s.claim("a", 1).Paused = true },
			outcome{claims: map[string]Kind{"a": Paused}},
		},
		"after a lost answer they are looked at before anything is said": {
			func(s *scene) { s.Doubted = true; promotes(s.claim("a", 1)) },
			outcome{claims: map[string]Kind{"a": Unknown}, look: Look{User: true}},
		},
		"a role by ID needs the roles to be known": {
			func(s *scene) { s.RolesKnown = false; byRoleID(s) },
			outcome{claims: map[string]Kind{"a": Unknown}, look: Look{Roles: true}},
		},
		"a role by ID that is not held is set": {
			func(s *scene) { s.holds(auditor); byRoleID(s) },
			outcome{now: []string{setViewer}, claims: map[string]Kind{"a": Pending}, roles: []string{"role-a"}},
		},
		"a role by ID that is held is not set": {
			func(s *scene) { s.holds(viewer); byRoleID(s) },
			outcome{claims: map[string]Kind{"a": None}},
		},
		"a role by ID that is inherited is not set": {
			func(s *scene) { s.Roles = []Assignment{{Role: viewer, Inherited: true}}; byRoleID(s) },
			outcome{claims: map[string]Kind{"a": None}},
		},
		"a predefined role by ID that is held is not set": {
			func(s *scene) { s.Roles = []Assignment{{Role: viewer, Predefined: true}}; byRoleID(s) },
			outcome{claims: map[string]Kind{"a": None}},
		},
		"roles need not be known where none is declared": {
			func(s *scene) { s.RolesKnown = false; promotes(s.claim("a", 1)) },
			outcome{now: []string{promoteAda}, claims: map[string]Kind{"a": Pending}},
		},
	})
}

func TestWhatALookThatFailedSays(t *testing.T) {
	failed := func(s *scene) { s.LookFact = Fact{Kind: Retrying, Words: "busy", Until: 160} }
	decisions(t, map[string]decisionCase{
		"an object of which nothing is known says why they could not be looked at": {
			func(s *scene) { failed(s); s.Doubted = true; promotes(s.claim("a", 1)) },
			outcome{claims: map[string]Kind{"a": Retrying}, look: Look{User: true}},
		},
		"so does a binding of which the roles are not known": {
			func(s *scene) { failed(s); s.RolesKnown = false; s.claim("a", 1); s.grant("b", viewer) },
			outcome{
				claims: map[string]Kind{"a": None}, look: Look{Roles: true},
				grants: map[string]string{"b": ""}, facts: map[string]Kind{"b": Retrying},
			},
		},
		"so does a leaver": {
			func(s *scene) { failed(s); s.Doubted = true; s.leaver() },
			outcome{leaving: map[string]Kind{"default": Retrying}, look: Look{User: true}},
		},
		"a step that rests on a look that failed says why it is not made": {
			func(s *scene) { failed(s); promotes(s.claim("a", 1)) },
			outcome{now: []string{promoteAda}, claims: map[string]Kind{"a": Retrying}},
		},
	})
}

func TestTriesOfAStep(t *testing.T) {
	refused := Fact{Kind: Refused, Words: "not today"}
	wait := outcome{waiting: map[string]Kind{promoteAda: Refused}, claims: map[string]Kind{"a": Refused}}
	until := wait
	until.wakeAt = 160
	again := outcome{now: []string{promoteAda}, claims: map[string]Kind{"a": Pending}}
	decisions(t, map[string]decisionCase{
		"what was refused is not tried again without a new fact": {
			func(s *scene) {
				promotes(s.claim("a", 1))
				s.tried(t, Try{Fact: refused})
			}, wait,
		},
		"what was refused waits for its time, and is woken then": {
			func(s *scene) {
				promotes(s.claim("a", 1))
				s.tried(t, Try{Fact: refused, Until: 160})
			}, until,
		},
		"time frees it": {
			func(s *scene) {
				promotes(s.claim("a", 1))
				s.tried(t, Try{Fact: refused, Until: 100})
			}, again,
		},
		"another fingerprint frees it": {
			func(s *scene) {
				promotes(s.claim("a", 1))
				s.tried(t, Try{Fact: refused, Until: 160, Fingerprint: "of something else"})
			}, again,
		},
		"what is declared is part of the fingerprint": {
			func(s *scene) {
				s.claim("a", 1).Want.Role = "guest"
				s.tried(t, Try{Fact: refused, Until: 160})
				promotes(s.Claims[0])
			}, again,
		},
		"what is observed is part of the fingerprint": {
			func(s *scene) {
				promotes(s.claim("a", 1))
				s.tried(t, Try{Fact: refused, Until: 160})
				s.User.TechnicalLevel = "expert"
			}, again,
		},
		"who asks is part of the fingerprint": {
			func(s *scene) {
				promotes(s.claim("a", 1))
				s.tried(t, Try{Fact: refused, Until: 160})
				s.Claims[0].Organization = s.another("strict")
			}, again,
		},
		"a refusal of one step stops no other": {
			func(s *scene) {
				promotes(s.claim("a", 1))
				s.tried(t, Try{Fact: refused})
				s.grant("b", viewer)
			},
			outcome{
				now: []string{giveViewer}, waiting: wait.waiting, claims: wait.claims,
				grants: map[string]string{"b": "NotHeld"}, facts: map[string]Kind{"b": Pending},
			},
		},
		"what the Organization has against it goes before a refusal": {
			func(s *scene) {
				promotes(s.claim("a", 1))
				s.tried(t, Try{Fact: refused})
				s.org.Paused = true
			},
			outcome{waiting: map[string]Kind{promoteAda: OrganizationPaused}, claims: map[string]Kind{"a": OrganizationPaused}},
		},
	})
}

func TestARefusalIsSaidInTheWordsOfTheAPI(t *testing.T) {
	s := newScene(func(s *scene) {
		promotes(s.claim("a", 1))
		s.tried(t, Try{Fact: Fact{Kind: Refused, Words: "not today", Until: 160}, Until: 160})
	})
	decision := s.decide(t)
	want := Fact{Kind: Refused, Words: "not today", Until: 160}
	if diff := cmp.Diff(want, decision.Claims["a"].Fact); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, decision.Steps[0].Wait); diff != "" {
		t.Errorf("the step waits for (-want +got):\n%s", diff)
	}
}
