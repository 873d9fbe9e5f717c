package openai

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// A server of somebody's own may say anything: what is kept of it must not fill the memory that all share.

func TestAListWithoutAnEndIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, api := newMemoryClient(t, func(n int, _ *http.Request) answer {
			if n > 6000 {
				t.Fatal("it reads on and on")
			}
			var users []string
			for i := range 100 {
				users = append(users, fmt.Sprintf(`{"id":"u%d-%d","object":"organization.user","added_at":1}`, n, i))
			}
			return ok(fmt.Sprintf(`{"object":"list","data":[%s],"has_more":true,"last_id":"u%d"}`, strings.Join(users, ","), n))
		})
		if users, err := client.ListUsers(t.Context()); !IsTransient(err) || users != nil {
			t.Errorf("got %d users, %v, want a transient error", len(users), err)
		}
		if n := len(api.requests()); n < 3000 {
			t.Errorf("given up after %d pages", n)
		}
	})
}

func TestGiantTextsAreCutOrRefused(t *testing.T) {
	giant := strings.Repeat("ä", 1<<19)
	client, _ := newMemoryClient(t, answers(ok(fmt.Sprintf(
		`{"id":"user-1","object":"organization.user","added_at":1,"email":%q,"name":%q,"role":%q,"developer_persona":%q,"technical_level":%q}`, giant, giant, giant, giant, giant))))
	user, err := client.GetUser(t.Context(), "user-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{user.Email, user.Name, user.Role, user.DeveloperPersona, user.TechnicalLevel} {
		if len(text) > 1100 || strings.ContainsRune(text, '\uFFFD') {
			t.Errorf("a text of %d bytes is kept", len(text))
		}
	}
	long := "user-" + strings.Repeat("1", 129)
	for body, ask := range map[string]func(*Client) error{
		fmt.Sprintf(`{"object":"list","data":[{"id":%q,"object":"organization.user","added_at":1}],"has_more":false}`, long): func(c *Client) error {
			_, err := c.ListUsers(t.Context())
			return err
		},
		fmt.Sprintf(`{"object":"user.role","user":{"id":"user-1"},"role":{"id":%q}}`, giant): func(c *Client) error {
			_, err := NewChanger(c).AssignRole(t.Context(), "user-1", "role-1")
			return err
		},
		fmt.Sprintf(`{"object":"list","data":[{"id":%q,"name":"a","predefined_role":false}],"has_more":false,"next":null}`, giant): func(c *Client) error {
			_, err := c.ListUserRoles(t.Context(), "user-1")
			return err
		},
		fmt.Sprintf(`{"object":"list","data":[{"id":%q,"name":"a","object":"role","predefined_role":false}],"has_more":false,"next":null}`, giant): func(c *Client) error {
			_, err := c.ListRoles(t.Context())
			return err
		},
	} {
		client, _ := newMemoryClient(t, answers(ok(body)))
		if err := ask(client); !IsTransient(err) || len(err.Error()) > 1000 {
			t.Errorf("got %.300v", err)
		}
	}
	client, _ = newMemoryClient(t, answers(ok(fmt.Sprintf(`{"id":"role-1","name":%q,"predefined_role":false}`, giant))))
	if role, err := client.GetUserRole(t.Context(), "user-1", "role-1"); err != nil || len(role.RoleName) > 1100 {
		t.Errorf("got a name of %d bytes, %v", len(role.RoleName), err)
	}
}

func TestAnOrganizationsIDThatIsTooLongIsNone(t *testing.T) {
	client, _ := newMemoryClient(t, answers(answer{status: 200, body: userJSON, header: map[string]string{"Openai-Organization": strings.Repeat("o", 257)}}))
	if _, err := client.GetUser(t.Context(), "user-1"); err != nil {
		t.Fatal(err)
	}
	if id := client.OrganizationID(); id != "" {
		t.Errorf("an ID of %d characters, which no status takes", len(id))
	}
}

func TestABaseURLThatIsTooLongIsRefused(t *testing.T) {
	_, err := NewClient(Config{AdminKey: testKey, BaseURL: "https://api.example/" + strings.Repeat("é", 400)})
	if err == nil || !strings.Contains(err.Error(), "longer") {
		t.Errorf("got %v", err)
	}
}
