package openaitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// The calls on users. o.mu is held in each; the result is the answer's body.

func (o *Organization) listUsers(query url.Values) (any, *refusal) {
	if no := onlyParameters(query, "limit", "after", "emails[]"); no != nil {
		return nil, no
	}
	limit, no := pageLimit(query, 100)
	if no != nil {
		return nil, no
	}
	start := 0
	if after, given := lone(query, "after"); given {
		last := o.users[after]
		if last == nil {
			return nil, badRequest("after", "Invalid cursor: no user with the ID '%s'.", after)
		}
		start = last.position + 1
	}
	wanted := map[string]bool{}
	for _, email := range query["emails[]"] {
		wanted[strings.ToLower(email)] = true
	}
	page := cursorPage{Object: "list", Data: []userJSON{}}
	for i, id := range o.order[start:] {
		user := o.users[id]
		// An entry elsewhere than at the user's position is of one who was removed, or replaced, since.
		if user == nil || user.position != start+i || len(wanted) > 0 && !wanted[strings.ToLower(user.Email)] {
			continue
		}
		if len(page.Data) == limit {
			page.HasMore = true
			break
		}
		page.Data = append(page.Data, userOf(user.User))
	}
	if len(page.Data) > 0 {
		page.FirstID, page.LastID = &page.Data[0].ID, &page.Data[len(page.Data)-1].ID
	}
	return page, nil
}

func (o *Organization) getUser(id string) (any, *refusal) {
	user := o.users[id]
	if user == nil {
		return nil, noSuchUser(id)
	}
	return userOf(user.User), nil
}

// userChange is the body of an update: absent, null or a string.
type userChange struct {
	Role             json.RawMessage `json:"role"`
	RoleID           json.RawMessage `json:"role_id"`
	DeveloperPersona json.RawMessage `json:"developer_persona"`
	TechnicalLevel   json.RawMessage `json:"technical_level"`
}

func (o *Organization) updateUser(id string, body []byte) (any, *refusal) {
	var change userChange
	if no := decode(body, &change); no != nil {
		return nil, no
	}
	user := o.users[id]
	if user == nil {
		return nil, noSuchUser(id)
	}
	after := user.User
	if no := setText(change.DeveloperPersona, "developer_persona", &after.DeveloperPersona); no != nil {
		return nil, no
	}
	if no := setText(change.TechnicalLevel, "technical_level", &after.TechnicalLevel); no != nil {
		return nil, no
	}
	role, assign, no := o.roleChange(change)
	if no != nil {
		return nil, no
	}
	if role != "" {
		if no := o.mayBecome(user, role); no != nil {
			return nil, no
		}
		after.Role = role
	}
	if assign != "" {
		user.direct[assign] = true
	}
	user.User = after
	return userOf(user.User), nil
}

// isEmpty says whether a field is "", which is neither a role nor null.
func isEmpty(field json.RawMessage) bool { return string(field) == `""` }

// roleChange reads role and role_id: the base role to set or the role to assign, if any.
func (o *Organization) roleChange(change userChange) (role, assign string, no *refusal) {
	var roleID string
	if no := setText(change.Role, "role", &role); no != nil {
		return "", "", no
	}
	if no := setText(change.RoleID, "role_id", &roleID); no != nil {
		return "", "", no
	}
	named := o.role(roleID)
	switch {
	case isEmpty(change.Role) || isEmpty(change.RoleID):
		return "", "", badRequest("role", "'role' and 'role_id' must not be empty; send null for no change.")
	case role != "" && roleID != "":
		return "", "", badRequest("role_id", "Only one of 'role' and 'role_id' may be given.")
	case roleID == "":
		return role, "", nil
	case named == nil:
		return "", "", badRequest("role_id", "Invalid 'role_id': no role with the ID '%s'.", roleID)
	case named.Predefined && slices.Contains([]string{"owner", "reader"}, named.Name):
		return named.Name, "", nil
	}
	return "", named.ID, assignable(named)
}

// mayBecome refuses a base role that the user cannot have.
func (o *Organization) mayBecome(user *member, role string) *refusal {
	switch {
	case role != "owner" && role != "reader":
		return badRequest("role", "Invalid 'role': expected one of 'owner' or 'reader', but got '%s' instead.", role)
	case user.IsSCIMManaged && role != user.Role:
		return badRequest("role", "The user is managed through SCIM; change the role with the identity provider.")
	case user.Role == "owner" && role != "owner" && o.owners() == 1:
		return badRequest("role", "The organization must keep at least one owner.")
	}
	return nil
}

// setText sets the target if the field is there: to the string, or to "" where it is null.
func setText(field json.RawMessage, name string, target *string) *refusal {
	if len(field) == 0 {
		return nil
	}
	var text *string
	if err := json.Unmarshal(field, &text); err != nil {
		return badRequest(name, "Invalid type for '%s': expected a string or null.", name)
	}
	*target = ""
	if text != nil {
		*target = *text
	}
	return nil
}

// decode takes exactly one JSON object with known fields.
func decode(body []byte, into any) *refusal {
	if no := onlyFields(body, into); no != nil {
		return no
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return unparsable(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return badRequest("", "The body of your request holds more than one JSON value.")
	}
	return nil
}

func unparsable(err error) *refusal {
	return badRequest("", "We could not parse the JSON body of your request: %s.", err)
}

// onlyFields refuses what encoding/json lets pass: null for an object, a field that is given twice, and one
// whose name differs in case.
func onlyFields(body []byte, into any) *refusal {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return badRequest("", "We could not parse the body of your request: it is not a JSON object.")
	}
	known := reflect.TypeOf(into).Elem()
	var seen []string
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return unparsable(err)
		}
		name, _ := token.(string)
		isKnown := false
		for field := range known.Fields() {
			isKnown = isKnown || field.Tag.Get("json") == name
		}
		if !isKnown {
			return badRequest(name, "Unknown parameter: '%s'.", name)
		}
		if slices.Contains(seen, name) {
			return badRequest(name, "Parameter '%s' is given twice.", name)
		}
		seen = append(seen, name)
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return unparsable(err)
		}
	}
	return nil
}

func (o *Organization) deleteUser(id string) (any, *refusal) {
	user := o.users[id]
	switch {
	case user == nil:
		return nil, noSuchUser(id)
	case user.IsSCIMManaged:
		return nil, badRequest("", "The user is managed through SCIM; remove them with the identity provider.")
	case user.IsDefault:
		return nil, badRequest("", "The default user of the organization cannot be deleted.")
	case user.Role == "owner" && o.owners() == 1:
		return nil, badRequest("", "The organization must keep at least one owner.")
	}
	o.remove(id)
	return map[string]any{"id": id, "deleted": true, "object": "organization.user.deleted"}, nil
}
