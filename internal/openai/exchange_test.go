package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

const testKey = "sk-admin-THEKEYTHATNOBODYMAYSEE"

// answer is what a test's API says.
type answer struct {
	status int
	header map[string]string
	body   string
}

func ok(body string) answer { return answer{status: http.StatusOK, body: body} }

func apiError(status int, code, message string) answer {
	return answer{status: status, body: fmt.Sprintf(`{"error":{"message":%q,"type":"some_type","param":null,"code":%q}}`, message, code)}
}

// seen is what a test's API saw.
type seen struct{ method, path, query, body, authorization string }

// memoryAPI answers requests without a network, so that tests can run in a
// bubble of synctest.
type memoryAPI struct {
	mu     sync.Mutex
	seen   []seen
	answer func(n int, r *http.Request) answer
}

func (a *memoryAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	a.mu.Lock()
	n := len(a.seen)
	a.seen = append(a.seen, seen{r.Method, r.URL.EscapedPath(), r.URL.Query().Encode(), string(body), r.Header.Get("Authorization")})
	a.mu.Unlock()
	said := a.answer(n, r)
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range said.header {
		header.Set(name, value)
	}
	return &http.Response{
		StatusCode: said.status, Header: header, Request: r,
		Body: io.NopCloser(strings.NewReader(said.body)),
	}, nil
}

func (a *memoryAPI) requests() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seen(nil), a.seen...)
}

// answers says one thing after the other, and the last for ever.
func answers(all ...answer) func(int, *http.Request) answer {
	return func(n int, _ *http.Request) answer { return all[min(n, len(all)-1)] }
}

// newMemoryClient is a client of an API in memory, without a limit to speak of.
func newMemoryClient(t testing.TB, say func(n int, r *http.Request) answer, change ...func(*Config)) (*Client, *memoryAPI) {
	t.Helper()
	config := Config{BaseURL: "https://api.example/v1", AdminKey: testKey, Limiter: budget.NewLimiter(6_000_000)}
	for _, c := range change {
		c(&config)
	}
	client, err := NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	api := &memoryAPI{answer: say}
	client.http.Transport = api
	return client, api
}

const (
	userJSON       = `{"id":"user-1","object":"organization.user","added_at":1700000000,"email":"ada@example.com","name":"Ada","role":"owner","developer_persona":"builder","technical_level":null,"is_default":true,"is_service_account":false,"is_scim_managed":true,"shoe_size":{"eu":38}}`
	assignmentJSON = `{"id":"role-1","name":"Auditor","predefined_role":false,"resource_type":"api.organization","assignment_sources":[{"principal_id":"group-1","principal_type":"group"}],"permissions":[],"description":null,"metadata":null,"created_at":null,"created_by":null,"created_by_user_obj":null,"updated_at":null}`
	roleJSON       = `{"id":"role-1","object":"role","name":"Auditor","predefined_role":false,"resource_type":"api.organization","permissions":[],"description":null}`
)

