package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// directory is an organization in which nobody but users is known to be, unless unsure names the ID or the address.
type directory struct {
	users  []User
	unsure []string
	// bound: lists give the viewer a longer ID than the one that assigns it.
	bound bool
}

// listed is the role as lists give it.
func (d *directory) listed(role Role) Role {
	if d.bound && role.ID == viewer.ID {
		role.ID += "__org-1"
	}
	return role
}

var _ Directory = (*directory)(nil)

func (d *directory) User(id string) (User, bool) {
	at := slices.IndexFunc(d.users, func(u User) bool { return u.ID == id })
	if at < 0 {
		return User{}, false
	}
	return d.users[at], true
}

func (d *directory) WithEmail(email string) []User {
	var users []User
	for _, user := range d.users {
		if Fold(user.Email) == email {
			users = append(users, user)
		}
	}
	return users
}

func (d *directory) NoUser(id string) bool {
	_, there := d.User(id)
	return !there && !slices.Contains(d.unsure, id)
}

func (d *directory) NoEmail(email string) bool {
	return len(d.WithEmail(email)) == 0 && !slices.Contains(d.unsure, email)
}

// scene is a person of a test: Ada, a reader with no roles, in an organization for which one object stands and in which
// nothing is unresolved.
type scene struct {
	*Person
	org *Organization
	// others are the other users of the organization, unsure the IDs and addresses that nobody looked for.
	others []User
	unsure []string
}

var (
	viewer  = Role{ID: "role-v", Name: "viewer"}
	auditor = Role{ID: "role-a", Name: "auditor"}
	bob     = User{ID: "user-2", Email: "bob@example.com", Role: "reader"}
)

func newScene(change func(s *scene)) *scene {
	org := &Organization{Ref: Ref{"team", "default"}, Acts: true}
	s := &scene{org: org, Person: &Person{
		User: User{ID: "user-1", Email: "Ada@example.com", Role: "reader"}, Present: true, RolesKnown: true,
		Organizations: []*Organization{org}, Sums: Sums{Objects: 1, OrgUsers: 1}, Now: 100,
	}}
	change(s)
	return s
}

// decide decides, and once more with all objects in the other order: nothing may come of that.
func (s *scene) decide(t *testing.T) Decision {
	t.Helper()
	there := slices.Clone(s.others)
	if s.Present {
		there = append(there, s.User)
	} else {
		s.User, s.Roles, s.RolesKnown = User{ID: s.User.ID}, nil, false
	}
	s.Directory = &directory{users: there, unsure: s.unsure}
	decision := Decide(s.Person)
	turned := *s.Person
	for _, turn := range []func(){
		func() { turned.Claims = slices.Clone(s.Claims); slices.Reverse(turned.Claims) },
		func() { turned.Grants = slices.Clone(s.Grants); slices.Reverse(turned.Grants) },
		func() { turned.Leaving = slices.Clone(s.Leaving); slices.Reverse(turned.Leaving) },
		func() { turned.Organizations = slices.Clone(s.Organizations); slices.Reverse(turned.Organizations) },
	} {
		turn()
		if diff := cmp.Diff(decision, Decide(&turned)); diff != "" {
			t.Errorf("the order of the objects matters (-one +the other):\n%s", diff)
		}
	}
	return decision
}

// claim adds an OrgUser that has written Ada down, and was created then.
func (s *scene) claim(name string, created int64) *Claim {
	c := &Claim{
		Ref: Ref{"team", name}, UID: name, Organization: s.org, Created: created,
		Written: true, Email: "ada@example.com", Remembered: "user-1",
	}
	s.Claims = append(s.Claims, c)
	return c
}

// grant adds a binding that names Ada and has her in its status.
func (s *scene) grant(name string, role Role) *Grant {
	g := &Grant{
		Ref: Ref{"team", name}, UID: name, Organization: s.org,
		Written: true, Refers: Role{ID: role.ID}, Role: role, Noted: role, Names: true, Line: true,
	}
	s.Grants = append(s.Grants, g)
	return g
}

