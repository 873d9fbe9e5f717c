package plan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dice makes choices of bytes; with none left each choice is the first.
type dice []byte

func (d *dice) below(n int) int {
	if len(*d) == 0 {
		return 0
	}
	choice := int((*d)[0]) % n
	*d = (*d)[1:]
	return choice
}

// seldom is true once in n times, and never without bytes.
func (d *dice) seldom(n int) bool { return d.below(n) == n-1 }

func pick[T any](d *dice, of ...T) T { return of[d.below(len(of))] }

// thrown makes a whole person of bytes: claims, grants, leavers, organizations, roles, tries.
func thrown(bytes []byte) *Person {
	d := dice(bytes)
	p := &Person{
		User: User{ID: "user-1"}, Present: !d.seldom(8), Now: 100,
		Unsettled: d.seldom(4), SettlesAt: pick[int64](&d, 0, 90, 120),
		SeenUndeclared: d.below(4), SeenUndeclaredRoles: map[string]int{}, Tried: map[Target]Try{},
	}
	world := &directory{users: []User{{ID: "user-2", Email: pick(&d, "bob@example.com", "ADA@example.com")}}, bound: d.seldom(3)}
	if p.Present {
		p.User = d.user()
		p.Doubted, p.RolesKnown = d.seldom(8), !d.seldom(4)
		world.users = append(world.users, p.User)
		for _, role := range []Role{viewer, auditor} {
			if p.RolesKnown && d.seldom(2) {
				p.Roles = append(p.Roles, Assignment{Role: world.listed(role), Predefined: d.seldom(6), Inherited: d.seldom(5)})
			}
			p.SeenUndeclaredRoles[role.ID] = d.below(4)
		}
	}
	for _, id := range []string{"user-0", "user-1", "ada@example.com", "king@example.com"} {
		if d.seldom(6) {
			world.unsure = append(world.unsure, id)
		}
	}
	p.Directory = world
	if d.seldom(8) {
		p.LookFact = Fact{Kind: Retrying}
	}
	for i := range 1 + d.below(3) {
		p.Organizations = append(p.Organizations, d.organization(i))
	}
	for i := range d.below(4) {
		if claim := d.claim(i, p); names(claim, p) {
			p.Claims = append(p.Claims, claim)
		}
	}
	for i := range d.below(5) {
		p.Grants = append(p.Grants, d.grant(i, p))
	}
	for _, org := range p.Organizations {
		if d.seldom(3) {
			p.Leaving = append(p.Leaving, Leaver{
				Organization: org, Email: pick(&d, "ada@example.com", "", "king@example.com"), Due: pick[int64](&d, 50, 150),
			})
		}
	}
	p.Sums = Sums{Objects: len(p.Organizations), OrgUsers: len(p.Claims) + d.below(3), Unresolved: d.seldom(4)}
	for _, due := range Decide(p).Steps {
		if d.seldom(4) {
			p.Tried[due.Step.Target()] = Try{
				Fingerprint: pick(&d, p.Fingerprint(due.Step, due.Asker), "of something else"),
				Fact:        Fact{Kind: Refused}, Until: pick[int64](&d, 0, 160, 90),
			}
		}
	}
	return p
}

func (d *dice) user() User {
	return User{
		ID: "user-1", Email: pick(d, "Ada@example.com", "king@example.com", ""), Role: pick(d, "reader", "owner"),
		DeveloperPersona: pick(d, "", "backend"), Exempt: d.seldom(8),
	}
}

func (d *dice) organization(i int) *Organization {
	return &Organization{
		Ref: Ref{pick(d, "team", "crew"), fmt.Sprint("org-", i)}, Acts: !d.seldom(6), Paused: d.seldom(6), Observe: d.seldom(6),
		UndeclaredUsers: pick(d, Ignore, Report, Take, Take), UndeclaredRoles: pick(d, Ignore, Report, Take, Take),
	}
}

