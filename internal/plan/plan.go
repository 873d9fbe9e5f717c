// Package plan compares what is declared with what was observed and says what to do about it.
//
// It is pure: no context, client, clock, logger or metric. A plan is data, sorted and comparable; events,
// logs and status are rendered from it. Applying a plan and planning again gives no steps.
package plan

import (
	"cmp"
	"fmt"
	"strings"
)

// Verb is what a step does in the organization.
type Verb string

const (
	// Update changes fields of a user, all that differ in one call.
	Update Verb = "Update"
	// Remove takes a user out of the organization.
	Remove Verb = "Remove"
	// Assign gives a role to a user.
	Assign Verb = "Assign"
	// Unassign takes a role from a user.
	Unassign Verb = "Unassign"
)

// Field names a user's field as OrgUser's spec does.
type Field string

const (
	// FieldRole is the role in the organization: owner or reader.
	FieldRole Field = "role"
	// FieldRoleID is a role by its ID.
	FieldRoleID Field = "roleID"
	// FieldDeveloperPersona is the developer persona; "" is none.
	FieldDeveloperPersona Field = "developerPersona"
	// FieldTechnicalLevel is the technical level; "" is none.
	FieldTechnicalLevel Field = "technicalLevel"
)

// RoleOwner is the role that manages the organization.
const RoleOwner = "owner"

// Change is one field's difference.
type Change struct {
	Field Field
	// From is the value found, To the value to set. "" is none.
	From, To string
}

// String says which field changes from what to what, for people.
func (c Change) String() string {
	if c.Field == FieldRoleID {
		return "roleID to " + c.To
	}
	return fmt.Sprintf("%s from %s to %s", c.Field, quoted(c.From), quoted(c.To))
}

func quoted(value string) string {
	if value == "" {
		return "none"
	}
	return fmt.Sprintf("%q", value)
}

// Role is a role of the organization.
type Role struct {
	ID, Name string
}

// Step is one call to make.
type Step struct {
	Verb   Verb
	UserID string
	// Who is the user as people know them: the email, or the ID of one without.
	Who string
	// Changes are set with Update only.
	Changes []Change
	// Role is set with Assign and Unassign only.
	Role Role
	// DemotesOwner says that an owner would be no owner afterwards, or may not be.
	DemotesOwner bool
}

// Target is what a step is about, comparable.
type Target struct {
	Verb           Verb
	UserID, RoleID string
}

// Target is what the step is about.
func (s Step) Target() Target { return Target{s.Verb, s.UserID, s.Role.ID} }

// Compare orders steps: first those that give, then those that take, each by user and role.
func Compare(a, b Step) int {
	return cmp.Or(cmp.Compare(a.Verb.rank(), b.Verb.rank()), cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Role.ID, b.Role.ID))
}

func (v Verb) rank() int {
	return map[Verb]int{Assign: 0, Update: 1, Unassign: 2, Remove: 3}[v]
}

// Takes says whether the step takes something away, or may: a role, an owner, a membership.
func (s Step) Takes() bool { return s.Verb == Unassign || s.MayDemote() }

// Alone says whether nothing else of its kind may be under way in the organization: owners or removals are concerned.
func (s Step) Alone() bool { return s.MayDemote() }

// String says what the step does, for people.
func (s Step) String() string { return s.say("update", "remove", "assign", "unassign") }

// Done says what the step did, for people.
func (s Step) Done() string { return s.say("updated", "removed", "assigned", "unassigned") }

func (s Step) say(update, remove, assign, unassign string) string {
	switch s.Verb {
	case Update:
		changes := make([]string, len(s.Changes))
		for i, change := range s.Changes {
			changes[i] = change.String()
		}
		return fmt.Sprintf("%s %s: %s", update, s.Who, strings.Join(changes, ", "))
	case Remove:
		return fmt.Sprintf("%s %s from the organization", remove, s.Who)
	case Assign:
		return fmt.Sprintf("%s role %s to %s", assign, s.Role.Name, s.Who)
	case Unassign:
		return fmt.Sprintf("%s role %s from %s", unassign, s.Role.Name, s.Who)
	}
	return fmt.Sprintf("%s %s", s.Verb, s.Who)
}
