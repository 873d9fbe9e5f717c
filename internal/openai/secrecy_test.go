package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// shown is everything that can be made of a value by formatting it.
func shown(value any) string {
	var all bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		fmt.Fprintf(&all, verb+"\n", value)
	}
	encoded, err := json.Marshal(value)
	fmt.Fprintln(&all, string(encoded), err)
	slog.New(slog.NewJSONHandler(&all, nil)).Info("x", "value", value)
	slog.New(slog.NewTextHandler(&all, nil)).Info("x", "value", value)
	return all.String()
}

// secretIn says whether a text has any telling part of the key.
func secretIn(text string) bool {
	text = strings.ToUpper(text)
	return strings.Contains(text, "THEKEY") || strings.Contains(text, "NOBODYMAY") ||
		strings.Contains(text, fmt.Sprintf("%X", "THEKEY"))
}

func TestNothingThatIsFormattedShowsTheKey(t *testing.T) {
	config := Config{AdminKey: testKey, MetricsLabel: "team-a/default", BaseURL: "https://user:THEKEY@api.example/v1"}
	if text := shown(config) + shown(&config) + shown(map[string]Config{"c": config}) + shown([]any{config}) + shown(struct{ C Config }{config}) + shown(Config{AdminKey: testKey, BaseURL: "https://api.example/" + testKey}); secretIn(text) {
		t.Errorf("Config shows the key:\n%s", text)
	}
	client, _ := newMemoryClient(t, answers(ok(userJSON)))
	text := shown(client) + shown(struct{ C *Client }{client}) + shown(struct{ c *Client }{client}) + fmt.Sprintf("%+v %#v", client.users, client.http)
	if secretIn(text) {
		t.Errorf("Client shows the key:\n%s", text)
	}
}

func TestAServerThatSendsTheKeyBackDoesNotGetItIntoAnError(t *testing.T) {
	echo := "wrong key Bearer " + testKey + " or sk-admin-THEKEY********YSEE."
	header := map[string]string{
		"X-Request-Id": testKey, "Openai-Organization": testKey, "Location": "https://" + testKey + ".example/" + testKey,
	}
	withType := func(media string) map[string]string {
		return map[string]string{"Content-Type": media, "X-Request-Id": testKey}
	}
	quoted, _ := json.Marshal(echo)
	body := fmt.Sprintf(`{"error":{"message":%s,"type":%s,"code":%s}}`, quoted, quoted, quoted)
	for name, said := range map[string]answer{
		"in an error":       {401, header, body},
		"in a rejection":    {400, header, body},
		"in a redirect":     {302, header, ""},
		"in a content type": {200, withType("text/" + testKey), testKey},
		"in a refused page": {502, withType("text/" + testKey), testKey},
		"in a strange user": {200, header, strings.ReplaceAll(userJSON, "organization.user", testKey)},
		"in another type":   {200, header, fmt.Sprintf(`{"id":{%q:%q}}`, testKey, testKey)},
		"in broken JSON":    {200, header, `{` + testKey},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			client, _ := newMemoryClient(t, answers(said), func(c *Config) { c.Metrics = NewMetrics(registry) })
			_, err := client.GetUser(t.Context(), "user-1")
			e, isOurs := AsError(err)
			if !isOurs {
				t.Fatalf("got %v", err)
			}
			text := shown(err) + shown(*e) + e.StableMessage() + client.OrganizationID() + shown(client)
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				text += shown(cause)
			}
			families, gatherErr := registry.Gather()
			if text += fmt.Sprint(families, gatherErr); secretIn(text) {
				t.Errorf("the key is shown:\n%s", text)
			}
			if !strings.Contains(text, "sk-…") && said.status >= 400 {
				t.Errorf("nothing was taken out of:\n%s", text)
			}
		})
	}
}

func TestAConnectionThatFailsDoesNotShowTheKeyOrTheAddressesAskedFor(t *testing.T) {
	client := newNetworkClient(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := client.ListUsersByEmail(t.Context(), []string{"ada@example.com"})
	text := shown(err)
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		text += shown(cause)
	}
	if err == nil || secretIn(text) || strings.Contains(text, "ada") {
		t.Errorf("shown:\n%s", text)
	}
}

// A server, or a proxy before it, that answers in no HTTP has its words repeated by net/http.
func TestAnAnswerThatIsNoHTTPDoesNotGetTheKeyIntoAnError(t *testing.T) {
	for name, said := range map[string]string{
		"in the status":           "HTTP/1.1 " + testKey + " OK\r\n\r\n",
		"in the version":          testKey + " 200 OK\r\n\r\n",
		"in a header":             "HTTP/1.1 200 OK\r\nBearer " + testKey + "\r\n\r\n",
		"in the length":           "HTTP/1.1 200 OK\r\nContent-Length: " + testKey + "\r\n\r\n",
		"in the encoding":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + testKey + "\r\n\r\n",
		"in the length of a part": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + testKey + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			client := newNetworkClient(t, func(w http.ResponseWriter, _ *http.Request) { say(t, w, said) })
			_, err := client.GetUser(t.Context(), "user-1")
			expectNoKeyIn(t, err)
		})
	}
}