func (d *dice) claim(i int, p *Person) *Claim {
	name := fmt.Sprint("claim-", i)
	c := &Claim{
		Ref: Ref{pick(d, "team", "crew"), name}, UID: name, Organization: p.Organizations[d.below(len(p.Organizations))],
		Created: int64(d.below(3)), Going: d.seldom(4), Paused: d.seldom(6), Written: !d.seldom(4),
		Email: pick(d, "ada@example.com", "king@example.com", ""), Remembered: pick(d, "", "user-1", "user-0", "user-2"),
	}
	if c.Email == "" || d.seldom(4) {
		c.UserID = pick(d, "user-1", "user-1", "user-2")
		c.Remembered = pick(d, "", c.UserID)
	}
	c.Want.Role = pick(d, "", "reader", "owner")
	if c.Want.Role == "" {
		c.Want.RoleID = pick(d, "", viewer.ID, auditor.ID)
	}
	if d.seldom(3) {
		c.Want.DeveloperPersona = new(pick(d, "", "data"))
	}
	return c
}

// names says whether a claim names the person in any way.
func names(c *Claim, p *Person) bool {
	return c.UserID == p.User.ID || c.Remembered == p.User.ID ||
		c.Email != "" && p.Present && c.Email == Fold(p.User.Email)
}

func (d *dice) grant(i int, p *Person) *Grant {
	name := fmt.Sprint("grant-", i)
	g := &Grant{
		Ref: Ref{pick(d, "team", "crew"), name}, UID: name, Organization: p.Organizations[d.below(len(p.Organizations))],
		Going: d.seldom(4), Paused: d.seldom(6), Names: !d.seldom(3), Line: !d.seldom(4), Written: !d.seldom(6),
		AwaitsUntil: pick[int64](d, 0, 0, 90, 150),
	}
	role := pick(d, viewer, viewer, auditor, p.Directory.(*directory).listed(viewer))
	g.Refers, g.Role = Role{ID: role.ID}, role
	if d.seldom(3) {
		g.Refers = Role{Name: role.Name}
	}
	if d.seldom(6) {
		g.Role = Role{}
	}
	g.Moved = d.seldom(8)
	if g.Line {
		g.Noted = pick(d, role, role, role, viewer, auditor)
	}
	return g
}

// now are the steps that may be made now.
func now(d Decision) []Due {
	var steps []Due
	for _, due := range d.Steps {
		if due.Wait.Kind == None {
			steps = append(steps, due)
		}
	}
	return steps
}

// apply is the organization's side of a step, and what is seen of it afterwards.
func apply(p *Person, step Step) {
	world := p.Directory.(*directory)
	held := func(a Assignment) bool { return SameRole(a.Role.ID, step.Role.ID) }
	switch step.Verb {
	case Update:
		for _, change := range step.Changes {
			switch change.Field {
			case FieldRole:
				p.User.Role = change.To
			case FieldRoleID:
				p.Roles = append(p.Roles, Assignment{Role: world.listed(Role{ID: change.To})})
			case FieldDeveloperPersona:
				p.User.DeveloperPersona = change.To
			case FieldTechnicalLevel:
				p.User.TechnicalLevel = change.To
			}
		}
	case Assign:
		// It may have been given as an OrgUser's roleID just now.
		if !slices.ContainsFunc(p.Roles, held) {
			p.Roles = append(p.Roles, Assignment{Role: world.listed(step.Role)})
		}
	case Unassign:
		p.Roles = slices.DeleteFunc(p.Roles, held)
	case Remove:
		p.User, p.Present, p.Roles, p.RolesKnown = User{ID: p.User.ID}, false, nil, false
	}
	world.users = slices.DeleteFunc(world.users, func(u User) bool { return u.ID == p.User.ID })
	world.unsure = slices.DeleteFunc(world.unsure, func(s string) bool { return s == p.User.ID })
	if p.Present {
		world.users = append(world.users, p.User)
	}
	delete(p.Tried, step.Target())
}

func FuzzAWholePersonIsDecidedOnce(f *testing.F) {
	seedPersons(f)
	f.Fuzz(decidedOnce)
}

