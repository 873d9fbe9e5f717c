package openai

// Endpoint is one of the ten calls as the reference names it: the method and
// the template of the path. APIs limit each on its own.
type Endpoint string

// The ten calls.
const (
	EndpointListUsers     Endpoint = "GET /organization/users"
	EndpointGetUser       Endpoint = "GET /organization/users/{id}"
	EndpointUpdateUser    Endpoint = "POST /organization/users/{id}"
	EndpointDeleteUser    Endpoint = "DELETE /organization/users/{id}"
	EndpointListUserRoles Endpoint = "GET /organization/users/{id}/roles"
	EndpointAssignRole    Endpoint = "POST /organization/users/{id}/roles"
	EndpointGetUserRole   Endpoint = "GET /organization/users/{id}/roles/{role_id}"
	EndpointUnassignRole  Endpoint = "DELETE /organization/users/{id}/roles/{role_id}"
	EndpointListRoles     Endpoint = "GET /organization/roles"
	// EndpointListUsersByEmail is the same endpoint as EndpointListUsers, and
	// shares its limit.
	EndpointListUsersByEmail = EndpointListUsers
)

// Calls says how many calls of which endpoint are meant.
type Calls map[Endpoint]int

func (c Calls) total() int {
	total := 0
	for _, n := range c {
		total += max(0, n)
	}
	return total
}
