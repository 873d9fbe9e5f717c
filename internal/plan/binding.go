package plan

import "slices"

// Holding says how a user has a role.
type Holding string

const (
	// NotHeld: the user does not have the role.
	NotHeld Holding = "NotHeld"
	// Held: the role is assigned to the user directly.
	Held Holding = "Held"
	// Inherited: the user has the role through a group only. It cannot be unassigned.
	Inherited Holding = "Inherited"
)

// Holder is a member and how they have the role in question.
type Holder struct {
	UserID, Who string
	Holding     Holding
}

// Binding plans the assignments of one role. Declared members get it if they do not have it. Released
// members, who had it through a binding and are declared by none any more, lose it if it is assigned
// directly; a member who is both is declared. Steps come sorted: first those that give, then those that
// take, each by user.
func Binding(role Role, declared, released []Holder) []Step {
	var steps []Step
	seen := map[string]bool{}
	for _, holder := range declared {
		if !seen[holder.UserID] && holder.Holding == NotHeld {
			steps = append(steps, Step{Verb: Assign, UserID: holder.UserID, Who: holder.Who, Role: role})
		}
		seen[holder.UserID] = true
	}
	for _, holder := range released {
		if !seen[holder.UserID] && holder.Holding == Held {
			steps = append(steps, Step{Verb: Unassign, UserID: holder.UserID, Who: holder.Who, Role: role})
		}
		seen[holder.UserID] = true
	}
	slices.SortFunc(steps, Compare)
	return steps
}
