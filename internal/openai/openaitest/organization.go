package openaitest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Organization is the state. Its exported methods are what a person does by hand outside of the API: they
// are not in the journal. It is safe for concurrent use.
type Organization struct {
	id string

	mu      sync.Mutex
	order   []string // user IDs as they were added
	users   map[string]*member
	roles   map[string]*Role
	added   int // users and roles so far, for IDs
	keys    map[string]bool
	key     string
	faults  []*fault
	journal []Call
	asked   int // requests so far, for request IDs
	limit   rateLimit
	limits  map[string]*endpointLimit // by method and endpoint
	longIDs bool
	latency time.Duration
	during  func(Call)
	arrived func(Call)
	watch   func(Call)
}

type member struct {
	User
	position int // in order, at most; entries before it may have gone
	direct   map[string]bool
	// inherited has the groups from which the user has a role, by role ID.
	inherited map[string][]string
}

// New returns an organization with the two predefined roles and nobody in it.
func New(id, adminKey string) *Organization {
	o := &Organization{
		id: id, key: adminKey, keys: map[string]bool{adminKey: true},
		users: map[string]*member{}, roles: map[string]*Role{}, limits: map[string]*endpointLimit{},
	}
	for _, name := range []string{"owner", "reader"} {
		o.roles[o.predefinedID(name)] = &Role{
			ID: o.predefinedID(name), Name: name, Predefined: true, ResourceType: organizationResource,
			Description: "The predefined role " + name + ".", Permissions: []string{"api.organization." + name},
		}
	}
	return o
}

const organizationResource = "api.organization"

func (o *Organization) predefinedID(name string) string {
	return fmt.Sprintf("role-api-organization-%s__api-organization__%s", name, o.id)
}

// ID is the organization's ID.
func (o *Organization) ID() string { return o.id }

// AdminKey is the key that was set last.
func (o *Organization) AdminKey() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.key
}

// RotateKey has the organization accept this key and no other.
func (o *Organization) RotateKey(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.key, o.keys = key, map[string]bool{key: true}
}

// AddKey has the organization accept this key too.
func (o *Organization) AddKey(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys[key] = true
}

// AddUser adds a user and returns their ID.
func (o *Organization) AddUser(user User) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.added++
	if user.ID == "" {
		user.ID = fmt.Sprintf("user-%s%04d", slug(cmp.Or(user.Name, user.Email)), o.added)
	}
	if user.AddedAt.IsZero() {
		user.AddedAt = time.Now()
	}
	o.users[user.ID] = &member{User: user, position: len(o.order), direct: map[string]bool{}, inherited: map[string][]string{}}
	o.order = append(o.order, user.ID)
	return user.ID
}

// slug makes a piece of an ID that people can tell.
func slug(text string) string {
	text, _, _ = strings.Cut(strings.ToLower(text), "@")
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
}

// RemoveUser takes a user out. It reports whether there was one.
func (o *Organization) RemoveUser(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.remove(id)
}

func (o *Organization) remove(id string) bool {
	if _, ok := o.users[id]; !ok {
		return false
	}
	delete(o.users, id)
	return true
}

// EditUser changes a user. It reports whether there was one.
func (o *Organization) EditUser(id string, edit func(*User)) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	user, ok := o.users[id]
	if ok {
		edit(&user.User)
	}
	return ok
}

// SetRole sets a user's role. It reports whether there was one.
func (o *Organization) SetRole(id, role string) bool {
	return o.EditUser(id, func(user *User) { user.Role = role })
}

// SetEmail renames a user. It reports whether there was one.
func (o *Organization) SetEmail(id, email string) bool {
	return o.EditUser(id, func(user *User) { user.Email = email })
}

// AddRole adds a role and returns its ID.
func (o *Organization) AddRole(role Role) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.added++
	if role.ID == "" {
		role.ID = fmt.Sprintf("role_%s%04d", slug(role.Name), o.added)
	}
	role.ResourceType = cmp.Or(role.ResourceType, organizationResource)
	o.roles[role.ID] = &role
	return role.ID
}

// AssignRole assigns a role directly.
func (o *Organization) AssignRole(userID, roleID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	user := o.users[userID]
	if user == nil || o.roles[roleID] == nil {
		return false
	}
	user.direct[roleID] = true
	return true
}

// UnassignRole takes a direct assignment away.
func (o *Organization) UnassignRole(userID, roleID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	user := o.users[userID]
	if user == nil || !user.direct[roleID] {
		return false
	}
	delete(user.direct, roleID)
	return true
}

// AddInheritedRole gives a role through a group.
func (o *Organization) AddInheritedRole(userID, roleID, groupID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	user := o.users[userID]
	if user == nil || o.roles[roleID] == nil || slices.Contains(user.inherited[roleID], groupID) {
		return false
	}
	user.inherited[roleID] = append(user.inherited[roleID], groupID)
	return true
}

// RemoveInheritedRole ends what AddInheritedRole gave.
func (o *Organization) RemoveInheritedRole(userID, roleID, groupID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	user := o.users[userID]
	if user == nil || !slices.Contains(user.inherited[roleID], groupID) {
		return false
	}
	user.inherited[roleID] = slices.DeleteFunc(user.inherited[roleID], func(g string) bool { return g == groupID })
	if len(user.inherited[roleID]) == 0 {
		delete(user.inherited, roleID)
	}
	return true
}

// Member is a user and the roles beyond the predefined one, by name.
type Member struct {
	User
	Direct    []string `json:"direct,omitempty"`
	Inherited []string `json:"inherited,omitempty"`
}

// Members returns everybody in the order in which they were added.
func (o *Organization) Members() []Member {
	o.mu.Lock()
	defer o.mu.Unlock()
	var members []Member
	for _, user := range o.listed() {
		m := Member{User: user.User}
		for id := range user.direct {
			m.Direct = append(m.Direct, o.roles[id].Name)
		}
		for id := range user.inherited {
			m.Inherited = append(m.Inherited, o.roles[id].Name)
		}
		slices.Sort(m.Direct)
		slices.Sort(m.Inherited)
		members = append(members, m)
	}
	return members
}

// Roles returns the roles by name, the predefined ones first.
func (o *Organization) Roles() []Role {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sortedRoles()
}

func (o *Organization) sortedRoles() []Role {
	var roles []Role
	for _, role := range o.roles {
		roles = append(roles, *role)
	}
	slices.SortFunc(roles, compareRoles)
	return roles
}

func compareRoles(a, b Role) int {
	if a.Predefined != b.Predefined {
		if a.Predefined {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

// Owners is the number of owners.
func (o *Organization) Owners() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.owners()
}

func (o *Organization) owners() int {
	owners := 0
	for _, user := range o.users {
		if user.Role == "owner" {
			owners++
		}
	}
	return owners
}

// listed returns the users in order, and closes the gaps that removals left once they are many. o.mu is held.
func (o *Organization) listed() []*member {
	if len(o.order) > 2*len(o.users)+16 {
		kept := make([]string, 0, len(o.users))
		for i, id := range o.order {
			if user := o.users[id]; user != nil && user.position == i {
				user.position = len(kept)
				kept = append(kept, id)
			}
		}
		o.order = kept
	}
	users := make([]*member, 0, len(o.users))
	for i, id := range o.order {
		if user := o.users[id]; user != nil && user.position == i {
			users = append(users, user)
		}
	}
	return users
}
