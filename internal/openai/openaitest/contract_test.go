package openaitest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// These tests hold the simulated organization against the reference by way of the official SDK, without
// rollcall's client, which was written by the same hand as the rest of rollcall.

// shape is what the reference says about a value: a type, and whether it is Optional.
type shape struct {
	kind   string // string, integer, boolean, object, list or free (an object with any fields)
	null   bool
	fields map[string]shape // of an object
	items  *shape           // of a list
	is     string           // the only value of a string, if there is one
}

func literal(value string) shape           { return shape{kind: "string", is: value} }
func object(fields map[string]shape) shape { return shape{kind: "object", fields: fields} }
func listOf(item shape) shape              { return shape{kind: "list", items: &item} }
func optional(s shape) shape               { s.null = true; return s }

var (
	text, integer, boolean = shape{kind: "string"}, shape{kind: "integer"}, shape{kind: "boolean"}
	free                   = shape{kind: "free"}

	// userShape is OrganizationUser in the reference.
	userShape = object(map[string]shape{
		"id": text, "added_at": integer, "object": literal("organization.user"),
		"api_key_last_used_at": optional(integer), "created": optional(integer), "developer_persona": optional(text),
		"email": optional(text), "is_default": optional(boolean), "is_scale_tier_authorized_purchaser": optional(boolean),
		"is_scim_managed": optional(boolean), "is_service_account": optional(boolean), "name": optional(text),
		"projects": optional(object(map[string]shape{
			"object": literal("list"),
			"data":   listOf(object(map[string]shape{"id": optional(text), "name": optional(text), "role": optional(text)})),
		})),
		"role": optional(text), "technical_level": optional(text),
		"user": optional(object(map[string]shape{
			"id": text, "object": literal("user"), "banned": optional(boolean), "banned_at": optional(integer),
			"email": optional(text), "enabled": optional(boolean), "name": optional(text), "picture": optional(text),
		})),
	})
	roleShape = object(map[string]shape{
		"id": text, "description": optional(text), "name": text, "object": literal("role"),
		"permissions": listOf(text), "predefined_role": boolean, "resource_type": text,
	})
	// assignmentShape is RoleListResponse and RoleRetrieveResponse.
	assignmentShape = object(map[string]shape{
		"id":                 text,
		"assignment_sources": optional(listOf(object(map[string]shape{"principal_id": text, "principal_type": text}))),
		"created_at":         optional(integer), "created_by": optional(text), "created_by_user_obj": optional(free),
		"description": optional(text), "metadata": optional(free), "name": text, "permissions": listOf(text),
		"predefined_role": boolean, "resource_type": text, "updated_at": optional(integer),
	})
	userPageShape = object(map[string]shape{
		"object": literal("list"), "data": listOf(userShape), "has_more": boolean,
		"first_id": optional(text), "last_id": optional(text),
	})
)

func nextPageShape(item shape) shape {
	return object(map[string]shape{"object": literal("list"), "data": listOf(item), "has_more": boolean, "next": optional(text)})
}

// faults says everything in which a value differs from the shape: a field too few or too many, or another type.
func (s shape) faults(at string, value any) []string {
	if value == nil {
		if s.null {
			return nil
		}
		return []string{at + " is null"}
	}
	switch s.kind {
	case "object":
		fields, ok := value.(map[string]any)
		if !ok {
			return []string{at + " is no object"}
		}
		var all []string
		for name, want := range s.fields {
			if got, there := fields[name]; there {
				all = append(all, want.faults(at+"."+name, got)...)
			} else {
				all = append(all, at+"."+name+" is missing")
			}
		}
		for name := range fields {
			if _, known := s.fields[name]; !known {
				all = append(all, at+"."+name+" is not in the reference")
			}
		}
		return all
	case "list":
		items, ok := value.([]any)
		if !ok {
			return []string{at + " is no list"}
		}
		var all []string
		for i, item := range items {
			all = append(all, s.items.faults(fmt.Sprintf("%s[%d]", at, i), item)...)
		}
		return all
	}
	if !s.holds(value) {
		return []string{fmt.Sprintf("%s is %v, which is no %s %s", at, value, s.kind, s.is)}
	}
	return nil
}

