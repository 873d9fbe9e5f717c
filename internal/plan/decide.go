package plan

import (
	"fmt"
	"slices"
)

// Due is a step that is called for, and what keeps it from being made now.
type Due struct {
	Step Step
	// Asker is the Organization object whose manifest asks for it: the call goes out with its key and under its guard.
	Asker Ref
	// For are the UIDs of the objects that call for it; none where no object declares what is taken.
	For []string
	// Wait is what keeps it from being made; None: it may be made now.
	Wait Fact
}

// Said is what is to be said of one object, as far as the person is concerned.
type Said struct {
	// Fact is what stands against what it declares.
	Fact Fact
	// Holding is how the person has the binding's role; "" while it is not known. For bindings only.
	Holding Holding
	// Forget: nothing is left to remember of the person, so that a line or a leaver may be dropped.
	Forget bool
}

// Look is what must be looked at before more can be said.
type Look struct {
	// User: whether they are there, and their fields. Roles: the roles that they hold.
	User, Roles bool
}

// Decision is what comes of a Person: what to do, and what to say of each object that speaks of them.
type Decision struct {
	// Steps come with those first that give.
	Steps []Due
	// Claims and Grants have the objects by UID, Leaving the lines of each Organization.
	Claims, Grants map[string]Said
	Leaving        map[Ref]Said
	Look           Look
	// LookFor are others of whom an OrgUser that names this person must know first whether they are there.
	LookFor []Key
	// WakeAt is when something changes by itself, in seconds; 0: never.
	WakeAt int64
	// Acts is the UID of the OrgUser that acts for the person; TakesOver: it remembers somebody who is gone, and must write
	// down first that it stands for this one now.
	Acts      string
	TakesOver bool
	// Undeclared: no OrgUser names them. UndeclaredRoles are the assignments that nothing declares.
	Undeclared      bool
	UndeclaredRoles []Role
}

// Decide says what is to be done about a person and what to say of each object. It does not depend on the order of the
// objects, and after its steps were made it has none.
func Decide(p *Person) Decision {
	d := &decider{Person: p, Decision: Decision{
		Claims: map[string]Said{}, Grants: map[string]Said{}, Leaving: map[Ref]Said{},
	}}
	d.resolve()
	d.leave()
	d.removeUndeclared()
	d.fields()
	d.roles()
	d.explainLook()
	slices.SortFunc(d.Steps, func(a, b Due) int { return Compare(a.Step, b.Step) })
	return d.Decision
}

type decider struct {
	*Person
	Decision

	// declaring are the claims that name the person and are not going; winner is the one that acts.
	declaring []*Claim
	winner    *Claim
	taking    bool // winner takes the person over, and must write that down
	leaving   bool // they are to be removed now
}

// explainLook says of what cannot be known yet why that is so, if a look failed.
func (d *decider) explainLook() {
	if d.LookFact.Kind == None {
		return
	}
	for _, all := range []map[string]Said{d.Decision.Claims, d.Decision.Grants} {
		for uid, said := range all {
			if said.Fact.Kind == Unknown || said.Fact.Kind == Pending {
				said.Fact = d.LookFact
				all[uid] = said
			}
		}
	}
	for ref, said := range d.Decision.Leaving {
		if said.Fact.Kind == Unknown || said.Fact.Kind == Pending {
			said.Fact = d.LookFact
			d.Decision.Leaving[ref] = said
		}
	}
}

