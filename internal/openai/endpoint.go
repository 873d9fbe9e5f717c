package openai

import "github.com/rollcall-dev/rollcall/internal/openai/budget"

// The ten calls, as the reference names them. The API limits each on its own.
const (
	EndpointListUsers     budget.Endpoint = "GET /organization/users"
	EndpointGetUser       budget.Endpoint = "GET /organization/users/{id}"
	EndpointUpdateUser    budget.Endpoint = "POST /organization/users/{id}"
	EndpointDeleteUser    budget.Endpoint = "DELETE /organization/users/{id}"
	EndpointListUserRoles budget.Endpoint = "GET /organization/users/{id}/roles"
	EndpointAssignRole    budget.Endpoint = "POST /organization/users/{id}/roles"
	EndpointGetUserRole   budget.Endpoint = "GET /organization/users/{id}/roles/{role_id}"
	EndpointUnassignRole  budget.Endpoint = "DELETE /organization/users/{id}/roles/{role_id}"
	EndpointListRoles     budget.Endpoint = "GET /organization/roles"
	// EndpointListUsersByEmail is the same endpoint as EndpointListUsers, and
	// shares its limit.
	EndpointListUsersByEmail = EndpointListUsers
)