func TestAnAnswerThatCannotBeBelievedIsATransientErrorThatSaysWhy(t *testing.T) {
	get := func(c *Client) error { _, err := c.GetUser(t.Context(), "user-1"); return err }
	list := func(c *Client) error { _, err := c.ListUsers(t.Context()); return err }
	roles := func(c *Client) error { _, err := c.ListUserRoles(t.Context(), "user-1"); return err }
	role := func(c *Client) error { _, err := c.GetUserRole(t.Context(), "user-1", "role-1"); return err }
	remove := func(c *Client) error { return NewChanger(c).DeleteUser(t.Context(), "user-1") }
	assign := func(c *Client) error { _, err := NewChanger(c).AssignRole(t.Context(), "user-1", "role-1"); return err }
	unassign := func(c *Client) error { return NewChanger(c).UnassignRole(t.Context(), "user-1", "role-1") }
	html := map[string]string{"Content-Type": "text/html; charset=utf-8"}
	swap := func(before, after string) answer { return ok(strings.Replace(userJSON, before, after, 1)) }
	onePage := func(data string) answer { return ok(`{"object":"list","data":[` + data + `],"has_more":false}`) }

	for name, test := range map[string]struct {
		call   func(*Client) error
		answer answer
		want   string
	}{
		"a page of HTML with status 200":       {get, answer{200, html, "<html>"}, "it sent text/html instead of JSON; is base-url right?"},
		"nothing at all":                       {remove, answer{204, map[string]string{"Content-Type": ""}, ""}, "something without a content type"},
		"half a document":                      {get, ok(userJSON[:40]), "not valid JSON"},
		"a document and a half":                {get, ok(userJSON + `{"id"`), "not valid JSON"},
		"null":                                 {get, ok(`null`), "not a JSON object"},
		"null for a list":                      {list, ok(` null`), "not a JSON object"},
		"an array":                             {list, ok(`[]`), "not a JSON object"},
		"a user without an id":                 {get, swap(`"id":"user-1",`, ``), "id is missing"},
		"a user with an empty id":              {get, swap(`"user-1"`, `""`), "id is missing"},
		"a user with a number for an id":       {get, swap(`"user-1"`, `1`), "id is missing"},
		"a user of another object":             {get, swap(`organization.user`, `organization.project.user`), `object is not "organization.user"`},
		"a user without an object":             {get, swap(`"object":"organization.user",`, ``), `object is not "organization.user"`},
		"another user":                         {get, swap(`user-1`, `user-2`), "id is not the one asked for"},
		"a role that is not a string":          {get, swap(`"owner"`, `["owner"]`), "role is not a string"},
		"a service account that is almost one": {get, swap(`"is_service_account":false`, `"is_service_account":1`), "is_service_account is not true or false"},
		"SCIM in quotes":                       {get, swap(`"is_scim_managed":true`, `"is_scim_managed":"true"`), "is_scim_managed is not true or false"},
		"a user who was never added":           {get, swap(`"added_at":1700000000,`, ``), "added_at is missing"},
		"a list without data":                  {list, ok(`{"object":"list","has_more":false}`), "data is missing"},
		"a list of null":                       {list, ok(`{"object":"list","data":null,"has_more":false}`), "data is missing"},
		"a list that does not say if it ends":  {list, ok(`{"object":"list","data":[]}`), "has_more is missing"},
		"a list that may end":                  {list, ok(`{"object":"list","data":[],"has_more":"no"}`), "has_more is missing"},
		"a list with an item that is no user":  {list, onePage(userJSON + `,"user-2"`), "data is missing"},
		"a list with null among its items":     {list, onePage(userJSON + `,null`), "object is not"},
		"a list with a bad user last":          {list, onePage(userJSON + `,{"id":"user-2"}`), "object is not"},
		"a role list without data":             {roles, ok(`{"object":"list","has_more":false,"next":null}`), "data is missing"},
		"a role that may be predefined":        {roles, onePage(strings.Replace(assignmentJSON, `"predefined_role":false,`, ``, 1)), "predefined_role is missing"},
		"sources that are not a list":          {role, ok(strings.Replace(assignmentJSON, `[{"principal_id":"group-1","principal_type":"group"}]`, `"group-1"`, 1)), "assignment_sources is missing, not a list"},
		"a user that was not deleted":          {remove, ok(`{"object":"organization.user.deleted","id":"user-1","deleted":false}`), "deleted is not true"},
		"another user deleted":                 {remove, ok(`{"object":"organization.user.deleted","id":"user-2","deleted":true}`), "id is not the one asked for"},
		"a role assigned without an id":        {assign, ok(`{"object":"user.role","role":` + strings.Replace(roleJSON, `"role-1"`, `""`, 1) + `,"user":` + userJSON + `}`), "role.id is missing"},
		"a role assigned to another user":      {assign, ok(`{"object":"user.role","role":` + roleJSON + `,"user":` + strings.Replace(userJSON, "user-1", "user-2", 1) + `}`), "user.id is not the one asked for"},
		"a role that was not unassigned":       {unassign, ok(`{"object":"user.role.deleted","deleted":false}`), "deleted is not true"},
		"a redirect": {get, answer{307, map[string]string{"Location": "https://elsewhere.example/secret?x=1"}, ""},
			"it redirects to https://elsewhere.example, and the admin key is sent nowhere else"},
	} {
		t.Run(name, func(t *testing.T) {
			client, api := newMemoryClient(t, answers(test.answer))
			err := test.call(client)
			if !IsTransient(err) || IsNotFound(err) || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want a transient error with %q", err, test.want)
			}
			if e, _ := AsError(err); !strings.Contains(e.StableMessage(), test.want) {
				t.Errorf("the stable message %q lacks %q", e.StableMessage(), test.want)
			}
			if n := len(api.requests()); n != 1 {
				t.Errorf("it was asked %d times, want once", n)
			}
		})
	}
}

func TestAnAnswerLongerThanAllowedIsAnError(t *testing.T) {
	body := `{"object":"list","data":[` + userJSON + `],"has_more":false}`
	exact, _ := newMemoryClient(t, answers(ok(body)), func(c *Config) { c.MaxResponseBytes = int64(len(body)) })
	if _, err := exact.ListUsers(t.Context()); err != nil {
		t.Errorf("an answer of just the allowed length: %v", err)
	}
	short, _ := newMemoryClient(t, answers(ok(body)), func(c *Config) { c.MaxResponseBytes = int64(len(body)) - 1 })
	if users, err := short.ListUsers(t.Context()); !IsTransient(err) || users != nil {
		t.Errorf("got %v, %v, want a transient error", users, err)
	}
}