// resolve finds who acts among those who name the person, and says of the others what stands against them.
func (d *decider) resolve() {
	claims := slices.Clone(d.Person.Claims)
	slices.SortFunc(claims, func(a, b *Claim) int {
		if older(a, b) {
			return -1
		}
		return 1
	})
	unknown := false
	for _, claim := range claims {
		if claim.Going {
			continue
		}
		d.declaring = append(d.declaring, claim)
		standing := claim.Standing(d.Directory)
		switch {
		case standing.Fact.Kind == Unknown:
			if standing.Unknown == IDKey(d.User.ID) {
				d.Look.User = true
			} else {
				d.LookFor = append(d.LookFor, standing.Unknown)
			}
			unknown = true
			d.Decision.Claims[claim.UID] = Said{Fact: standing.Fact}
		case standing.Fact.Kind != None || standing.User.ID != d.User.ID:
			// It stands for nobody, or for another: it protects this one and gives nothing.
			if standing.Fact.Kind != None {
				d.Decision.Claims[claim.UID] = Said{Fact: standing.Fact}
			}
		case d.winner == nil && unknown:
			// An older one may turn out to stand for them.
			d.Decision.Claims[claim.UID] = Said{Fact: Fact{Kind: Unknown}}
		case d.winner == nil:
			d.winner, d.taking = claim, standing.TakesOver
			d.Acts, d.TakesOver = claim.UID, standing.TakesOver
		default:
			d.Decision.Claims[claim.UID] = Said{Fact: d.declaredElsewhere(claim)}
		}
	}
}

// succession is how long after its creation an OrgUser waits for the older one of its person to go, in seconds. In a rename
// GitOps engines create the new one, and delete the old one a moment later: who calls that stuck has them give up.
const succession = 10

// declaredElsewhere says of a claim that an older one acts.
func (d *decider) declaredElsewhere(claim *Claim) Fact {
	fact := Fact{Kind: DeclaredElsewhere, Object: d.winner.Ref}
	if until := claim.Created + succession; d.Now < until {
		fact.Until = until
		d.WakeAt = earliest(d.WakeAt, until)
	}
	return fact
}

// leave decides about those whose OrgUser went.
func (d *decider) leave() {
	lines := slices.Clone(d.Person.Leaving)
	slices.SortFunc(lines, func(a, b Leaver) int {
		if a.Organization.Before(b.Organization.Ref) {
			return -1
		}
		return 1
	})
	for _, line := range lines {
		fact, forget := d.leaver(line)
		d.Decision.Leaving[line.Organization.Ref] = Said{Fact: fact, Forget: forget && d.settled()}
	}
}

func (d *decider) leaver(line Leaver) (fact Fact, forget bool) {
	for _, claim := range d.declaring {
		if claim.Written && d.winner == claim && !d.taking {
			return Fact{Kind: DeclaredAgain, Object: claim.Ref}, true
		}
	}
	switch {
	case !d.Present && d.Directory.NoUser(d.User.ID):
		return Fact{Kind: Gone}, true
	case len(d.declaring) > 0:
		return Fact{Kind: Protected, Object: d.declaring[0].Ref}, false
	case !d.Present || d.Doubted:
		d.Look.User = true
		return Fact{Kind: Unknown}, false
	case d.Now < line.Due:
		d.WakeAt = earliest(d.WakeAt, line.Due)
		return Fact{Kind: NotDue, Until: line.Due}, false
	case line.Email != "" && Fold(d.User.Email) != line.Email:
		return Fact{Kind: AddressChanged, Users: append([]User{d.User}, d.Directory.WithEmail(line.Email)...)}, false
	}
	d.leaving = true
	return d.needOnce(Removal(d.observed())[0], line.Organization, "", Fact{}), false
}

// settled says whether what is remembered of the person may be forgotten. Where a lost answer stands against it, it has
// them looked at once that can settle it.
func (d *decider) settled() bool {
	switch {
	case !d.Unsettled:
		return true
	case d.SettlesAt == 0:
	case d.Now < d.SettlesAt:
		d.WakeAt = earliest(d.WakeAt, d.SettlesAt)
	default:
		d.Look.User = d.Look.User || d.SettledBy.User
		d.Look.Roles = d.Look.Roles || d.SettledBy.Roles
	}
	return false
}

