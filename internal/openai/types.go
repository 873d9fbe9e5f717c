package openai

import "time"

// User is a person or service account in the organization. Two readings of an
// unchanged user are equal with ==.
type User struct {
	ID    string
	Email string
	Name  string
	// Role is "owner" or "reader"; "" where the API says null, as for a user
	// whose base role is a custom one.
	Role string
	// DeveloperPersona and TechnicalLevel are "" where the API says null.
	DeveloperPersona string
	TechnicalLevel   string
	// AddedAt is in UTC, to the second.
	AddedAt          time.Time
	IsDefault        bool
	IsServiceAccount bool
	IsSCIMManaged    bool
}

// Role is a role that the organization offers.
type Role struct {
	ID   string
	Name string
	// ResourceType is what the role is bound to, such as "api.organization"
	// or "api.project".
	ResourceType string
	// Predefined is true for a role made and kept by OpenAI.
	Predefined bool
}

// RoleAssignment is a role that a user holds.
type RoleAssignment struct {
	RoleID     string
	RoleName   string
	Predefined bool
	// Inherited is true when the API names principals, such as groups, from
	// which the user has the role (assignment_sources is not empty). Such an
	// assignment cannot be taken from the user.
	Inherited bool
}

// UserUpdate is a change of a user. Only fields that are set are sent.
type UserUpdate struct {
	// Role is "owner" or "reader". At most one of Role and RoleID is set, and
	// neither to "".
	Role   *string
	RoleID *string
	// DeveloperPersona and TechnicalLevel: a pointer to "" clears the field,
	// which the API wants as null.
	DeveloperPersona *string
	TechnicalLevel   *string
}