// newNetworkClient is a client of a real server.
func newNetworkClient(t *testing.T, handler http.HandlerFunc, change ...func(*Config)) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	config := Config{BaseURL: server.URL + "/v1", AdminKey: testKey, Limiter: budget.NewLimiter(6_000_000)}
	for _, c := range change {
		c(&config)
	}
	client, err := NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestTroubleOnTheWayIsTransientAndItsMessageIsStable(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	}
	shortly := func(c *Config) { c.Timeout = 100 * time.Millisecond }
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()

	for name, test := range map[string]struct {
		handler http.HandlerFunc
		change  func(*Config)
		want    string
	}{
		"no answer in time": {hang, shortly, "get user: no whole answer within 100ms"},
		"an answer that stops in the middle": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, userJSON[:30])
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}, shortly, "get user: no whole answer within 100ms"},
		"a connection dropped before the answer": {func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, nil, "get user: the connection was dropped before an answer"},
		"a connection dropped in the answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, userJSON)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, nil, "get user: the answer broke off before its end"},
		"nobody listening": {nil, func(c *Config) { c.BaseURL = "http://" + closed.Addr().String() },
			"get user: the connection was refused"},
		"TLS with a server that has none": {nil, func(c *Config) { c.BaseURL = strings.Replace(c.BaseURL, "http:", "https:", 1) },
			"get user: the server does not speak TLS; is base-url right?"},
	} {
		t.Run(name, func(t *testing.T) {
			change := func(*Config) {}
			if test.change != nil {
				change = test.change
			}
			client := newNetworkClient(t, test.handler, change)
			for range 2 {
				_, err := client.GetUser(t.Context(), "user-1")
				e, isOurs := AsError(err)
				if !isOurs || !IsTransient(err) {
					t.Fatalf("got %v, want a transient error", err)
				}
				if got := e.StableMessage(); got != test.want {
					t.Errorf("got %q, want %q (%v)", got, test.want, err)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v passes for the end of the caller's context", err)
				}
			}
		})
	}
}

type brokenTransport struct{ err error }

func (b brokenTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, b.err }

func TestTroubleWithTheNetworkIsNamedAndIsNotTheCallersContext(t *testing.T) {
	for want, broken := range map[string]error{
		"the API's host name does not resolve; is base-url right?": &net.DNSError{Err: "no such host", Name: "api.example", IsNotFound: true},
		"the connection could not be made in time":                 &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded},
		"the connection was dropped before an answer":              fmt.Errorf("http2: %w", syscall.ECONNRESET),
		"no answer arrived": errors.New("something new on port 54321"),
	} {
		client, _ := newMemoryClient(t, nil)
		client.http.Transport = brokenTransport{broken}
		_, err := client.GetUser(t.Context(), "user-1")
		e, isOurs := AsError(err)
		if !isOurs || !IsTransient(err) || e.StableMessage() != "get user: "+want {
			t.Errorf("got %v, want %q", err, want)
		}
		if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), broken.Error()) {
			t.Errorf("got %v of %v", err, broken)
		}
	}
}

func TestACertificateThatNobodySignedIsSaidToBeThat(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	client, err := NewClient(Config{BaseURL: server.URL, AdminKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.GetUser(t.Context(), "user-1")
	if e, isOurs := AsError(err); !isOurs || e.StableMessage() != "get user: the server's certificate is not accepted" {
		t.Errorf("got %v", err)
	}
}

func TestACallerThatGivesUpGetsItsOwnErrorBack(t *testing.T) {
	arrived := make(chan struct{})
	client := newNetworkClient(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := client.ListUsers(ctx)
	if _, isOurs := AsError(err); isOurs || !errors.Is(err, context.Canceled) || IsTransient(err) {
		t.Errorf("got %#v, want context.Canceled", err)
	}
	if _, err := client.GetUser(ctx, "user-1"); !errors.Is(err, context.Canceled) {
		t.Errorf("before sending: got %v, want context.Canceled", err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var reached bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		client := newNetworkClient(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/v1/organization/users/user-1", status)
		})
		err := NewChanger(client).DeleteUser(t.Context(), "user-1")
		if !IsTransient(err) || !strings.Contains(err.Error(), other.URL) {
			t.Errorf("%d: got %v, want an error with %s", status, err, other.URL)
		}
	}
	if reached {
		t.Error("the other host was reached")
	}
}

func TestTheOrganizationIsKnownFromTheFirstAnswer(t *testing.T) {
	client, _ := newMemoryClient(t, answers(
		answer{status: 200, header: map[string]string{"openai-organization": "org-acme"}, body: userJSON},
		ok(userJSON)))
	if got := client.OrganizationID(); got != "" {
		t.Errorf("before the first answer it is %q", got)
	}
	for range 2 {
		if _, err := client.GetUser(t.Context(), "user-1"); err != nil {
			t.Fatal(err)
		}
		if got := client.OrganizationID(); got != "org-acme" {
			t.Errorf("it is %q", got)
		}
	}
}
