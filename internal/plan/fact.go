package plan

// Kind names a fact that keeps what is declared from holding, or a step from being made.
type Kind int

// The kinds of facts.
const (
	// None: nothing stands against it.
	None Kind = iota
	// Unknown: it must be looked at first, and soon is.
	Unknown
	// Pending: the step is to be made and waits for its turn.
	Pending
	// NotWritten: the object must write down first whom it means.
	NotWritten
	// NotAMember: nobody has the address or the ID.
	NotAMember
	// Left: whom the object was matched with is not a member any more.
	Left
	// Ambiguous: several users have the address.
	Ambiguous
	// AddressChanged: whom the object was matched with has another address than it names.
	AddressChanged
	// DeclaredElsewhere: another OrgUser of the same person acts.
	DeclaredElsewhere
	// Paused: the object is, by its annotation.
	Paused
	// OrganizationPaused: its Organization is.
	OrganizationPaused
	// OrganizationNotReady: its Organization's key cannot be used.
	OrganizationNotReady
	// Observed: the mode Observe leaves it undone.
	Observed
	// Refused: the API refused the step.
	Refused
	// Retrying: the last try failed in a way that passes.
	Retrying
	// NotTakenOver: the API answered that it made the change, and did not.
	NotTakenOver
	// Guarded: a rule of the guard holds it back.
	Guarded
	// NotDue: the leaver's time has not come.
	NotDue
	// Awaits: a subject of the binding names an OrgUser that is not there, so that nothing is taken yet.
	Awaits
	// Leaving: the person is being removed, so that they are given nothing.
	Leaving
	// Gone: the leaver is not a member any more.
	Gone
	// DeclaredAgain: an OrgUser names the leaver.
	DeclaredAgain
	// NoSuchOrgUser: the subject of a binding names an OrgUser that is not there.
	NoSuchOrgUser
	// OtherOrganizationsUser: it names one of another Organization.
	OtherOrganizationsUser
	// Protected: an OrgUser that has not written them down yet names the leaver.
	Protected
)

// Fact is a Kind with what the words for it need.
type Fact struct {
	Kind Kind
	// Object is the OrgUser that acts instead, or that names a leaver.
	Object Ref
	// Users are those with the address, or the one with another address.
	Users []User
	// Rule is the guard's that holds the step, with its numbers.
	Rule    Rule
	Numbers Numbers
	// Words are the API's.
	Words string
	// Until is when it ends by itself, in seconds; 0: not known, or not by itself.
	Until int64
}

// Numbers are what a rule of the guard counted.
type Numbers struct {
	// Would is the number of owners that would be left, or which removal of the window it would be; Most is the
	// rule's bound.
	Would, Most int
}

// earliest is the earlier of two times, of which 0 is none.
func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