func TestAProxyThatRefusesIsNotSentTheKeyAndGetsNoneIntoAnError(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the proxy of an https address was sent the key")
		}
		say(t, w, "HTTP/1.1 407 wrong: Bearer "+testKey+"\r\n\r\n")
	}))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(strings.Replace(proxy.URL, "//", "//user:THEKEY@", 1))
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(Config{BaseURL: "https://api.example/v1", AdminKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	transport, isTransport := client.http.Transport.(*http.Transport)
	if !isTransport {
		t.Fatalf("the transport is a %T", client.http.Transport)
	}
	transport.Proxy = http.ProxyURL(address)
	_, err = client.GetUser(t.Context(), "user-1")
	expectNoKeyIn(t, err)
}

// say answers in raw bytes.
func say(t *testing.T, w http.ResponseWriter, text string) {
	t.Helper()
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.WriteString(connection, text)
	_ = connection.Close()
}

// expectNoKeyIn looks for the key in all that can be made of an error of this package, and of its causes.
func expectNoKeyIn(t *testing.T, err error) {
	t.Helper()
	e, isOurs := AsError(err)
	if !isOurs {
		t.Fatalf("got %v", err)
	}
	text := shown(*e) + e.StableMessage()
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		text += shown(cause)
	}
	if secretIn(text) {
		t.Errorf("the key is shown:\n%s", text)
	}
}

func TestAKeyOfUnusualCharactersIsTakenOutToo(t *testing.T) {
	redact := redactor("sk-admin-a/b+c=d")
	if got := redact("<sk-admin-a/b+c=d> and task-1 at desk-1234"); got != "<sk-…> and task-1 at desk-1234" {
		t.Errorf("got %q", got)
	}
}

func TestALongAnswerMakesAShortMessage(t *testing.T) {
	client, _ := newMemoryClient(t, answers(apiError(400, "", strings.Repeat("é", 10_000))))
	_, err := client.GetUser(t.Context(), "user-1")
	if e, _ := AsError(err); len([]rune(e.Message)) != maxForeignText+1 {
		t.Errorf("the message has %d characters", len([]rune(e.Message)))
	}
}

func TestTheEnvironmentChangesNothing(t *testing.T) {
	for name, value := range map[string]string{
		"OPENAI_BASE_URL": "https://evil.example/v1", "OPENAI_API_KEY": "sk-evil", "OPENAI_ADMIN_KEY": "sk-admin-evil",
		"OPENAI_ORG_ID": "org-evil", "OPENAI_PROJECT_ID": "proj-evil", "OPENAI_WEBHOOK_SECRET": "evil",
		"OPENAI_CUSTOM_HEADERS": "X-Evil: evil\nAuthorization: Bearer evil",
	} {
		t.Setenv(name, value)
	}
	var got *http.Request
	client, _ := newMemoryClient(t, func(_ int, r *http.Request) answer { got = r; return ok(userJSON) }, func(c *Config) { c.BaseURL = "" })
	if _, err := client.GetUser(t.Context(), "user-1"); err != nil {
		t.Fatal(err)
	}
	if got.URL.String() != "https://api.openai.com/v1/organization/users/user-1" || got.Header.Get("Authorization") != "Bearer "+testKey {
		t.Errorf("it asked %s", got.URL)
	}
	if text := fmt.Sprint(got.Header); strings.Contains(text, "evil") {
		t.Errorf("it sent %s", text)
	}
	if agent := got.Header.Get("User-Agent"); agent != "rollcall" {
		t.Errorf("it says it is %q", agent)
	}
}

func TestAServerThatSendsTheKeyBackDoesNotGetItIntoWhatIsKept(t *testing.T) {
	with := func(json, value, key string) answer { return ok(strings.Replace(json, value, key, 1)) }
	onePage := func(item, value string) answer {
		return ok(`{"object":"list","data":[` + strings.Replace(item, value, "x "+testKey, 1) + `],"has_more":false,"next":null}`)
	}
	for name, test := range map[string]struct {
		answer answer
		call   func(*Client) (any, error)
		fault  string
	}{
		"a user's name":      {with(userJSON, "Ada", strings.Repeat("x", 1010)+testKey), func(c *Client) (any, error) { return c.GetUser(t.Context(), "user-1") }, ""},
		"a user's role":      {with(userJSON, "owner", testKey), func(c *Client) (any, error) { return c.GetUser(t.Context(), "user-1") }, ""},
		"a user's persona":   {with(userJSON, "builder", testKey), func(c *Client) (any, error) { return c.GetUser(t.Context(), "user-1") }, ""},
		"a user's email":     {with(userJSON, "ada", testKey), func(c *Client) (any, error) { return c.GetUser(t.Context(), "user-1") }, "email has the admin key"},
		"a user's ID":        {onePage(userJSON, "user-1"), func(c *Client) (any, error) { return c.ListUsers(t.Context()) }, "id has the admin key"},
		"a role's name":      {onePage(roleJSON, "Auditor"), func(c *Client) (any, error) { return c.ListRoles(t.Context()) }, ""},
		"a role's ID":        {onePage(roleJSON, "role-1"), func(c *Client) (any, error) { return c.ListRoles(t.Context()) }, "id has the admin key"},
		"the name of one":    {with(assignmentJSON, "Auditor", testKey), func(c *Client) (any, error) { return c.GetUserRole(t.Context(), "user-1", "role-1") }, ""},
		"the name of a held": {onePage(assignmentJSON, "Auditor"), func(c *Client) (any, error) { return c.ListUserRoles(t.Context(), "user-1") }, ""},
		"the ID of a held":   {onePage(assignmentJSON, "role-1"), func(c *Client) (any, error) { return c.ListUserRoles(t.Context(), "user-1") }, "id has the admin key"},
		"what is asked for":  {ok(userJSON), func(c *Client) (any, error) { return c.GetUser(t.Context(), testKey+"/x") }, "is not a user ID"},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newMemoryClient(t, answers(test.answer))
			got, err := test.call(client)
			if (err != nil) != (test.fault != "") || err != nil && !strings.Contains(err.Error(), test.fault) {
				t.Errorf("got %v, want %q", err, test.fault)
			}
			if text := shown(got) + shown(err); secretIn(text) {
				t.Errorf("the key is shown:\n%s", text)
			}
		})
	}
}
