package plan

import "strings"

// OfferedRole is a role that the organization offers.
type OfferedRole struct {
	Role
	Predefined bool
}

// RoleKind says why a role does not resolve.
type RoleKind int

const (
	// RoleResolved: it does.
	RoleResolved RoleKind = iota
	// RolesUnknown: the organization's roles were not listed yet.
	RolesUnknown
	// NoSuchRole: the organization offers none such.
	NoSuchRole
	// SeveralRoles have the name.
	SeveralRoles
	// PredefinedRole: it follows spec.role of the OrgUser, and could be given here but never taken.
	PredefinedRole
	// OtherRole: the name means another role than the one that was given, which is still there.
	OtherRole
)

// RoleFact says why a role does not resolve. Roles are those in question.
type RoleFact struct {
	Kind  RoleKind
	Roles []OfferedRole
}

// ResolveRole finds the one role that a manifest refers to. noted is the role that it meant before.
func ResolveRole(refers, noted Role, offered []OfferedRole) (Role, RoleFact) {
	var matches []OfferedRole
	for _, role := range offered {
		if refers.ID != "" && role.ID == refers.ID || refers.ID == "" && role.Name == refers.Name {
			matches = append(matches, role)
		}
	}
	switch {
	case len(matches) == 0:
		return Role{}, RoleFact{NoSuchRole, offered}
	case len(matches) > 1:
		return Role{}, RoleFact{SeveralRoles, matches}
	case matches[0].Predefined:
		return Role{}, RoleFact{PredefinedRole, matches}
	}
	// Those who have the role that the name meant before are to lose it, which only a deletion does.
	for _, role := range offered {
		if refers.ID == "" && role.ID == noted.ID && matches[0].ID != noted.ID {
			return Role{}, RoleFact{OtherRole, []OfferedRole{role, matches[0]}}
		}
	}
	return matches[0].Role, RoleFact{}
}

// SameRole says whether an ID that the API gave of a held role means the role. Of some roles it gives a longer ID there,
// with what it is bound to: role-x__api-organization__org-y (observed).
func SameRole(held, role string) bool {
	return held == role || role != "" && strings.HasPrefix(held, role+"__")
}