func decidedOnce(t *testing.T, bytes []byte) {
	p := thrown(bytes)
	decision := Decide(p)
	if diff := cmp.Diff(thrown(bytes), p, cmp.AllowUnexported(directory{})); diff != "" {
		t.Errorf("deciding changed the person (-before +after):\n%s", diff)
	}
	orderDoesNotMatter(t, p, decision)
	everyObjectGetsItsVerdict(t, p, decision)
	for _, due := range decision.Steps {
		stepIsAllowed(t, p, due)
	}
	nobodyIsGivenAndReleased(t, decision)
	if decision.WakeAt != 0 && decision.WakeAt <= p.Now {
		t.Errorf("wakes at %d, which is over at %d", decision.WakeAt, p.Now)
	}

	made := now(decision)
	for _, due := range made {
		apply(p, due.Step)
	}
	for _, again := range now(Decide(p)) {
		if slices.ContainsFunc(made, func(due Due) bool { return due.Step.Target() == again.Step.Target() }) {
			t.Errorf("made %v, and afterwards it is to be made again: %v", made, again)
		}
	}
}

func orderDoesNotMatter(t *testing.T, p *Person, decision Decision) {
	t.Helper()
	turned := *p
	turned.Claims, turned.Grants = slices.Clone(p.Claims), slices.Clone(p.Grants)
	turned.Leaving, turned.Organizations = slices.Clone(p.Leaving), slices.Clone(p.Organizations)
	// All orders of up to three, and some of more.
	for range 3 {
		for _, turn := range []func(){
			func() { slices.Reverse(turned.Claims); slices.Reverse(turned.Grants) },
			func() { slices.Reverse(turned.Leaving); slices.Reverse(turned.Organizations) },
			func() {
				turnBy(turned.Claims)
				turnBy(turned.Grants)
				turnBy(turned.Leaving)
				turnBy(turned.Organizations)
			},
		} {
			turn()
			if diff := cmp.Diff(decision, Decide(&turned)); diff != "" {
				t.Fatalf("the order of the objects matters (-one +the other):\n%s", diff)
			}
		}
	}
}

// turnBy puts the first last.
func turnBy[T any](of []T) {
	if len(of) > 1 {
		first := of[0]
		copy(of, of[1:])
		of[len(of)-1] = first
	}
}

func everyObjectGetsItsVerdict(t *testing.T, p *Person, decision Decision) {
	t.Helper()
	left := maps.Clone(decision.Claims)
	for _, c := range p.Claims {
		_, said := left[c.UID]
		delete(left, c.UID)
		standing := c.Standing(p.Directory)
		elsewhere := standing.Resolved() && standing.User.ID != p.User.ID
		switch {
		case c.Going && said:
			t.Errorf("something is said of %v, which is going", c.Ref)
		case !c.Going && !said && !elsewhere:
			t.Errorf("nothing is said of %v, which stands for the person", c.Ref)
		case said && elsewhere && standing.Fact.Kind == None:
			t.Errorf("something is said of %v, which stands for %s", c.Ref, standing.User.ID)
		}
	}
	grants := maps.Clone(decision.Grants)
	for _, g := range p.Grants {
		_, said := grants[g.UID]
		delete(grants, g.UID)
		// One that is going and has no line has nothing to take back.
		if want := g.Line || g.Names && !g.Going; said != want {
			t.Errorf("binding %v (names %t, line %t, going %t) gets a verdict: %t", g.Ref, g.Names, g.Line, g.Going, said)
		}
	}
	leaving := maps.Clone(decision.Leaving)
	for _, line := range p.Leaving {
		if _, said := leaving[line.Organization.Ref]; !said {
			t.Errorf("nothing is said of the leaver of %v", line.Organization.Ref)
		}
		delete(leaving, line.Organization.Ref)
	}
	if len(left)+len(grants)+len(leaving) > 0 {
		t.Errorf("something is said of strangers: %v %v %v", left, grants, leaving)
	}
	if p.Unsettled {
		for of, said := range decision.Grants {
			if said.Forget {
				t.Errorf("binding %s may forget them while a call is under way", of)
			}
		}
		for of, said := range decision.Leaving {
			if said.Forget {
				t.Errorf("the leaver of %v is forgotten while a call is under way", of)
			}
		}
	}
}

