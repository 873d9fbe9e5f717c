package plan

import "slices"

// roles decides about the roles that bindings give, and gave.
func (d *decider) roles() {
	grants := slices.Clone(d.Person.Grants)
	slices.SortFunc(grants, func(a, b *Grant) int {
		if a.Ref.Before(b.Ref) {
			return -1
		}
		return 1
	})
	if d.wantsRoles(grants) && d.Present && !d.RolesKnown {
		d.Look.Roles = true
	}
	for _, grant := range grants {
		switch {
		case grant.Names && !grant.Going:
			d.Decision.Grants[grant.UID] = d.give(grant)
		case grant.Line:
			d.Decision.Grants[grant.UID] = d.release(grant, grants)
		}
	}
	d.undeclaredRoles(grants)
}

// wantsRoles says whether anything is decided on which roles the user holds.
func (d *decider) wantsRoles(grants []*Grant) bool {
	for _, grant := range grants {
		if grant.Line || grant.Role.ID != "" && !grant.writesFirst() {
			return true
		}
	}
	return len(d.Person.Claims) > 0 && slices.ContainsFunc(d.Organizations, func(o *Organization) bool { return o.UndeclaredRoles != Ignore })
}

// give decides about a role that a binding gives.
func (d *decider) give(grant *Grant) Said {
	switch {
	case !d.Present && d.Directory.NoUser(d.User.ID):
		return Said{Holding: NotHeld, Fact: Fact{Kind: NotAMember}}
	case grant.Role.ID == "":
		return Said{Fact: Fact{Kind: Unknown}} // the binding says what is wrong with its role
	case d.Present && !d.RolesKnown && grant.writesFirst():
		return Said{Fact: Fact{Kind: NotWritten}}
	case !d.Present, !d.RolesKnown:
		d.Look.User = d.Look.User || !d.Present
		return Said{Fact: Fact{Kind: Unknown}}
	}
	holding := d.holding(grant.Role.ID)
	if grant.Moved {
		// Who has the address now may be somebody else, who gets nothing on a guess.
		return Said{Holding: holding, Fact: Fact{Kind: AddressChanged, Users: []User{d.User}}}
	}
	if holding != NotHeld {
		return Said{Holding: holding}
	}
	if d.leaving {
		return Said{Holding: holding, Fact: Fact{Kind: Leaving}}
	}
	first := Fact{}
	switch {
	case grant.Paused:
		first = Fact{Kind: Paused}
	case !grant.written():
		first = Fact{Kind: NotWritten}
	}
	step := Step{Verb: Assign, UserID: d.User.ID, Who: d.User.Who(), Role: grant.Role}
	return Said{Holding: holding, Fact: d.needOnce(step, grant.Organization, grant.UID, first)}
}

// written says whether the binding has written down that it gives the role to the person.
func (g *Grant) written() bool { return g.Written && g.Line && g.Noted.ID == g.Role.ID }

// writesFirst says whether the binding is about to write that down. Only then are the person's roles looked at, so that
// the first look at them is the one that the assignment rests on.
func (g *Grant) writesFirst() bool {
	return g.Names && !g.Going && !g.Paused && !g.Moved && !g.written() && g.Organization.standsStill().Kind == None
}

// release decides about a role that a binding gave and does not give any more.
func (d *decider) release(grant *Grant, all []*Grant) Said {
	role := grant.Noted
	if !d.Present && d.Directory.NoUser(d.User.ID) {
		return Said{Holding: NotHeld, Forget: d.settled()}
	}
	given, remembered := d.given(role, all)
	for _, held := range d.Roles {
		// Whoever names it by the longer ID, as it is held, gives it too.
		if SameRole(held.Role.ID, role.ID) {
			also, remembers := d.given(held.Role, all)
			given, remembered = given || also, remembered || remembers
		}
	}
	if given {
		// The last who gives it takes it away again, and must remember that first.
		return Said{Holding: d.known(role.ID), Forget: remembered && d.settled()}
	}
	switch {
	case !d.Present, !d.RolesKnown:
		d.Look.User = d.Look.User || !d.Present
		return Said{Fact: Fact{Kind: Unknown}}
	case d.holding(role.ID) != Direct:
		return Said{Holding: d.holding(role.ID), Forget: d.settled()}
	}
	first := Fact{}
	switch {
	case grant.Paused:
		first = Fact{Kind: Paused}
	case !grant.Going && d.Now < grant.AwaitsUntil:
		d.WakeAt = earliest(d.WakeAt, grant.AwaitsUntil)
		first = Fact{Kind: Awaits, Until: grant.AwaitsUntil}
	}
	step := Step{Verb: Unassign, UserID: d.User.ID, Who: d.User.Who(), Role: role}
	return Said{Holding: Direct, Fact: d.needOnce(step, grant.Organization, grant.UID, first)}
}

