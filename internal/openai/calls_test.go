package openai

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEachCallSendsWhatTheReferenceSaysAndReadsTheAnswer(t *testing.T) {
	ada := User{
		ID: "user-1", Email: "ada@example.com", Name: "Ada", Role: "owner", DeveloperPersona: "builder",
		AddedAt: time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC), IsDefault: true, IsSCIMManaged: true,
	}
	auditor := RoleAssignment{RoleID: "role-1", RoleName: "Auditor", Inherited: true}
	listOf := func(item string) answer {
		return ok(`{"object":"list","data":[` + item + `],"has_more":false,"next":null}`)
	}
	type result struct {
		value any
		err   error
	}
	wrap := func(value any, err error) result { return result{value, err} }

	for name, test := range map[string]struct {
		call   func(context.Context, *Client) result
		answer answer
		want   seen
		value  any
	}{
		"list users": {
			func(ctx context.Context, c *Client) result { return wrap(c.ListUsers(ctx)) }, listOf(userJSON),
			seen{method: "GET", path: "/v1/organization/users", query: "limit=100"}, []User{ada},
		},
		"list users by email": {
			func(ctx context.Context, c *Client) result {
				return wrap(c.ListUsersByEmail(ctx, []string{"Ada@example.com", "x+y@example.com", "ADA@example.com", ""}))
			}, listOf(userJSON),
			seen{method: "GET", path: "/v1/organization/users", query: "emails%5B%5D=Ada%40example.com&emails%5B%5D=x%2By%40example.com&limit=100"}, []User{ada},
		},
		"get user": {
			func(ctx context.Context, c *Client) result { return wrap(c.GetUser(ctx, "user-1")) }, ok(userJSON),
			seen{method: "GET", path: "/v1/organization/users/user-1"}, ada,
		},
		"update user": {
			func(ctx context.Context, c *Client) result {
				return wrap(NewChanger(c).UpdateUser(ctx, "user-1", UserUpdate{Role: new("owner"), DeveloperPersona: new("builder"), TechnicalLevel: new("")}))
			}, ok(userJSON),
			seen{method: "POST", path: "/v1/organization/users/user-1", body: `{"developer_persona":"builder","role":"owner","technical_level":null}`}, ada,
		},
		"update one field of a user": {
			func(ctx context.Context, c *Client) result {
				return wrap(NewChanger(c).UpdateUser(ctx, "user-1", UserUpdate{RoleID: new("role-1")}))
			}, ok(userJSON),
			seen{method: "POST", path: "/v1/organization/users/user-1", body: `{"role_id":"role-1"}`}, ada,
		},
		"delete user": {
			func(ctx context.Context, c *Client) result { return wrap(nil, NewChanger(c).DeleteUser(ctx, "user-1")) },
			ok(`{"object":"organization.user.deleted","id":"user-1","deleted":true}`),
			seen{method: "DELETE", path: "/v1/organization/users/user-1"}, nil,
		},
		"list roles of user": {
			func(ctx context.Context, c *Client) result { return wrap(c.ListUserRoles(ctx, "user-1")) }, listOf(assignmentJSON),
			seen{method: "GET", path: "/v1/organization/users/user-1/roles", query: "limit=1000&order=asc"}, []RoleAssignment{auditor},
		},
		"assign role": {
			func(ctx context.Context, c *Client) result {
				return wrap(NewChanger(c).AssignRole(ctx, "user-1", "role-1"))
			},
			ok(`{"object":"user.role","role":` + roleJSON + `,"user":` + userJSON + `}`),
			seen{method: "POST", path: "/v1/organization/users/user-1/roles", body: `{"role_id":"role-1"}`}, "role-1",
		},
		"get role of user": {
			func(ctx context.Context, c *Client) result { return wrap(c.GetUserRole(ctx, "user-1", "role-1")) }, ok(assignmentJSON),
			seen{method: "GET", path: "/v1/organization/users/user-1/roles/role-1"}, auditor,
		},
		"unassign role": {
			func(ctx context.Context, c *Client) result {
				return wrap(nil, NewChanger(c).UnassignRole(ctx, "user-1", "role-1"))
			},
			ok(`{"object":"user.role.deleted","deleted":true}`),
			seen{method: "DELETE", path: "/v1/organization/users/user-1/roles/role-1"}, nil,
		},
		"list roles": {
			func(ctx context.Context, c *Client) result { return wrap(c.ListRoles(ctx)) }, listOf(roleJSON),
			seen{method: "GET", path: "/v1/organization/roles", query: "limit=1000&order=asc"},
			[]Role{{ID: "role-1", Name: "Auditor", ResourceType: "api.organization"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, api := newMemoryClient(t, answers(test.answer))
			got := test.call(t.Context(), client)
			if got.err != nil {
				t.Fatal(got.err)
			}
			if diff := cmp.Diff(test.value, got.value); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			test.want.authorization = "Bearer " + testKey
			if diff := cmp.Diff([]seen{test.want}, api.requests(), cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNullsOfAUserAreEmpty(t *testing.T) {
	client, _ := newMemoryClient(t, answers(ok(`{"id":"user-1","object":"organization.user","added_at":0,"email":null,"name":null,"role":null,"developer_persona":null,"technical_level":null,"projects":null,"user":{"id":"u","object":"user","email":"ada@example.com","name":"Ada"}}`)))
	got, err := client.GetUser(t.Context(), "user-1")
	if err != nil {
		t.Fatal(err)
	}
	want := User{ID: "user-1", AddedAt: time.Unix(0, 0).UTC(), Email: "ada@example.com", Name: "Ada"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAddedAtIsATimeThatKubernetesCanStoreOrNone(t *testing.T) {
	for value, want := range map[string]time.Time{
		"0":                   time.Unix(0, 0).UTC(),
		"1700000000":          time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC),
		"1700000000123":       time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC),
		"253402300799":        time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"253402300800":        time.Date(1978, 1, 11, 21, 31, 40, 0, time.UTC),
		"253402300799999":     {},
		"9223372036854775807": {},
		"-1":                  {},
	} {
		client, _ := newMemoryClient(t, answers(ok(strings.Replace(userJSON, "1700000000", value, 1))))
		user, err := client.GetUser(t.Context(), "user-1")
		if err != nil || !user.AddedAt.Equal(want) {
			t.Errorf("%s: got %s, %v, want %s", value, user.AddedAt, err, want)
		}
		if _, err := user.AddedAt.MarshalJSON(); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestARoleWithoutSourcesIsNotInherited(t *testing.T) {
	for _, sources := range []string{`[]`, `null`} {
		client, _ := newMemoryClient(t, answers(ok(strings.Replace(assignmentJSON, `[{"principal_id":"group-1","principal_type":"group"}]`, sources, 1))))
		got, err := client.GetUserRole(t.Context(), "user-1", "role-1")
		if err != nil || got.Inherited {
			t.Errorf("sources %s: got %+v, %v", sources, got, err)
		}
	}
}

func TestAnIDThatCouldMeanAnotherPathIsRefusedWithoutACall(t *testing.T) {
	for _, id := range []string{"", ".", "..", "../roles", "a/b", `a\b`, "a%2Fb", "a?b", "a#b", "a b", "a\n", "a..b", "ä", strings.Repeat("x", 257)} {
		client, api := newMemoryClient(t, answers(ok(userJSON)))
		for name, call := range map[string]func() error{
			"get user": func() error { _, err := client.GetUser(t.Context(), id); return err },
			"update user": func() error {
				_, err := NewChanger(client).UpdateUser(t.Context(), id, UserUpdate{Role: new("owner")})
				return err
			},
			"delete user":        func() error { return NewChanger(client).DeleteUser(t.Context(), id) },
			"list roles of user": func() error { _, err := client.ListUserRoles(t.Context(), id); return err },
			"assign role, user":  func() error { _, err := NewChanger(client).AssignRole(t.Context(), id, "role-1"); return err },
			"assign role":        func() error { _, err := NewChanger(client).AssignRole(t.Context(), "user-1", id); return err },
			"get role of user":   func() error { _, err := client.GetUserRole(t.Context(), "user-1", id); return err },
			"unassign role":      func() error { return NewChanger(client).UnassignRole(t.Context(), "user-1", id) },
		} {
			if err := call(); !IsRejected(err) || IsNotFound(err) || IsTransient(err) {
				t.Errorf("%s %q: got %v, want a rejection", name, id, err)
			}
		}
		if n := len(api.requests()); n != 0 {
			t.Errorf("%q: %d requests were sent", id, n)
		}
	}
}

func TestAnUpdateThatMakesNoSenseIsRefusedWithoutACall(t *testing.T) {
	for name, update := range map[string]UserUpdate{
		"nothing":       {},
		"both roles":    {Role: new("owner"), RoleID: new("role-1")},
		"no role":       {Role: new("")},
		"no role by ID": {RoleID: new("")},
	} {
		client, api := newMemoryClient(t, answers(ok(userJSON)))
		if _, err := NewChanger(client).UpdateUser(t.Context(), "user-1", update); !IsRejected(err) {
			t.Errorf("%s: got %v, want a rejection", name, err)
		}
		if n := len(api.requests()); n != 0 {
			t.Errorf("%s: %d requests were sent", name, n)
		}
	}
}

func TestManyAddressesAreAskedForInFewCalls(t *testing.T) {
	addresses := func(n, length int) []string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%0*d@example.com", length-len("@example.com"), i))
		}
		return all
	}
	for name, test := range map[string]struct {
		emails []string
		calls  []int
		found  int
	}{
		"none":              {nil, nil, 0},
		"a page":            {addresses(100, 25), []int{100}, 100},
		"a page and one":    {addresses(101, 25), []int{100, 1}, 101},
		"very long ones":    {addresses(100, 254), []int{22, 22, 22, 22, 12}, 100},
		"one alone too big": {[]string{strings.Repeat("x", 9000) + "@example.com"}, []int{1}, 0}, // no address is so long
	} {
		t.Run(name, func(t *testing.T) {
			var calls []int
			client, _ := newMemoryClient(t, func(_ int, r *http.Request) answer {
				asked := r.URL.Query()["emails[]"]
				calls = append(calls, len(asked))
				var users []string
				for _, email := range asked {
					users = append(users, fmt.Sprintf(`{"id":"user-%d","object":"organization.user","added_at":1,"email":%q}`, len(calls)*1000+len(users), strings.ToUpper(email)))
				}
				// Somebody nobody asked for, as from a server without the filter.
				users = append(users, userJSON)
				return ok(`{"object":"list","data":[` + strings.Join(users, ",") + `],"has_more":false}`)
			})
			users, err := client.ListUsersByEmail(t.Context(), test.emails)
			if err != nil || len(users) != test.found {
				t.Errorf("got %d users and %v, want %d", len(users), err, test.found)
			}
			if diff := cmp.Diff(test.calls, calls); diff != "" {
				t.Errorf("addresses a call (-want +got):\n%s", diff)
			}
		})
	}
}