func (s shape) holds(value any) bool {
	switch v := value.(type) {
	case string:
		return s.kind == "string" && (s.is == "" || s.is == v)
	case float64:
		return s.kind == "integer" && v == math.Trunc(v)
	case bool:
		return s.kind == "boolean"
	case map[string]any:
		return s.kind == "free"
	}
	return false
}

func expectShape(t *testing.T, call, raw string, want shape) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(raw), &value); err != nil {
		t.Errorf("%s: %v", call, err)
		return
	}
	differences := want.faults("answer", value)
	slices.Sort(differences)
	for _, difference := range differences {
		t.Errorf("%s: %s", call, difference)
	}
}

// newDemo serves the demo's people and gives the SDK's users and roles of it, without retries.
func newDemo(t *testing.T) (*openaitest.Server, openai.AdminOrganizationService) {
	t.Helper()
	server := openaitest.NewServer(openaitest.WithOrganizationID("org-demo"))
	t.Cleanup(server.Close)
	server.SeedDemo()
	return server, sdkOf(server, server.AdminKey())
}

func sdkOf(server *openaitest.Server, key string) openai.AdminOrganizationService {
	client := openai.NewClient(option.WithBaseURL(server.URL()), option.WithAdminAPIKey(key), option.WithMaxRetries(0))
	return client.Admin.Organization
}

func TestEveryCallOfTheSDKIsAnsweredWithEveryFieldOfTheReference(t *testing.T) {
	server, api := newDemo(t)
	ctx := t.Context()
	const alan, evals = "user-alanturing", "role_evals"
	ok := func(call string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
	}

	users, err := api.Users.List(ctx, openai.AdminOrganizationUserListParams{Limit: param.NewOpt[int64](100)})
	ok("list users", err)
	expectShape(t, "list users", users.RawJSON(), userPageShape)
	if len(users.Data) < 30 || users.HasMore {
		t.Errorf("list users: %d people, has_more %t", len(users.Data), users.HasMore)
	}

	server.SetEmail(alan, "Alan.Turing@example.com")
	some, err := api.Users.List(ctx, openai.AdminOrganizationUserListParams{Emails: []string{"aLAN.turing@Example.com", "nobody@example.com"}})
	ok("list users by email", err)
	expectShape(t, "list users by email", some.RawJSON(), userPageShape)
	if len(some.Data) != 1 || some.Data[0].ID != alan {
		t.Errorf("list users by email: %+v", some.Data)
	}

	got, err := api.Users.Get(ctx, alan)
	ok("get user", err)
	expectShape(t, "get user", got.RawJSON(), userShape)
	if !got.JSON.AddedAt.Valid() || !got.JSON.Email.Valid() || !got.JSON.Role.Valid() || got.JSON.DeveloperPersona.Valid() {
		t.Errorf("get user: what is set and what is null is not told apart: %s", got.RawJSON())
	}

	updated, err := api.Users.Update(ctx, alan, openai.AdminOrganizationUserUpdateParams{
		Role: param.NewOpt("owner"), DeveloperPersona: param.NewOpt("research"), TechnicalLevel: param.Null[string](),
	})
	ok("update user", err)
	expectShape(t, "update user", updated.RawJSON(), userShape)
	if updated.Role != "owner" || updated.DeveloperPersona != "research" || updated.JSON.TechnicalLevel.Valid() {
		t.Errorf("update user: %s", updated.RawJSON())
	}

	assigned, err := api.Users.Roles.New(ctx, alan, openai.AdminOrganizationUserRoleNewParams{RoleID: evals})
	ok("assign role", err)
	expectShape(t, "assign role", assigned.RawJSON(), object(map[string]shape{"object": literal("user.role"), "role": roleShape, "user": userShape}))

	held, err := api.Users.Roles.List(ctx, alan, openai.AdminOrganizationUserRoleListParams{Limit: param.NewOpt[int64](1000), Order: "asc"})
	ok("list roles of user", err)
	expectShape(t, "list roles of user", held.RawJSON(), nextPageShape(assignmentShape))
	if len(held.Data) != 2 || held.Data[0].Name != "owner" || !held.Data[0].PredefinedRole || held.Data[0].ResourceType != "api.organization" {
		t.Errorf("list roles of user: %s", held.RawJSON())
	}
	if want := "role-api-organization-owner__api-organization__org-demo"; held.Data[0].ID != want {
		t.Errorf("the predefined role has the ID %s instead of %s", held.Data[0].ID, want)
	}

	one, err := api.Users.Roles.Get(ctx, alan, evals)
	ok("get role of user", err)
	expectShape(t, "get role of user", one.RawJSON(), assignmentShape)
	if !one.JSON.Metadata.Valid() || !one.JSON.CreatedAt.Valid() || len(one.AssignmentSources) != 0 {
		t.Errorf("get role of user: %s", one.RawJSON())
	}

	inherited, err := api.Users.Roles.Get(ctx, "user-radiaperlman", "role_usage")
	ok("get inherited role", err)
	expectShape(t, "get inherited role", inherited.RawJSON(), assignmentShape)
	if len(inherited.AssignmentSources) != 1 || inherited.AssignmentSources[0].PrincipalID != "group-finance" {
		t.Errorf("get inherited role: %s", inherited.RawJSON())
	}

	unassigned, err := api.Users.Roles.Delete(ctx, alan, evals)
	ok("unassign role", err)
	expectShape(t, "unassign role", unassigned.RawJSON(), object(map[string]shape{"object": literal("user.role.deleted"), "deleted": boolean}))

	offered, err := api.Roles.List(ctx, openai.AdminOrganizationRoleListParams{Limit: param.NewOpt[int64](1000)})
	ok("list roles", err)
	expectShape(t, "list roles", offered.RawJSON(), nextPageShape(roleShape))
	if len(offered.Data) != 5 {
		t.Errorf("list roles: %s", offered.RawJSON())
	}

	deleted, err := api.Users.Delete(ctx, alan)
	ok("delete user", err)
	expectShape(t, "delete user", deleted.RawJSON(), object(map[string]shape{
		"object": literal("organization.user.deleted"), "id": literal(alan), "deleted": boolean,
	}))

	if n := len(server.Mutations()); n != 4 {
		t.Errorf("%d calls changed something instead of the update, the two of the role and the removal", n)
	}
}

