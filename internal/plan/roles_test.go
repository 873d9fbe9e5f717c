package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGivingARole(t *testing.T) {
	gives := func(words string, fact Kind) outcome {
		o := outcome{undeclared: true, grants: map[string]string{"b": words}}
		if fact != None {
			o.facts = map[string]Kind{"b": fact}
		}
		return o
	}
	now := func(o outcome) outcome { o.now = []string{giveViewer}; return o }
	waits := func(fact Kind) outcome {
		o := gives("NotHeld", fact)
		o.waiting = map[string]Kind{giveViewer: fact}
		return o
	}
	look := func(o outcome) outcome { o.look.Roles = true; return o }
	decisions(t, map[string]decisionCase{
		"who does not have the role gets it": {
			func(s *scene) { s.grant("b", viewer) }, now(gives("NotHeld", Pending)),
		},
		"nobody gets it before the binding has written them down": {
			func(s *scene) { s.grant("b", viewer).Line = false }, waits(NotWritten),
		},
		"nobody gets it before the binding has its finalizer": {
			func(s *scene) { s.grant("b", viewer).Written = false }, waits(NotWritten),
		},
		"nobody gets it while the line is of another role": {
			func(s *scene) { s.grant("b", viewer).Noted = auditor }, waits(NotWritten),
		},
		"who has it directly has it": {
			func(s *scene) { s.holds(viewer); s.grant("b", viewer) }, gives("Direct", None),
		},
		"who inherits it has it": {
			func(s *scene) { s.Roles = []Assignment{{Role: viewer, Inherited: true}}; s.grant("b", viewer) }, gives("Inherited", None),
		},
		"roles that are not known are looked at": {
			func(s *scene) { s.RolesKnown = false; s.grant("b", viewer) }, look(gives("", Unknown)),
		},
		"a role that does not resolve is looked at by nobody": {
			func(s *scene) {
				s.RolesKnown = false
				g := s.grant("b", viewer)
				g.Role, g.Noted, g.Line = Role{}, Role{}, false
			}, gives("", Unknown),
		},
		"a paused binding gives nothing": {
			func(s *scene) { s.grant("b", viewer).Paused = true }, waits(Paused),
		},
		"a binding under Observe shows what it would give": {
			func(s *scene) { s.grant("b", viewer).Line = false; s.org.Observe = true }, waits(Observed),
		},
		"a binding of a paused Organization gives nothing": {
			func(s *scene) { s.grant("b", viewer); s.org.Paused = true }, waits(OrganizationPaused),
		},
		"a binding without a good key gives nothing": {
			func(s *scene) { s.grant("b", viewer); s.org.Acts = false }, waits(OrganizationNotReady),
		},
		"whose address is not the subject's any more is given nothing": {
			func(s *scene) { s.grant("b", viewer).Moved = true }, gives("NotHeld", AddressChanged),
		},
		"whose address is not the subject's any more keeps what they have": {
			func(s *scene) { s.holds(viewer); s.grant("b", viewer).Moved = true; s.released("c", viewer) },
			outcome{undeclared: true, grants: map[string]string{"b": "Direct", "c": "Direct forget"}, facts: map[string]Kind{"b": AddressChanged}},
		},
		"a refusal waits": {
			func(s *scene) { s.grant("b", viewer); s.tried(t, Try{Fact: Fact{Kind: Refused}}) }, waits(Refused),
		},
		"a binding that is going and never had them has nothing to say": {
			func(s *scene) { g := s.grant("b", viewer); g.Going, g.Line = true, false }, outcome{undeclared: true},
		},
		"who is not there is given nothing": {
			func(s *scene) { s.grant("b", viewer); s.Present = false },
			outcome{grants: map[string]string{"b": "NotHeld"}, facts: map[string]Kind{"b": NotAMember}},
		},
		"whose absence is not confirmed is looked for before anything is given": {
			func(s *scene) { s.grant("b", viewer); s.Present, s.unsure = false, []string{"user-1"} },
			outcome{grants: map[string]string{"b": ""}, facts: map[string]Kind{"b": Unknown}, look: Look{User: true}},
		},
		"two bindings of one role make one step": {
			func(s *scene) { s.grant("b", viewer); s.grant("c", viewer) },
			outcome{
				undeclared: true, now: []string{giveViewer},
				grants: map[string]string{"b": "NotHeld", "c": "NotHeld"}, facts: map[string]Kind{"b": Pending, "c": Pending},
			},
		},
		"of two bindings of one role the one that may gives it": {
			func(s *scene) {
				s.grant("b", viewer).Paused = true
				s.grant("c", viewer)
				s.grant("d", viewer).Line = false
			},
			outcome{
				undeclared: true, now: []string{giveViewer},
				grants: map[string]string{"b": "NotHeld", "c": "NotHeld", "d": "NotHeld"},
				facts:  map[string]Kind{"b": Paused, "c": Pending, "d": Pending},
			},
		},
		"of two bindings that may not each says why": {
			func(s *scene) { s.grant("b", viewer).Paused = true; s.grant("c", viewer).Line = false },
			outcome{
				undeclared: true, waiting: map[string]Kind{giveViewer: Paused},
				grants: map[string]string{"b": "NotHeld", "c": "NotHeld"}, facts: map[string]Kind{"b": Paused, "c": NotWritten},
			},
		},
		"two bindings of two roles give both": {
			func(s *scene) { s.grant("b", viewer); s.grant("c", auditor) },
			outcome{
				undeclared: true, now: []string{"assign role auditor to Ada@example.com", giveViewer},
				grants: map[string]string{"b": "NotHeld", "c": "NotHeld"}, facts: map[string]Kind{"b": Pending, "c": Pending},
			},
		},
		"an OrgUser in conflict does not keep a binding from giving": {
			func(s *scene) { s.grant("b", viewer); s.claim("a", 1).Email = "king@example.com" },
			outcome{
				now: []string{giveViewer}, claims: map[string]Kind{"a": AddressChanged},
				grants: map[string]string{"b": "NotHeld"}, facts: map[string]Kind{"b": Pending},
			},
		},
	})
}

