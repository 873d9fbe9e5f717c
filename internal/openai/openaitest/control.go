package openaitest

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
)

// Person is a member in the control API.
type Person struct {
	ID               string   `json:"id,omitempty"`
	Email            string   `json:"email,omitempty"`
	Name             string   `json:"name,omitempty"`
	Role             string   `json:"role,omitempty"`
	DeveloperPersona string   `json:"developer_persona,omitempty"`
	TechnicalLevel   string   `json:"technical_level,omitempty"`
	ServiceAccount   bool     `json:"service_account,omitempty"`
	SCIMManaged      bool     `json:"scim_managed,omitempty"`
	Roles            []string `json:"roles,omitempty"`
	InheritedRoles   []string `json:"inherited_roles,omitempty"`
}

// Edit is a change by hand in the control API. What is not set stays.
type Edit struct {
	Email            *string `json:"email,omitempty"`
	Role             *string `json:"role,omitempty"`
	DeveloperPersona *string `json:"developer_persona,omitempty"`
	TechnicalLevel   *string `json:"technical_level,omitempty"`
	// AssignRole and UnassignRole name a role by name or ID.
	AssignRole   string `json:"assign_role,omitempty"`
	UnassignRole string `json:"unassign_role,omitempty"`
}

// Control is the other side of a simulated organization: what a person does by hand, faults, and the journal.
// It has no credentials and belongs on loopback addresses only.
//
//	GET    /sim/healthz
//	GET    /sim/users            the members
//	POST   /sim/users            add a Person
//	PATCH  /sim/users/{who}      change by an Edit; who is an ID or an email
//	DELETE /sim/users/{who}
//	GET    /sim/roles
//	POST   /sim/roles            add a Role
//	GET    /sim/journal          every Call
//	DELETE /sim/journal
//	POST   /sim/faults           add a Fault
//	DELETE /sim/faults
//	PUT    /sim/limits           set a Limit of an endpoint; per_minute 0 ends it
//	DELETE /sim/limits           end them all
//	PUT    /sim/long-role-ids    {"on": true}: see LongRoleIDs
//	PUT    /sim/key              {"key": "sk-admin-..."}: accept this key and no other
func (o *Organization) Control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, run func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := run(r)
			status := http.StatusOK
			if err != nil {
				status, answer = http.StatusBadRequest, map[string]string{"error": err.Error()}
				if errors.Is(err, errNobody) {
					status = http.StatusNotFound
				}
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client went away
		})
	}
	done := map[string]bool{"ok": true}
	handle("GET /sim/healthz", func(*http.Request) (any, error) { return done, nil })
	handle("GET /sim/users", func(*http.Request) (any, error) { return o.persons(), nil })
	handle("POST /sim/users", o.addPerson)
	handle("PATCH /sim/users/{who}", o.editPerson)
	handle("DELETE /sim/users/{who}", func(r *http.Request) (any, error) {
		id, err := o.who(r)
		if err == nil {
			o.RemoveUser(id)
		}
		return done, err
	})
	handle("GET /sim/roles", func(*http.Request) (any, error) { return o.Roles(), nil })
	handle("POST /sim/roles", func(r *http.Request) (any, error) {
		var role Role
		if err := body(r, &role); err != nil {
			return nil, err
		}
		return map[string]string{"id": o.AddRole(role)}, nil
	})
	handle("GET /sim/journal", func(*http.Request) (any, error) { return o.Journal(), nil })
	handle("DELETE /sim/journal", func(*http.Request) (any, error) { o.ResetJournal(); return done, nil })
	handle("POST /sim/faults", func(r *http.Request) (any, error) {
		var fault Fault
		if err := body(r, &fault); err != nil {
			return nil, err
		}
		if err := fault.check(); err != nil {
			return nil, err
		}
		o.Fail(fault)
		return done, nil
	})
	handle("DELETE /sim/faults", func(*http.Request) (any, error) { o.ClearFaults(); return done, nil })
	o.controlLimits(handle)
	handle("PUT /sim/key", func(r *http.Request) (any, error) { return done, o.replaceKey(r) })
	return mux
}

