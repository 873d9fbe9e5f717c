package openaitest

import (
	"slices"
	"time"
)

// The JSON of the answers. Fields that the reference calls optional and the API gives as null are pointers.

type userJSON struct {
	ID                             string        `json:"id"`
	AddedAt                        int64         `json:"added_at"`
	Object                         string        `json:"object"`
	APIKeyLastUsedAt               *int64        `json:"api_key_last_used_at"`
	Created                        int64         `json:"created"`
	DeveloperPersona               *string       `json:"developer_persona"`
	Email                          *string       `json:"email"`
	IsDefault                      bool          `json:"is_default"`
	IsScaleTierAuthorizedPurchaser *bool         `json:"is_scale_tier_authorized_purchaser"`
	IsSCIMManaged                  bool          `json:"is_scim_managed"`
	IsServiceAccount               bool          `json:"is_service_account"`
	Name                           *string       `json:"name"`
	Projects                       *projectsJSON `json:"projects"`
	Role                           *string       `json:"role"`
	TechnicalLevel                 *string       `json:"technical_level"`
	User                           personJSON    `json:"user"`
}

type projectsJSON struct {
	Data   []projectJSON `json:"data"`
	Object string        `json:"object"`
}

type projectJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

type personJSON struct {
	ID       string  `json:"id"`
	Object   string  `json:"object"`
	Banned   *bool   `json:"banned"`
	BannedAt *int64  `json:"banned_at"`
	Email    *string `json:"email"`
	Enabled  *bool   `json:"enabled"`
	Name     *string `json:"name"`
	Picture  *string `json:"picture"`
}

func orNull(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

func userOf(user User) userJSON {
	no, yes := false, true
	return userJSON{
		ID: user.ID, Object: "organization.user", AddedAt: user.AddedAt.Unix(), Created: user.AddedAt.Unix(),
		DeveloperPersona: orNull(user.DeveloperPersona), TechnicalLevel: orNull(user.TechnicalLevel),
		Email: orNull(user.Email), Name: orNull(user.Name), Role: orNull(user.Role),
		IsDefault: user.IsDefault, IsSCIMManaged: user.IsSCIMManaged, IsServiceAccount: user.IsServiceAccount,
		IsScaleTierAuthorizedPurchaser: &no,
		Projects:                       &projectsJSON{Object: "list", Data: []projectJSON{{ID: "proj_default", Name: "Default project", Role: "member"}}},
		User:                           personJSON{ID: user.ID, Object: "user", Banned: &no, Email: orNull(user.Email), Enabled: &yes, Name: orNull(user.Name)},
	}
}

type roleJSON struct {
	ID             string   `json:"id"`
	Description    *string  `json:"description"`
	Name           string   `json:"name"`
	Object         string   `json:"object"`
	Permissions    []string `json:"permissions"`
	PredefinedRole bool     `json:"predefined_role"`
	ResourceType   string   `json:"resource_type"`
}

func roleOf(role Role) roleJSON {
	return roleJSON{
		ID: role.ID, Object: "role", Name: role.Name, Description: orNull(role.Description),
		Permissions: permissions(role), PredefinedRole: role.Predefined, ResourceType: role.ResourceType,
	}
}

// permissions are never null in the API.
func permissions(role Role) []string { return append([]string{}, role.Permissions...) }

type assignmentJSON struct {
	ID                string         `json:"id"`
	AssignmentSources []sourceJSON   `json:"assignment_sources"`
	CreatedAt         int64          `json:"created_at"`
	CreatedBy         *string        `json:"created_by"`
	CreatedByUserObj  map[string]any `json:"created_by_user_obj"`
	Description       *string        `json:"description"`
	Metadata          map[string]any `json:"metadata"`
	Name              string         `json:"name"`
	Permissions       []string       `json:"permissions"`
	PredefinedRole    bool           `json:"predefined_role"`
	ResourceType      string         `json:"resource_type"`
	UpdatedAt         int64          `json:"updated_at"`
}

type sourceJSON struct {
	PrincipalID   string `json:"principal_id"`
	PrincipalType string `json:"principal_type"`
}

// made is when every role was made.
var made = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func assignmentOf(role Role, groups []string) assignmentJSON {
	sources := []sourceJSON{}
	for _, group := range slices.Sorted(slices.Values(groups)) {
		sources = append(sources, sourceJSON{PrincipalID: group, PrincipalType: "group"})
	}
	return assignmentJSON{
		ID: role.ID, AssignmentSources: sources, CreatedAt: made.Unix(), UpdatedAt: made.Unix(), Metadata: map[string]any{},
		Description: orNull(role.Description), Name: role.Name, Permissions: permissions(role),
		PredefinedRole: role.Predefined, ResourceType: role.ResourceType,
	}
}

// cursorPage is the users' list, whose cursor is the last ID.
type cursorPage struct {
	Object  string     `json:"object"`
	Data    []userJSON `json:"data"`
	FirstID *string    `json:"first_id"`
	LastID  *string    `json:"last_id"`
	HasMore bool       `json:"has_more"`
}

// nextPage is a role list, whose cursor is next.
type nextPage[T any] struct {
	Object  string  `json:"object"`
	Data    []T     `json:"data"`
	HasMore bool    `json:"has_more"`
	Next    *string `json:"next"`
}