// stepIsAllowed holds a step against the rules, told in another way than Decide does.
func stepIsAllowed(t *testing.T, p *Person, due Due) {
	t.Helper()
	at := slices.IndexFunc(p.Organizations, func(o *Organization) bool { return o.Ref == due.Asker })
	if at < 0 {
		t.Fatalf("%v is asked for by nobody: %v", due.Step, due.Asker)
	}
	if org := p.Organizations[at]; due.Wait.Kind == None && (org.Paused || org.Observe || !org.Acts) {
		t.Errorf("%v is to be made for %+v", due.Step, org)
	}
	if due.Step.UserID != p.User.ID || !p.Present {
		t.Errorf("%v is about somebody else than %+v (present %t)", due.Step, p.User, p.Present)
	}
	if last, ok := p.Tried[due.Step.Target()]; ok && due.Wait.Kind == None &&
		last.Fingerprint == p.Fingerprint(due.Step, due.Asker) && (last.Until == 0 || p.Now < last.Until) {
		t.Errorf("%v was refused, and is to be made again", due.Step)
	}
	for _, uid := range due.For {
		if !slices.ContainsFunc(p.Claims, func(c *Claim) bool { return c.UID == uid && due.Step.Verb == Update }) &&
			!slices.ContainsFunc(p.Grants, func(g *Grant) bool { return g.UID == uid && due.Step.Role.ID != "" }) {
			t.Errorf("%v for %s, which cannot call for it", due.Step, uid)
		}
	}
	if given := due.Step.Verb == Update || due.Step.Verb == Assign; given && len(due.For) == 0 || due.Step.Verb == Remove && len(due.For) > 0 {
		t.Errorf("%v for %v", due.Step, due.For)
	}
	declared := slices.ContainsFunc(p.Claims, func(c *Claim) bool { return !c.Going })
	// matched are the claims that are matched with the person, and have nothing against them.
	matched := func(c *Claim) bool {
		standing := c.Standing(p.Directory)
		return !c.Going && standing.Fact.Kind == None && standing.User.ID == p.User.ID
	}
	switch due.Step.Verb {
	case Remove:
		if declared || p.Doubted {
			t.Errorf("%v although they are declared (%t) or in doubt (%t)", due.Step, declared, p.Doubted)
		}
	case Update:
		acting := slices.ContainsFunc(p.Claims, func(c *Claim) bool {
			return matched(c) && c.Organization.Ref == due.Asker && (due.Wait.Kind != None || c.Written && !c.Paused &&
				(c.Email == "" || Fold(p.User.Email) == c.Email) && (c.Remembered == "" || c.Remembered == p.User.ID))
		})
		if !acting || p.Doubted {
			t.Errorf("%v for nobody who may ask for it", due.Step)
		}
	case Assign:
		if !p.RolesKnown || p.holding(due.Step.Role.ID) != NotHeld {
			t.Errorf("%v, which they hold or may hold", due.Step)
		}
		if due.Wait.Kind == None && !slices.ContainsFunc(p.Grants, func(g *Grant) bool {
			return g.Names && !g.Going && !g.Paused && !g.Moved && g.Written && g.Line && g.Role.ID == due.Step.Role.ID &&
				g.Noted.ID == due.Step.Role.ID && g.Organization.Ref == due.Asker
		}) {
			t.Errorf("%v for no binding that may", due.Step)
		}
	case Unassign:
		if !p.RolesKnown || p.holding(due.Step.Role.ID) != Direct {
			t.Errorf("%v, which they do not hold directly", due.Step)
		}
		// taken says whether the role with the ID would be taken with it.
		taken := func(id string) bool {
			return slices.ContainsFunc(p.Roles, func(a Assignment) bool { return SameRole(a.Role.ID, due.Step.Role.ID) && SameRole(a.Role.ID, id) })
		}
		released := false
		for _, g := range p.Grants {
			if g.Names && !g.Going && (taken(g.Role.ID) || taken(g.Noted.ID)) {
				t.Errorf("%v, which %v gives", due.Step, g.Ref)
			}
			released = released || g.Line && taken(g.Noted.ID)
		}
		for _, c := range p.Claims {
			if !c.Going && taken(c.Want.RoleID) {
				t.Errorf("%v, which %v sets", due.Step, c.Ref)
			}
		}
		if !released && !slices.ContainsFunc(p.Claims, matched) {
			t.Errorf("%v, which no binding gave, of somebody whom no OrgUser is matched with", due.Step)
		}
	}
}