// controlLimits adds what has calls answered otherwise, for as long as it is so.
func (o *Organization) controlLimits(handle func(pattern string, run func(*http.Request) (any, error))) {
	done := map[string]bool{"ok": true}
	handle("PUT /sim/limits", func(r *http.Request) (any, error) {
		var limit Limit
		if err := body(r, &limit); err != nil {
			return nil, err
		}
		if err := limit.check(); err != nil {
			return nil, err
		}
		o.Limit(limit)
		return done, nil
	})
	handle("DELETE /sim/limits", func(*http.Request) (any, error) { o.ClearLimits(); return done, nil })
	handle("PUT /sim/long-role-ids", func(r *http.Request) (any, error) {
		var wanted struct {
			On bool `json:"on"`
		}
		if err := body(r, &wanted); err != nil {
			return nil, err
		}
		o.LongRoleIDs(wanted.On)
		return done, nil
	})
}

// check refuses a fault that would do nothing or stop the server.
func (f Fault) check() error {
	_, badPattern := path.Match(f.Path, "")
	switch {
	case badPattern != nil || f.Path != "" && !strings.HasPrefix(f.Path, "/"):
		return errors.New("path must be a pattern such as /organization/users/*, without /v1")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599) && !(f.HTML && f.Status == http.StatusOK):
		return errors.New("status must be from 400 to 599, or 200 with html")
	case f.Drop != "" && f.Drop != DropBefore && f.Drop != DropAfter:
		return errors.New("drop must be before or after")
	case f.Status == 0 && !f.HTML && f.Drop == "" && !f.Truncate && f.Latency <= 0:
		return errors.New("the fault does nothing: give status, html, drop, truncate or latency")
	}
	return nil
}

func (o *Organization) replaceKey(r *http.Request) error {
	var wanted struct {
		Key string `json:"key"`
	}
	if err := body(r, &wanted); err != nil {
		return err
	}
	if !strings.HasPrefix(wanted.Key, "sk-admin-") {
		return errors.New("an admin key begins with sk-admin-")
	}
	o.RotateKey(wanted.Key)
	return nil
}

var errNobody = errors.New("nobody has this ID or email")

func body(r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func (o *Organization) who(r *http.Request) (string, error) {
	who := r.PathValue("who")
	for _, m := range o.Members() {
		if m.ID == who || strings.EqualFold(m.Email, who) && m.Email != "" {
			return m.ID, nil
		}
	}
	return "", errNobody
}

func (o *Organization) persons() []Person {
	persons := []Person{}
	for _, m := range o.Members() {
		persons = append(persons, Person{
			ID: m.ID, Email: m.Email, Name: m.Name, Role: m.Role, DeveloperPersona: m.DeveloperPersona, TechnicalLevel: m.TechnicalLevel,
			ServiceAccount: m.IsServiceAccount, SCIMManaged: m.IsSCIMManaged, Roles: m.Direct, InheritedRoles: m.Inherited,
		})
	}
	return persons
}

func (o *Organization) addPerson(r *http.Request) (any, error) {
	var p Person
	if err := body(r, &p); err != nil {
		return nil, err
	}
	id := o.AddUser(User{
		ID: p.ID, Email: p.Email, Name: p.Name, Role: cmp.Or(p.Role, "reader"), DeveloperPersona: p.DeveloperPersona,
		TechnicalLevel: p.TechnicalLevel, IsServiceAccount: p.ServiceAccount, IsSCIMManaged: p.SCIMManaged,
	})
	return map[string]string{"id": id}, nil
}

func (o *Organization) editPerson(r *http.Request) (any, error) {
	var edit Edit
	if err := body(r, &edit); err != nil {
		return nil, err
	}
	id, err := o.who(r)
	if err != nil {
		return nil, err
	}
	if edit.Role != nil && !slices.Contains([]string{"owner", "reader"}, *edit.Role) {
		return nil, errors.New("role must be owner or reader")
	}
	o.EditUser(id, func(user *User) {
		set := func(target, value *string) {
			if value != nil {
				*target = *value
			}
		}
		set(&user.Email, edit.Email)
		set(&user.Role, edit.Role)
		set(&user.DeveloperPersona, edit.DeveloperPersona)
		set(&user.TechnicalLevel, edit.TechnicalLevel)
	})
	if err := o.byName(edit.AssignRole, func(roleID string) bool { return o.AssignRole(id, roleID) }); err != nil {
		return nil, err
	}
	return map[string]bool{"ok": true}, o.byName(edit.UnassignRole, func(roleID string) bool { return o.UnassignRole(id, roleID) })
}

func (o *Organization) byName(role string, run func(roleID string) bool) error {
	if role == "" {
		return nil
	}
	for _, known := range o.Roles() {
		if known.Name == role || known.ID == role {
			if !run(known.ID) {
				return errors.New("nothing to do: the user's assignment of " + role + " is as wanted")
			}
			return nil
		}
	}
	return errors.New("no role has the name or ID " + role)
}