func (d *decider) known(roleID string) Holding {
	if !d.RolesKnown {
		return ""
	}
	return d.holding(roleID)
}

// given says whether anything gives the role to the person: a binding, acting or not, or the roleID of an OrgUser.
// remembered says that one of those will take it away again: it has its finalizer and the person in its status, or can
// have nobody there now.
func (d *decider) given(role Role, grants []*Grant) (given, remembered bool) {
	for _, grant := range grants {
		if grant.gives(role) {
			given = true
			remembered = remembered || grant.Written && grant.Line || grant.Paused || grant.Organization.standsStill().Kind != None
		}
	}
	for _, claim := range d.declaring {
		if SameRole(role.ID, claim.Want.RoleID) {
			given, remembered = true, true
		}
	}
	return given, remembered
}

// needOnce is need for a step that several objects may call for: it is made for the first that may. What was tried for
// one without success is not tried for the next: of a step only the last try is known, and they would take turns.
func (d *decider) needOnce(step Step, asker *Organization, by string, first Fact) Fact {
	at := slices.IndexFunc(d.Steps, func(due Due) bool { return due.Step.Target() == step.Target() })
	if at < 0 {
		return d.need(step, asker, by, first)
	}
	before := d.Steps[at]
	if before.Wait.Kind == None {
		if by != "" {
			d.Steps[at].For = append(d.Steps[at].For, by)
		}
		return Fact{Kind: Pending}
	}
	d.Steps = slices.Delete(d.Steps, at, at+1)
	fact := d.need(step, asker, by, first)
	failed := d.waitsForTry(before)
	if fact.Kind == Pending && failed {
		fact = before.Wait
	}
	if last := len(d.Steps) - 1; failed || fact.Kind != Pending && !d.waitsForTry(d.Steps[last]) {
		d.Steps[last] = before
	}
	return fact
}

// waitsForTry says whether what keeps the step from being made is what came of its last try.
func (d *decider) waitsForTry(due Due) bool {
	return due.Wait.Kind != None && due.Wait.Kind == d.tried(due.Step, due.Asker).Fact.Kind
}

// undeclaredRoles decides about roles of a declared person that nothing declares.
func (d *decider) undeclaredRoles(grants []*Grant) {
	if !d.Present || !d.RolesKnown || len(d.declaring) == 0 {
		return
	}
	for _, held := range d.Person.Roles {
		if held.Predefined || held.Inherited {
			continue
		}
		given, _ := d.given(held.Role, grants)
		noted := slices.ContainsFunc(grants, func(g *Grant) bool { return g.Line && SameRole(held.Role.ID, g.Noted.ID) })
		if given || noted {
			continue
		}
		d.Decision.UndeclaredRoles = append(d.Decision.UndeclaredRoles, held.Role)
		// Whose OrgUser is in conflict is declared, and loses nothing.
		if d.winner == nil || d.Sums.Unresolved || d.Sums.Objects != 1 || d.SeenUndeclaredRoles[held.Role.ID] < Sightings {
			continue
		}
		for _, organization := range d.Organizations {
			if organization.UndeclaredRoles == Take {
				d.need(Step{Verb: Unassign, UserID: d.User.ID, Who: d.User.Who(), Role: held.Role}, organization, "", Fact{})
			}
		}
	}
}

// Holding says how a user has a role.
type Holding string

const (
	// NotHeld: the user does not have the role.
	NotHeld Holding = "NotHeld"
	// Direct: the role is assigned to the user directly.
	Direct Holding = "Direct"
	// Inherited: the user has the role through a group only. It cannot be unassigned.
	Inherited Holding = "Inherited"
)
