package openaitest

import (
	"net/url"
	"slices"
	"strings"
)

// The calls on roles. o.mu is held in each; the result is the answer's body.

func (o *Organization) listRoles(query url.Values) (any, *refusal) {
	var all []roleJSON
	for _, role := range o.sortedRoles() {
		all = append(all, roleOf(role))
	}
	page, no := pageOf(query, all, func(role roleJSON) string { return role.ID })
	if no != nil {
		return nil, no
	}
	return page, nil
}

// assignments returns what a user's role list shows: the predefined role that follows the user's role, and
// the roles that the user has directly or from groups.
func (o *Organization) assignments(user *member) []assignmentJSON {
	held := map[string]bool{}
	if user.Role != "" {
		held[o.predefinedID(user.Role)] = true
	}
	for id := range user.direct {
		held[id] = true
	}
	for id := range user.inherited {
		held[id] = true
	}
	var roles []Role
	for id := range held {
		if role := o.roles[id]; role != nil {
			roles = append(roles, *role)
		}
	}
	slices.SortFunc(roles, compareRoles)
	var all []assignmentJSON
	for _, role := range roles {
		sources := o.sources(user, role.ID)
		role.ID = o.answeredID(role.ID)
		all = append(all, assignmentOf(role, sources))
	}
	return all
}

// sources are the groups from which the user has the role. One that is assigned directly is not inherited.
func (o *Organization) sources(user *member, roleID string) []string {
	if user.direct[roleID] {
		return nil
	}
	return user.inherited[roleID]
}

func (o *Organization) listUserRoles(userID string, query url.Values) (any, *refusal) {
	user := o.users[userID]
	if user == nil {
		return nil, noSuchUser(userID)
	}
	page, no := pageOf(query, o.assignments(user), func(a assignmentJSON) string { return a.ID })
	if no != nil {
		return nil, no
	}
	return page, nil
}

func (o *Organization) assignRole(userID string, body []byte) (any, *refusal) {
	var wanted struct {
		RoleID *string `json:"role_id"`
	}
	if no := decode(body, &wanted); no != nil {
		return nil, no
	}
	if wanted.RoleID == nil || *wanted.RoleID == "" {
		return nil, badRequest("role_id", "Missing required parameter: 'role_id'.")
	}
	user := o.users[userID]
	if user == nil {
		return nil, noSuchUser(userID)
	}
	role := o.role(*wanted.RoleID)
	if role == nil {
		return nil, noSuchRole(*wanted.RoleID)
	}
	if no := assignable(role); no != nil {
		return nil, no
	}
	user.direct[role.ID] = true
	answered := *role
	answered.ID = o.answeredID(role.ID)
	return map[string]any{"object": "user.role", "role": roleOf(answered), "user": userOf(user.User)}, nil
}

// assignable refuses a role that cannot be given to a user of the organization by itself.
func assignable(role *Role) *refusal {
	switch {
	case role.Predefined:
		return badRequest("role_id", "Predefined roles cannot be assigned here; set the user's role instead.")
	case role.ResourceType != organizationResource:
		return badRequest("role_id", "The role is bound to %s and cannot be assigned in the organization.", role.ResourceType)
	}
	return nil
}

func (o *Organization) getUserRole(userID, roleID string) (any, *refusal) {
	user := o.users[userID]
	if user == nil {
		return nil, noSuchUser(userID)
	}
	for _, assignment := range o.assignments(user) {
		if assignment.ID == o.answeredID(roleID) {
			return assignment, nil
		}
	}
	return nil, notFound("The user %s does not have the role %s.", userID, roleID)
}

func (o *Organization) unassignRole(userID, roleID string) (any, *refusal) {
	user, role := o.users[userID], o.role(roleID)
	if role != nil {
		roleID = role.ID
	}
	switch {
	case user == nil:
		return nil, noSuchUser(userID)
	case role == nil:
		return nil, noSuchRole(roleID)
	case role.Predefined:
		return nil, badRequest("role_id", "Predefined roles cannot be unassigned; set the user's role instead.")
	case !user.direct[roleID] && len(user.inherited[roleID]) > 0:
		return nil, badRequest("role_id", "The user has the role from a group only; change the group instead.")
	case !user.direct[roleID]:
		return nil, notFound("The user %s does not have the role %s.", userID, roleID)
	}
	delete(user.direct, roleID)
	return map[string]any{"deleted": true, "object": "user.role.deleted"}, nil
}

// LongRoleIDs has the answers about a user's roles name each by a longer ID than the list of roles does, one that is
// bound to the organization, as the live API was seen to. Both IDs are accepted.
func (o *Organization) LongRoleIDs(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.longIDs = on
}

func (o *Organization) longSuffix() string { return "__api-organization__" + o.id }

// answeredID is what answers about a user's roles call a role.
func (o *Organization) answeredID(roleID string) string {
	if !o.longIDs || strings.HasSuffix(roleID, o.longSuffix()) {
		return roleID
	}
	return roleID + o.longSuffix()
}

// role finds a role by either of its IDs.
func (o *Organization) role(id string) *Role {
	if role := o.roles[id]; role != nil || !o.longIDs {
		return role
	}
	return o.roles[strings.TrimSuffix(id, o.longSuffix())]
}
