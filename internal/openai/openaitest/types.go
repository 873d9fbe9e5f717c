package openaitest

import "time"

// User is a member of the organization. "" is null in the API, and a zero AddedAt is the time of the adding.
type User struct {
	ID, Email, Name                  string
	Role                             string
	DeveloperPersona, TechnicalLevel string
	AddedAt                          time.Time
	IsDefault                        bool
	IsServiceAccount                 bool
	IsSCIMManaged                    bool
}

// Role is a role that the organization offers.
type Role struct {
	ID, Name, Description string
	// ResourceType is api.organization if it is not set.
	ResourceType string
	Permissions  []string
	Predefined   bool
}

// Call is one request that reached the organization.
type Call struct {
	Time time.Time `json:"time"`
	// Method and Endpoint name the call as the reference does: "GET", "/organization/users/{id}".
	Method   string `json:"method"`
	Endpoint string `json:"endpoint"`
	// Path and Query are those of the request; the path without /v1.
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	UserID string `json:"user_id,omitempty"`
	RoleID string `json:"role_id,omitempty"`
	Body   string `json:"body,omitempty"`
	// Email is the user's at the time of the call.
	Email string `json:"email,omitempty"`
	// Status that was answered, or 0 where the connection was dropped.
	Status    int    `json:"status"`
	RequestID string `json:"request_id"`
	// Changed says that the call changed the organization, whatever was answered.
	Changed bool `json:"changed"`
	// OwnersBefore and Owners are the numbers of owners before and after the call.
	OwnersBefore int `json:"owners_before"`
	Owners       int `json:"owners"`
}