// released adds a binding that has Ada in its status and names her no more.
func (s *scene) released(name string, role Role) *Grant {
	g := s.grant(name, role)
	g.Names = false
	return g
}

// holds gives Ada roles directly.
func (s *scene) holds(roles ...Role) {
	for _, role := range roles {
		s.Roles = append(s.Roles, Assignment{Role: role})
	}
}

// leaver makes Ada one whose OrgUser went and who is due.
func (s *scene) leaver() *Leaver {
	s.Leaving = append(s.Leaving, Leaver{Organization: s.org, Email: "ada@example.com", OrgUser: "ada", Due: 50})
	return &s.Leaving[len(s.Leaving)-1]
}

// another adds an Organization object for the same organization.
func (s *scene) another(name string) *Organization {
	org := &Organization{Ref: Ref{"team", name}, Acts: true}
	s.Organizations = append(s.Organizations, org)
	s.Sums.Objects++
	return org
}

// tried says that the step that is called for now was tried.
func (s *scene) tried(t *testing.T, try Try) {
	t.Helper()
	s.Tried = nil
	steps := s.decide(t).Steps
	if len(steps) != 1 {
		t.Fatalf("want one step to have been tried, got %v", steps)
	}
	if try.Fingerprint == "" {
		try.Fingerprint = s.Fingerprint(steps[0].Step, steps[0].Asker)
	}
	s.Tried = map[Target]Try{steps[0].Step.Target(): try}
}

// outcome is a Decision as tests write it down: objects by name, steps as sentences, facts as kinds.
type outcome struct {
	// now are the steps that may be made now, waiting the others, each with what it waits for.
	now     []string
	waiting map[string]Kind
	claims  map[string]Kind
	// grants are the bindings with what is said of them: "Direct", "NotHeld forget", or with a kind in facts.
	grants map[string]string
	facts  map[string]Kind
	// leaving are the Organizations' lines, forgotten those that may go.
	leaving   map[string]Kind
	forgotten []string
	look      Look
	wakeAt    int64
	// undeclared says that nobody names them; roles are the IDs of those that nothing declares.
	undeclared bool
	roles      []string
}

// put is the map with one entry more.
func put[V any](m map[string]V, key string, value V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = value
	return m
}

func outcomeOf(d Decision) outcome {
	o := outcome{look: d.Look, wakeAt: d.WakeAt, undeclared: d.Undeclared}
	for _, due := range d.Steps {
		if due.Wait.Kind == None {
			o.now = append(o.now, due.Step.String())
		} else {
			o.waiting = put(o.waiting, due.Step.String(), due.Wait.Kind)
		}
	}
	for uid, said := range d.Claims {
		o.claims = put(o.claims, uid, said.Fact.Kind)
	}
	for uid, said := range d.Grants {
		words := string(said.Holding)
		if said.Forget {
			words += " forget"
		}
		o.grants = put(o.grants, uid, words)
		if said.Fact.Kind != None {
			o.facts = put(o.facts, uid, said.Fact.Kind)
		}
	}
	for ref, said := range d.Leaving {
		o.leaving = put(o.leaving, ref.Name, said.Fact.Kind)
		if said.Forget {
			o.forgotten = append(o.forgotten, ref.Name)
		}
	}
	slices.Sort(o.forgotten)
	for _, role := range d.UndeclaredRoles {
		o.roles = append(o.roles, role.ID)
	}
	return o
}

// decisions runs a table: each case is a scene and what comes of it.
func decisions(t *testing.T, cases map[string]decisionCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := outcomeOf(newScene(tc.scene).decide(t))
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

type decisionCase struct {
	scene func(s *scene)
	want  outcome
}

// The steps of the tables, as they read.
const (
	promoteAda = `update Ada@example.com: role from "reader" to "owner"`
	removeAda  = "remove Ada@example.com from the organization"
	giveViewer = "assign role viewer to Ada@example.com"
	takeViewer = "unassign role viewer from Ada@example.com"
)
