package plan

// Ref names an object of Kubernetes.
type Ref struct {
	Namespace, Name string
}

// String is namespace/name.
func (r Ref) String() string { return r.Namespace + "/" + r.Name }

// Before orders references, for where nothing better does.
func (r Ref) Before(other Ref) bool {
	if r.Namespace != other.Namespace {
		return r.Namespace < other.Namespace
	}
	return r.Name < other.Name
}

// User is a user of the organization as they were last seen. "" is none.
type User struct {
	ID, Email, Role                  string
	DeveloperPersona, TechnicalLevel string
	// Exempt: a service account, the default user, or one whom an identity provider manages. Nobody removes them for
	// being undeclared.
	Exempt bool
}

// Who names the user for people: the email, or the ID of one without.
func (u User) Who() string {
	if u.Email != "" {
		return u.Email
	}
	return u.ID
}

// Directory is the organization as it was last seen, corrected by each answer since.
type Directory interface {
	// User returns the user with the ID.
	User(id string) (User, bool)
	// WithEmail returns the users with the address, which is folded.
	WithEmail(email string) []User
	// NoUser and NoEmail say that nobody has the ID or the address, and that this was confirmed. Where User and
	// WithEmail find nobody and these do not say so, it must be looked at.
	NoUser(id string) bool
	NoEmail(email string) bool
}

// Policy says what becomes of what no object declares.
type Policy int

const (
	// Ignore does not look.
	Ignore Policy = iota
	// Report counts.
	Report
	// Take removes, or unassigns.
	Take
)

// Organization is one Organization object and its rules.
type Organization struct {
	Ref
	// Acts: its key is good and is one of this organization. Where it is not, the object still protects people.
	Acts bool
	// Paused and Observe keep it from changing anything.
	Paused, Observe                  bool
	UndeclaredUsers, UndeclaredRoles Policy
}

// standsStill is what keeps the object from changing anything, or None.
func (o *Organization) standsStill() Fact {
	switch {
	case o.Paused:
		return Fact{Kind: OrganizationPaused}
	case !o.Acts:
		return Fact{Kind: OrganizationNotReady}
	case o.Observe:
		return Fact{Kind: Observed}
	}
	return Fact{}
}

// Claim is an OrgUser: what one object declares of a person.
type Claim struct {
	Ref
	UID          string
	Organization *Organization
	// Created is in seconds, as Kubernetes keeps it.
	Created int64
	// Going: it is being deleted. Paused: by its annotation. Written: it has the finalizer.
	Going, Paused, Written bool
	// Email (folded) and UserID are whom it names; Remembered is the user whom it was matched with.
	Email, UserID, Remembered string
	Want                      DesiredUser
}

// Who names the person as the manifest does.
func (c *Claim) Who() string {
	if c.Email != "" {
		return c.Email
	}
	return c.UserID
}

// older orders the claims of one person: the oldest acts.
func older(a, b *Claim) bool {
	if a.Created != b.Created {
		return a.Created < b.Created
	}
	return a.Ref.Before(b.Ref)
}

// Grant is an OrgUserRoleBinding as far as one person is concerned.
type Grant struct {
	Ref
	UID          string
	Organization *Organization
	// Going: it is being deleted. Paused: by its annotation. Written: it has the finalizer.
	Going, Paused, Written bool
	// Refers is the role as the manifest names it: by ID or by name.
	Refers Role
	// Role is what that resolves to; its ID is "" where it does not, and RoleFact says why.
	Role     Role
	RoleFact RoleFact
	// Noted is the role that its status names, to which its lines belong.
	Noted Role
	// Names: a subject is this person. Line: a line of its status has the user's ID. Moved: the subject's address is not
	// the user's any more, so that nothing is given.
	Names, Line, Moved bool
	// AwaitsUntil is until when what it released stays, since a subject names an OrgUser that is not there. 0: no such.
	AwaitsUntil int64
}

// gives says whether the binding gives the role: what it means now, meant when it was written down, or names.
func (g *Grant) gives(role Role) bool {
	if !g.Names || g.Going {
		return false
	}
	return SameRole(role.ID, g.Role.ID) || SameRole(role.ID, g.Noted.ID) || SameRole(role.ID, g.Refers.ID) ||
		g.Refers.ID == "" && g.Refers.Name != "" && g.Refers.Name == role.Name
}

// Leaver is a line of an Organization's status.leaving.
type Leaver struct {
	Organization *Organization
	// Email (folded) is the address that the manifest named; "" where it named the ID.
	Email   string
	OrgUser string
	// Due is when they are removed at the earliest, in seconds.
	Due int64
}

// Assignment is a role that the user holds.
type Assignment struct {
	Role                  Role
	Predefined, Inherited bool
}

// Try is what came of a step when it was last tried, or why it was not.
type Try struct {
	// Fingerprint is of what was declared and observed then: with another one the try says nothing any more.
	Fingerprint string
	Fact        Fact
	// Until is when it is tried again in any case, in seconds; 0: only with another fingerprint.
	Until int64
}

// Sums are what is to be known of the whole organization about one person.
type Sums struct {
	// Objects are the Organization objects that stand for the organization; OrgUsers all of theirs.
	Objects, OrgUsers int
	// Unresolved: an OrgUser is not matched with anybody, so nobody is called undeclared.
	Unresolved bool
}

// Person is all that is declared and observed about one user of the organization.
type Person struct {
	// User is who it is about. With Present false only the ID is set, and nobody has it.
	User    User
	Present bool
	// Roles are those that the user holds; RolesKnown says that they were listed and not lost sight of.
	Roles      []Assignment
	RolesKnown bool
	// Doubted: the answer to a change was lost, and nobody looked since.
	Doubted bool
	// LookFact says why a look that is needed was not made yet, if it was tried.
	LookFact Fact
	// Unsettled: a call about the user is under way, or may still be: nothing is forgotten. SettlesAt is when a look can
	// settle it, in seconds; 0: not yet known.
	Unsettled bool
	SettlesAt int64
	// SettledBy is the look that can.
	SettledBy Look

	Claims  []*Claim
	Grants  []*Grant
	Leaving []Leaver
	// Organizations are all objects that stand for the organization.
	Organizations []*Organization

	Sums Sums
	// SeenUndeclared counts the whole readings in a row that found the user undeclared; SeenUndeclaredRoles is the same for
	// their assignments, by role ID.
	SeenUndeclared      int
	SeenUndeclaredRoles map[string]int

	Tried map[Target]Try
	// Now is in seconds.
	Now int64
	// Directory resolves whom a claim stands for.
	Directory Directory
}