// removeUndeclared decides about somebody whom no OrgUser names.
func (d *decider) removeUndeclared() {
	d.Decision.Undeclared = d.Present && len(d.Person.Claims) == 0 && len(d.Person.Leaving) == 0 && !d.User.Exempt
	if !d.Decision.Undeclared || d.Doubted || d.Sums.Unresolved || d.Sums.OrgUsers == 0 || d.Sums.Objects != 1 || d.SeenUndeclared < Sightings {
		return
	}
	for _, organization := range d.Organizations {
		if organization.UndeclaredUsers == Take {
			d.leaving = true
			d.need(Removal(d.observed())[0], organization, "", Fact{})
		}
	}
}

// Sightings is how many whole readings in a row must have found something undeclared before it is taken.
const Sightings = 2

// fields decides about the fields that the winner declares.
func (d *decider) fields() {
	claim := d.winner
	if claim == nil {
		return
	}
	said := func(fact Fact) { d.Decision.Claims[claim.UID] = Said{Fact: fact} }
	if d.Doubted {
		d.Look.User = true
		said(Fact{Kind: Unknown})
		return
	}
	if claim.Want.RoleID != "" && !d.RolesKnown {
		d.Look.Roles = true
		said(Fact{Kind: Unknown})
		return
	}
	observed := d.observed()
	observed.HoldsRoleID = d.holding(claim.Want.RoleID) != NotHeld
	steps := Fields(claim.Want, observed)
	switch {
	case claim.Paused:
		said(Fact{Kind: Paused})
	case len(steps) == 0 && claim.Organization.standsStill().Kind != None:
		said(claim.Organization.standsStill())
	case len(steps) == 0 && (d.taking || !claim.Written):
		said(Fact{Kind: NotWritten})
	case len(steps) == 0:
		said(Fact{})
	}
	for _, step := range steps {
		first := Fact{}
		if claim.Paused {
			first = Fact{Kind: Paused}
		} else if d.taking || !claim.Written {
			first = Fact{Kind: NotWritten}
		}
		said(d.need(step, claim.Organization, claim.UID, first))
	}
}

// need adds a step, and returns what keeps it from being made now; Pending: nothing does, and it waits for its turn.
// first is a fact of the object's own; what its Organization has against it goes before that.
func (d *decider) need(step Step, asker *Organization, by string, first Fact) Fact {
	wait := asker.standsStill()
	if wait.Kind == None {
		wait = first
	}
	if wait.Kind == None {
		last := d.tried(step, asker.Ref)
		wait, d.WakeAt = last.Fact, earliest(d.WakeAt, last.Until)
	}
	due := Due{Step: step, Asker: asker.Ref, Wait: wait}
	if by != "" {
		due.For = []string{by}
	}
	d.Steps = append(d.Steps, due)
	if wait.Kind == None {
		return Fact{Kind: Pending}
	}
	return wait
}

// tried is the last try of the step, if nothing has changed since.
func (d *decider) tried(step Step, asker Ref) Try {
	last, ok := d.Tried[step.Target()]
	if !ok || last.Fingerprint != d.Fingerprint(step, asker) || last.Until != 0 && d.Now >= last.Until {
		return Try{}
	}
	return last
}

// Fingerprint tells whether a step is still called for by the same facts.
func (p *Person) Fingerprint(step Step, asker Ref) string {
	return fmt.Sprintf("%v %v %v", step, p.User, asker)
}

func (p *Person) observed() ObservedUser {
	return ObservedUser{
		ID: p.User.ID, Email: p.User.Email, Role: p.User.Role,
		DeveloperPersona: p.User.DeveloperPersona, TechnicalLevel: p.User.TechnicalLevel,
	}
}

// holding says how the user has a role, of which the roles are known.
func (p *Person) holding(roleID string) Holding {
	holding := NotHeld
	for _, held := range p.Roles {
		switch {
		case !SameRole(held.Role.ID, roleID):
		case held.Inherited || held.Predefined:
			holding = Inherited
		default:
			return Direct
		}
	}
	return holding
}