func TestTheFirstBindingByNameAsksForBoth(t *testing.T) {
	s := newScene(func(s *scene) {
		s.grant("c", viewer)
		s.grant("b", viewer).Organization = s.another("second")
	})
	want := []Due{{
		Step:  Step{Verb: Assign, UserID: "user-1", Who: "Ada@example.com", Role: viewer},
		Asker: Ref{"team", "second"}, For: []string{"b", "c"},
	}}
	if diff := cmp.Diff(want, s.decide(t).Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// Of a step the last try alone is known. Were the next binding's Organization to try it after the first one's was
// refused, their tries would free each other's for ever.
func TestARefusedRoleIsNotTriedForTheNextBinding(t *testing.T) {
	s := newScene(func(s *scene) {
		s.grant("b", viewer)
		s.grant("c", viewer).Organization = s.another("second")
		s.grant("d", viewer).Organization = s.another("third")
		s.tried(t, Try{Fact: Fact{Kind: Refused}, Until: 160})
	})
	waits := outcome{
		undeclared: true, waiting: map[string]Kind{giveViewer: Refused}, wakeAt: 160,
		grants: map[string]string{"b": "NotHeld", "c": "NotHeld", "d": "NotHeld"},
		facts:  map[string]Kind{"b": Refused, "c": Refused, "d": Refused},
	}
	compare := func(want outcome) {
		t.Helper()
		if diff := cmp.Diff(want, outcomeOf(s.decide(t)), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("outcome (-want +got):\n%s", diff)
		}
	}
	compare(waits)

	// A pause of the first is a new fact: the next may try.
	s.Grants[0].Paused = true
	compare(outcome{
		undeclared: true, now: []string{giveViewer}, grants: waits.grants,
		facts: map[string]Kind{"b": Paused, "c": Pending, "d": Pending},
	})
	s.tried(t, Try{Fact: Fact{Kind: Refused}, Until: 170})
	waits.wakeAt, waits.facts = 170, map[string]Kind{"b": Paused, "c": Refused, "d": Refused}
	compare(waits)
}

func TestReleasingARole(t *testing.T) {
	says := func(words string, fact Kind) outcome {
		o := outcome{undeclared: true, grants: map[string]string{"b": words}}
		if fact != None {
			o.facts = map[string]Kind{"b": fact}
		}
		return o
	}
	taken := says("Direct", Pending)
	taken.now = []string{takeViewer}
	waits := func(fact Kind, wakeAt int64) outcome {
		o := says("Direct", fact)
		o.waiting, o.wakeAt = map[string]Kind{takeViewer: fact}, wakeAt
		return o
	}
	beside := func(words, others string) outcome {
		return outcome{undeclared: true, grants: map[string]string{"b": words, "c": others}}
	}
	held := func(change func(s *scene)) func(s *scene) {
		return func(s *scene) { s.holds(viewer); change(s) }
	}
	unknown := says("", Unknown)
	unknown.look.Roles = true
	decisions(t, map[string]decisionCase{
		"a role that a binding gave and gives no more is taken": {
			held(func(s *scene) { s.released("b", viewer) }), taken,
		},
		"a binding that is going takes what it gave": {
			held(func(s *scene) { s.grant("b", viewer).Going = true }), taken,
		},
		"a role that is not held needs no step, and the line may go": {
			func(s *scene) { s.released("b", viewer) }, says("NotHeld forget", None),
		},
		"a role that is inherited cannot be taken, and the line may go": {
			func(s *scene) { s.Roles = []Assignment{{Role: viewer, Inherited: true}}; s.released("b", viewer) }, says("Inherited forget", None),
		},
		"a predefined role is not taken": {
			func(s *scene) { s.Roles = []Assignment{{Role: viewer, Predefined: true}}; s.released("b", viewer) }, says("Inherited forget", None),
		},
		"the role that the line is of is taken, not that which the name means now": {
			held(func(s *scene) { s.released("b", viewer).Role = auditor }), taken,
		},
		"roles that are not known are looked at": {
			func(s *scene) { s.RolesKnown = false; s.released("b", viewer) }, unknown,
		},
		"another binding that gives it and has them in its status keeps it, and the line may go": {
			held(func(s *scene) { s.released("b", viewer); s.grant("c", viewer) }), beside("Direct forget", "Direct"),
		},
		"another binding that has not written its line yet keeps the line too": {
			held(func(s *scene) { s.released("b", viewer); s.grant("c", viewer).Line = false }), beside("Direct", "Direct"),
		},
		"another binding that would go without taking it keeps the line too": {
			held(func(s *scene) { s.released("b", viewer); s.grant("c", viewer).Written = false }), beside("Direct", "Direct"),
		},
		"another binding that is paused keeps it": {
			held(func(s *scene) {
				s.released("b", viewer)
				g := s.grant("c", viewer)
				g.Line, g.Paused = false, true
			}), beside("Direct forget", "Direct"),
		},
		"another binding under Observe keeps it": {
			held(func(s *scene) {
				s.released("b", viewer)
				g := s.grant("c", viewer)
				g.Line, g.Organization = false, s.another("lax")
				g.Organization.Observe = true
			}), beside("Direct forget", "Direct"),
		},
		"another binding without a good key keeps it": {
			held(func(s *scene) {
				s.released("b", viewer)
				g := s.grant("c", viewer)
				g.Line, g.Organization = false, s.another("lax")
				g.Organization.Acts = false
			}), beside("Direct forget", "Direct"),
		},
		"another binding that names the role and does not find it keeps it": {
			held(func(s *scene) {
				s.released("b", viewer)
				g := s.grant("c", viewer)
				g.Refers, g.Role, g.Noted, g.Line = Role{Name: "viewer"}, Role{}, Role{}, false
			}),
			outcome{undeclared: true, grants: map[string]string{"b": "Direct", "c": ""}, facts: map[string]Kind{"c": Unknown}},
		},
		"another binding that names its ID, and the roles of the organization are not known, keeps it": {
			held(func(s *scene) {
				s.released("b", viewer)
				g := s.grant("c", viewer)
				g.Role, g.Noted, g.Line = Role{}, Role{}, false
			}),
			outcome{undeclared: true, grants: map[string]string{"b": "Direct", "c": ""}, facts: map[string]Kind{"c": Unknown}},
		},
		"another binding that meant it when it was written down keeps it": {
			held(func(s *scene) {
				s.released("b", viewer)
				g := s.grant("c", viewer)
				g.Refers, g.Role = Role{Name: auditor.Name}, auditor
			}),
			outcome{
				undeclared: true, waiting: map[string]Kind{"assign role auditor to Ada@example.com": NotWritten},
				grants: map[string]string{"b": "Direct forget", "c": "NotHeld"}, facts: map[string]Kind{"c": NotWritten},
			},
		},
		"another binding that is going keeps nothing, and one step serves both": {
			held(func(s *scene) { s.released("b", viewer); s.grant("c", viewer).Going = true }),
			outcome{
				undeclared: true, now: []string{takeViewer},
				grants: map[string]string{"b": "Direct", "c": "Direct"}, facts: map[string]Kind{"b": Pending, "c": Pending},
			},
		},
		"of two that are going the one that may takes it": {
			held(func(s *scene) {
				g := s.grant("b", viewer)
				g.Going, g.Paused = true, true
				s.grant("c", viewer).Going = true
			}),
			outcome{
				undeclared: true, now: []string{takeViewer},
				grants: map[string]string{"b": "Direct", "c": "Direct"}, facts: map[string]Kind{"b": Paused, "c": Pending},
			},
		},
		"another binding that names the role by the longer ID which a list gave keeps it": {
			func(s *scene) {
				bound := Role{ID: viewer.ID + "__org-1", Name: viewer.Name}
				s.holds(bound)
				s.released("b", viewer)
				s.grant("c", bound)
			}, beside("Direct forget", "Direct"),
		},
		"a role is taken under the ID that the line has, though it is listed by a longer one": {
			func(s *scene) { s.holds(Role{ID: viewer.ID + "__org-1", Name: viewer.Name}); s.released("b", viewer) }, taken,
		},
		"a role that is held directly and by a group, under its two IDs, is taken": {
			func(s *scene) {
				s.Roles = []Assignment{{Role: Role{ID: viewer.ID + "__org-1"}, Inherited: true}, {Role: viewer}}
				s.released("b", viewer)
			}, taken,
		},
		"an OrgUser's roleID keeps it, and the line may go": {
			held(func(s *scene) { s.released("b", viewer); s.claim("a", 1).Want.RoleID = viewer.ID }),
			outcome{claims: map[string]Kind{"a": None}, grants: map[string]string{"b": "Direct forget"}},
		},
		"the roleID of an OrgUser that loses keeps it too": {
			held(func(s *scene) { s.released("b", viewer); s.claim("a", 1); s.claim("z", 2).Want.RoleID = viewer.ID }),
			outcome{claims: map[string]Kind{"a": None, "z": DeclaredElsewhere}, grants: map[string]string{"b": "Direct forget"}},
		},
		"the roleID of an OrgUser that is going keeps nothing": {
			held(func(s *scene) {
				s.released("b", viewer)
				c := s.claim("a", 1)
				c.Want.RoleID, c.Going = viewer.ID, true
			}),
			outcome{now: []string{takeViewer}, grants: map[string]string{"b": "Direct"}, facts: map[string]Kind{"b": Pending}},
		},
		"what an OrgUser's roleID gives and somebody took is given back by the OrgUser alone": {
			func(s *scene) { s.released("b", viewer); s.claim("a", 1).Want.RoleID = viewer.ID },
			outcome{
				now:    []string{"update Ada@example.com: roleID to role-v"},
				claims: map[string]Kind{"a": Pending}, grants: map[string]string{"b": "NotHeld forget"},
			},
		},
		"a paused binding takes nothing": {
			held(func(s *scene) { s.released("b", viewer).Paused = true }), waits(Paused, 0),
		},
		"a binding under Observe shows what it would take": {
			held(func(s *scene) { s.released("b", viewer); s.org.Observe = true }), waits(Observed, 0),
		},
		"a binding of a paused Organization takes nothing": {
			held(func(s *scene) { s.released("b", viewer); s.org.Paused = true }), waits(OrganizationPaused, 0),
		},
		"a binding without a good key takes nothing": {
			held(func(s *scene) { s.released("b", viewer); s.org.Acts = false }), waits(OrganizationNotReady, 0),
		},
		"nothing is taken while a subject awaits its OrgUser, and it is woken when that ends": {
			held(func(s *scene) { s.released("b", viewer).AwaitsUntil = 150 }), waits(Awaits, 150),
		},
		"a subject is awaited no longer than that": {
			held(func(s *scene) { s.released("b", viewer).AwaitsUntil = 100 }), taken,
		},
		"a binding that is going awaits nobody": {
			held(func(s *scene) { g := s.grant("b", viewer); g.AwaitsUntil, g.Going = 150, true }), taken,
		},
		"a refusal waits": {
			held(func(s *scene) { s.released("b", viewer); s.tried(t, Try{Fact: Fact{Kind: Refused}, Until: 160}) }), waits(Refused, 160),
		},
		"who is not there needs no step, and the line may go": {
			func(s *scene) { s.released("b", viewer); s.Present = false },
			outcome{grants: map[string]string{"b": "NotHeld forget"}},
		},
		"whose absence is not confirmed is looked for": {
			func(s *scene) { s.released("b", viewer); s.Present, s.unsure = false, []string{"user-1"} },
			outcome{grants: map[string]string{"b": ""}, facts: map[string]Kind{"b": Unknown}, look: Look{User: true}},
		},
		"what is given comes before what is taken": {
			held(func(s *scene) { s.released("b", viewer); s.grant("c", auditor) }),
			outcome{
				undeclared: true, now: []string{"assign role auditor to Ada@example.com", takeViewer},
				grants: map[string]string{"b": "Direct", "c": "NotHeld"}, facts: map[string]Kind{"b": Pending, "c": Pending},
			},
		},
	})
}

func TestUndeclaredRoles(t *testing.T) {
	take := func(s *scene) {
		s.holds(viewer)
		s.org.UndeclaredRoles, s.SeenUndeclaredRoles = Take, map[string]int{viewer.ID: Sightings}
		s.claim("a", 1)
	}
	but := func(change func(s *scene)) func(s *scene) {
		return func(s *scene) { take(s); change(s) }
	}
	with := func(o outcome) outcome { o.claims = put(o.claims, "a", None); return o }
	undeclared := with(outcome{roles: []string{"role-v"}})
	taken := with(outcome{roles: []string{"role-v"}, now: []string{takeViewer}})
	decisions(t, map[string]decisionCase{
		"a role that nothing declares is taken where the policy says so": {take, taken},
		"it stays where the policy is to report": {
			but(func(s *scene) { s.org.UndeclaredRoles = Report }), undeclared,
		},
		"one reading is not enough": {
			but(func(s *scene) { s.SeenUndeclaredRoles[viewer.ID] = Sightings - 1 }), undeclared,
		},
		"nothing is taken while another object stands for the organization": {
			but(func(s *scene) { s.another("second") }), undeclared,
		},
		"nothing is taken while an OrgUser is not matched with anybody": {
			but(func(s *scene) { s.Sums.Unresolved = true }), undeclared,
		},
		"a predefined role is not undeclared": {
			but(func(s *scene) { s.Roles[0].Predefined = true }), with(outcome{}),
		},
		"an inherited role is not undeclared": {
			but(func(s *scene) { s.Roles[0].Inherited = true }), with(outcome{}),
		},
		"what an OrgUser's roleID gives is declared": {
			but(func(s *scene) { s.Claims[0].Want.RoleID = viewer.ID }), with(outcome{}),
		},
		"what a binding gives is declared": {
			but(func(s *scene) { s.grant("b", viewer).Paused = true }), with(outcome{grants: map[string]string{"b": "Direct"}}),
		},
		"what a binding that does not find its role names is declared": {
			but(func(s *scene) {
				g := s.grant("b", viewer)
				g.Refers, g.Role, g.Noted, g.Line = Role{Name: "viewer"}, Role{}, Role{}, false
			}),
			with(outcome{grants: map[string]string{"b": ""}, facts: map[string]Kind{"b": Unknown}}),
		},
		"what a binding released is the binding's to take": {
			but(func(s *scene) { s.released("b", viewer).Paused = true }),
			with(outcome{
				waiting: map[string]Kind{takeViewer: Paused},
				grants:  map[string]string{"b": "Direct"}, facts: map[string]Kind{"b": Paused},
			}),
		},
		"of a user whom no OrgUser declares no role is undeclared": {
			but(func(s *scene) { s.Claims = nil }), outcome{undeclared: true},
		},
		"of a user whose OrgUser is going no role is undeclared": {
			but(func(s *scene) { s.Claims[0].Going = true }), outcome{},
		},
		"of a user whose address changed no role is taken": {
			but(func(s *scene) { s.User.Email = "king@example.com" }),
			outcome{claims: map[string]Kind{"a": AddressChanged}, roles: []string{"role-v"}},
		},
		"roles that are not known are looked at": {
			but(func(s *scene) { s.Roles, s.RolesKnown = nil, false }),
			with(outcome{look: Look{Roles: true}}),
		},
		"roles are not looked at where nobody asks": {
			but(func(s *scene) { s.Roles, s.RolesKnown, s.org.UndeclaredRoles = nil, false, Ignore }),
			with(outcome{}),
		},
		"under Observe it is shown": {
			but(func(s *scene) { s.org.Observe = true }),
			outcome{claims: map[string]Kind{"a": Observed}, roles: []string{"role-v"}, waiting: map[string]Kind{takeViewer: Observed}},
		},
	})
}