func nobodyIsGivenAndReleased(t *testing.T, decision Decision) {
	t.Helper()
	given, taken, removed := map[string]bool{}, map[string]bool{}, false
	targets := map[Target]bool{}
	for _, due := range decision.Steps {
		if targets[due.Step.Target()] {
			t.Errorf("two steps have one target: %v", decision.Steps)
		}
		targets[due.Step.Target()] = true
		switch due.Step.Verb {
		case Assign:
			given[due.Step.Role.ID] = true
		case Update:
			for _, change := range due.Step.Changes {
				given[change.To] = true
			}
		case Unassign:
			taken[due.Step.Role.ID] = true
		case Remove:
			removed = true
		}
	}
	for id := range taken {
		if given[id] {
			t.Errorf("role %s is both given and taken: %v", id, decision.Steps)
		}
	}
	if removed && len(given) > 0 {
		t.Errorf("somebody who is to be removed is given something: %v", decision.Steps)
	}
	if !slices.IsSortedFunc(decision.Steps, func(a, b Due) int { return Compare(a.Step, b.Step) }) {
		t.Errorf("steps are not sorted: %v", decision.Steps)
	}
}

// FuzzAPersonComesToRest carries a person on as the rest of rollcall does: it looks at what is to be looked at, makes the
// steps, or has them refused, writes down what is to be written down and forgets what may be forgotten. After a few
// rounds nothing is left to do.
func FuzzAPersonComesToRest(f *testing.F) {
	seedPersons(f)
	f.Fuzz(comesToRest)
}

func comesToRest(t *testing.T, bytes []byte) {
	p := thrown(bytes)
	refuses := len(bytes) > 0 && bytes[0]%3 == 0
	tries := map[string]int{}
	for range 20 {
		decision := Decide(p)
		restless := look(p, decision)
		for _, due := range now(decision) {
			restless = true
			if refuses {
				fingerprint := p.Fingerprint(due.Step, due.Asker)
				tries[fingerprint]++
				p.Tried[due.Step.Target()] = Try{Fingerprint: fingerprint, Fact: Fact{Kind: Refused}}
				continue
			}
			apply(p, due.Step)
		}
		restless = write(p, decision) || restless
		if !restless {
			return
		}
	}
	t.Errorf("no rest after 20 rounds (refused: %v): %+v", tries, Decide(p))
}

// look settles what the decision wants to know.
func look(p *Person, decision Decision) (something bool) {
	world := p.Directory.(*directory)
	if decision.Look.User {
		something, p.Doubted, p.LookFact, world.unsure = true, false, Fact{}, nil
	}
	if decision.Look.Roles {
		something, p.RolesKnown = true, p.Present
	}
	if something {
		p.Unsettled = p.Unsettled && (p.SettlesAt == 0 || p.SettlesAt > p.Now)
	}
	return something
}

// write does to the objects what their reconcilers do.
func write(p *Person, decision Decision) (something bool) {
	for _, c := range p.Claims {
		if said, ok := decision.Claims[c.UID]; ok && said.Fact.Kind == NotWritten {
			something, c.Written, c.Remembered = true, true, p.User.ID
		}
	}
	for _, g := range p.Grants {
		said := decision.Grants[g.UID]
		switch {
		case said.Fact.Kind == NotWritten && !g.Paused:
			something, g.Written, g.Line, g.Noted = true, true, true, g.Role
		case said.Forget && g.Line:
			something, g.Line = true, false
		}
	}
	p.Leaving = slices.DeleteFunc(p.Leaving, func(line Leaver) bool {
		forget := decision.Leaving[line.Organization.Ref].Forget
		something = something || forget
		return forget
	})
	return something
}

func seedPersons(f *testing.F) {
	f.Helper()
	f.Add([]byte{})
	f.Add([]byte("Ada and Bob, two claims, one leaver and a binding that is going; nobody is sure of anything"))
	random := rand.NewChaCha8([32]byte{})
	for range 32 {
		bytes := make([]byte, 192)
		_, _ = random.Read(bytes)
		f.Add(bytes)
	}
}