func TestTheShapesTellWhatIsNotInTheReference(t *testing.T) {
	for want, raw := range map[string]string{
		"answer.deleted is missing":               `{"object":"user.role.deleted"}`,
		"answer.more is not in the reference":     `{"object":"user.role.deleted","deleted":true,"more":1}`,
		"answer.deleted is 1, which is no":        `{"object":"user.role.deleted","deleted":1}`,
		"answer.object is x, which is no string ": `{"object":"x","deleted":true}`,
		"answer.deleted is null":                  `{"object":"user.role.deleted","deleted":null}`,
	} {
		var value any
		if err := json.Unmarshal([]byte(raw), &value); err != nil {
			t.Fatal(err)
		}
		got := object(map[string]shape{"object": literal("user.role.deleted"), "deleted": boolean}).faults("answer", value)
		if len(got) != 1 || len(got[0]) < len(want) || got[0][:len(want)] != want {
			t.Errorf("%s: %q instead of %q", raw, got, want)
		}
	}
}

func TestTheSDKsPagersSeeEverybodyOnceAndInOrder(t *testing.T) {
	server, api := newDemo(t)
	var want, got []string
	for _, member := range server.Members() {
		want = append(want, member.ID)
	}
	pages := api.Users.ListAutoPaging(t.Context(), openai.AdminOrganizationUserListParams{Limit: param.NewOpt[int64](7)})
	for pages.Next() {
		got = append(got, pages.Current().ID)
	}
	if err := pages.Err(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %v instead of %v", err, got, want)
	}

	for i := range 11 {
		server.AssignRole("user-alanturing", server.AddRole(openaitest.Role{Name: fmt.Sprintf("role-%02d", i)}))
	}
	var orders [2][]string
	for i, order := range []openai.AdminOrganizationUserRoleListParamsOrder{"asc", "desc"} {
		roles := api.Users.Roles.ListAutoPaging(t.Context(), "user-alanturing",
			openai.AdminOrganizationUserRoleListParams{Limit: param.NewOpt[int64](4), Order: order})
		for roles.Next() {
			orders[i] = append(orders[i], roles.Current().Name)
		}
		if err := roles.Err(); err != nil {
			t.Error(err)
		}
	}
	slices.Reverse(orders[1])
	if len(orders[0]) != 12 || !slices.Equal(orders[0], orders[1]) {
		t.Errorf("ascending %v, descending reversed %v", orders[0], orders[1])
	}
}
