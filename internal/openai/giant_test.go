package openai

import (
	"fmt"
	"net/http"
	"runtime"
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
	giant := strings.Repeat("ä", 1<<18)
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

func TestAnOrganizationsIDThatNoneHasIsNone(t *testing.T) {
	for _, id := range []string{strings.Repeat("o", 257), "object:team/acme"} {
		client, _ := newMemoryClient(t, answers(answer{status: 200, body: userJSON, header: map[string]string{"Openai-Organization": id}}))
		if _, err := client.GetUser(t.Context(), "user-1"); err != nil {
			t.Fatal(err)
		}
		if got := client.OrganizationID(); got != "" {
			t.Errorf("got the ID %.20s of %d characters", got, len(got))
		}
	}
}

func TestABaseURLThatIsTooLongIsRefused(t *testing.T) {
	_, err := NewClient(Config{AdminKey: testKey, BaseURL: "https://api.example/" + strings.Repeat("é", 400)})
	if err == nil || !strings.Contains(err.Error(), "longer") {
		t.Errorf("got %v", err)
	}
}

// Decoded, an empty item takes hundreds of times its length.
func TestAnAnswerOfTooManyValuesIsRefusedUndecoded(t *testing.T) {
	repeat := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	page := func(items string) string {
		return `{"object":"list","data":[` + items + `],"has_more":false,"next":null}`
	}
	role := `{"id":"%d","object":"role","name":"[{,\"","predefined_role":false,"permissions":[` + repeat(`"a,b"`, 60) + `]}`
	var roles []string
	for i := range 1000 {
		roles = append(roles, fmt.Sprintf(role, i))
	}
	client, _ := newMemoryClient(t, answers(ok(page(strings.Join(roles, ",")))))
	if got, err := client.ListRoles(t.Context()); err != nil || len(got) != 1000 {
		t.Errorf("the longest page that is asked for: %d roles, %v", len(got), err)
	}
	for want, body := range map[string]string{
		"more than 1000 values in a list": page(repeat("{}", 1001)),
		"more than 100000 values":         page(repeat(`{"assignment_sources":[`+repeat("1", 500)+`]}`, 201)),
	} {
		client, _ := newMemoryClient(t, answers(ok(body)))
		if _, err := client.ListUserRoles(t.Context(), "user-1"); !IsTransient(err) || !strings.Contains(err.Error(), "the answer has "+want) {
			t.Errorf("got %.300v, want %q", err, want)
		}
	}
}

// Kubernetes would keep another text than was read.
func TestAnAnswerThatIsNoUTF8IsRefused(t *testing.T) {
	client, _ := newMemoryClient(t, answers(ok(strings.Replace(userJSON, "Ada", "\xff", 1))))
	if _, err := client.GetUser(t.Context(), "user-1"); !IsTransient(err) || !strings.Contains(err.Error(), "the answer is not UTF-8") {
		t.Errorf("got %v", err)
	}
}

func TestACursorIsShortAndKeepsNoPageAlive(t *testing.T) {
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc >> 20)
	}
	padding := strings.Repeat("x", 3<<20)
	for name, page := range map[string]struct {
		format string
		ask    func(*Client) error
	}{
		"users": {`{"object":"list","data":[{"id":"u%[1]d","object":"organization.user","added_at":1}],"has_more":true,"last_id":"%[1]d%[2]s","pad":"%[3]s"}`,
			func(c *Client) error { _, err := c.ListUsers(t.Context()); return err }},
		"roles": {`{"object":"list","data":[{"id":"r%[1]d","object":"role","name":"a","predefined_role":false}],"has_more":true,"next":"%[1]d%[2]s","pad":"%[3]s"}`,
			func(c *Client) error { _, err := c.ListRoles(t.Context()); return err }},
	} {
		before, grown := heap(), 0
		client, _ := newMemoryClient(t, func(n int, _ *http.Request) answer {
			if n == 6 {
				grown = heap() - before
				return apiError(500, "", "enough")
			}
			return ok(fmt.Sprintf(page.format, n, "", padding))
		})
		if err := page.ask(client); err == nil || grown > 7 {
			t.Errorf("%s: 6 short pages keep %d MiB alive, %v", name, grown, err)
		}
		client, api := newMemoryClient(t, func(n int, _ *http.Request) answer {
			return ok(fmt.Sprintf(page.format, n, strings.Repeat("c", 256), ""))
		})
		if err := page.ask(client); !IsTransient(err) || !strings.Contains(err.Error(), "is longer than 256 bytes") || len(api.requests()) != 1 {
			t.Errorf("%s: got %.300v after %d pages, want one page and an error", name, err, len(api.requests()))
		}
	}
}
