package openaitest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// answered is an answer as it came over the wire.
type answered struct {
	status  int
	header  http.Header
	raw     string
	code    string
	message string
}

// ask makes a call without the SDK, which cannot make wrong ones. A body is sent as JSON.
func ask(t *testing.T, server *openaitest.Server, key, method, path, body string) answered {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answered{status: response.StatusCode, header: response.Header, raw: string(raw)}
	var envelope struct {
		Error struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    *string `json:"code"`
		} `json:"error"`
	}
	if a.status >= 400 && json.Unmarshal(raw, &envelope) == nil {
		a.message = envelope.Error.Message
		if envelope.Error.Code != nil {
			a.code = *envelope.Error.Code
		}
	}
	return a
}

func TestWhatTheAPIDoesNotAllowIsRefusedAndChangesNothing(t *testing.T) {
	const (
		ada, alan, hedy, radia = "/organization/users/user-adalovelace", "/organization/users/user-alanturing",
			"/organization/users/user-hedylamarr", "/organization/users/user-radiaperlman"
		owner  = "role-api-organization-owner__api-organization__org-demo"
		reader = "role-api-organization-reader__api-organization__org-demo"
	)
	server, _ := newDemo(t)
	server.SetRole("user-margarethamilton", "reader")
	server.SetRole("user-katherinejohnson", "reader") // ada is the last owner
	server.AddRole(openaitest.Role{ID: "role_predefined", Name: "assistant-owner", Predefined: true})
	server.AddRole(openaitest.Role{ID: "role_project", Name: "project-editor", ResourceType: "api.project"})
	server.ResetJournal()

	for name, test := range map[string]struct {
		call, body string
		status     int
		says       string
	}{
		"limit 0":                            {"GET /organization/users?limit=0", "", 400, "limit"},
		"limit 101":                          {"GET /organization/users?limit=101", "", 400, "limit"},
		"limit in words":                     {"GET /organization/users?limit=ten", "", 400, "limit"},
		"limit of roles 1001":                {"GET /organization/roles?limit=1001", "", 400, "limit"},
		"limit twice":                        {"GET /organization/users?limit=1&limit=2", "", 400, "limit"},
		"emails without brackets":            {"GET /organization/users?emails=a@example.com", "", 400, "emails"},
		"order of users":                     {"GET /organization/users?order=asc", "", 400, "order"},
		"unknown order":                      {"GET " + alan + "/roles?order=up", "", 400, "order"},
		"parameter of another call":          {"GET " + alan + "?limit=1", "", 400, "limit"},
		"cursor of somebody gone":            {"GET /organization/users?after=user-gone", "", 400, "user-gone"},
		"cursor that was made up":            {"GET /organization/roles?after=page2", "", 400, "ursor"},
		"unknown user":                       {"GET /organization/users/user-gone", "", 404, "user-gone"},
		"update of an unknown user":          {"POST /organization/users/user-gone", `{"role":"reader"}`, 404, "user-gone"},
		"removal of an unknown user":         {"DELETE /organization/users/user-gone", "", 404, "user-gone"},
		"roles of an unknown user":           {"GET /organization/users/user-gone/roles", "", 404, "user-gone"},
		"unknown role for a user":            {"POST " + alan + "/roles", `{"role_id":"role_gone"}`, 404, "role_gone"},
		"unknown role in an update":          {"POST " + alan, `{"role_id":"role_gone"}`, 400, "role_gone"},
		"role that is not held":              {"GET " + alan + "/roles/role_evals", "", 404, "role_evals"},
		"taking a role that is not held":     {"DELETE " + alan + "/roles/role_evals", "", 404, "role_evals"},
		"taking a role from a group":         {"DELETE " + radia + "/roles/role_usage", "", 400, "group"},
		"taking a predefined role":           {"DELETE " + alan + "/roles/" + reader, "", 400, "role"},
		"giving a predefined role":           {"POST " + alan + "/roles", `{"role_id":"` + owner + `"}`, 400, "role"},
		"no role given":                      {"POST " + alan + "/roles", `{}`, 400, "role_id"},
		"role of another kind":               {"POST " + alan, `{"role":"emperor"}`, 400, "emperor"},
		"role and role_id":                   {"POST " + alan, `{"role":"owner","role_id":"role_evals"}`, 400, "role_id"},
		"role as a number":                   {"POST " + alan, `{"role":1}`, 400, "role"},
		"persona as a list":                  {"POST " + alan, `{"developer_persona":[]}`, 400, "developer_persona"},
		"good field beside a bad one":        {"POST " + alan, `{"developer_persona":"x","role":"emperor"}`, 400, "emperor"},
		"unknown field":                      {"POST " + alan, `{"email":"x@example.com"}`, 400, "email"},
		"body that is a list":                {"POST " + alan, `[]`, 400, ""},
		"body that is no JSON":               {"POST " + alan, `role=owner`, 400, ""},
		"body that ends early":               {"POST " + alan, `{"role":"owner"`, 400, ""},
		"two bodies":                         {"POST " + alan, `{"role":"owner"}{}`, 400, ""},
		"null for a body":                    {"POST " + alan, `null`, 400, ""},
		"field in another case":              {"POST " + alan, `{"ROLE":"owner"}`, 400, "ROLE"},
		"field given twice":                  {"POST " + alan, `{"role":"reader","role":"owner"}`, 400, "role"},
		"empty role":                         {"POST " + alan, `{"role":""}`, 400, "role"},
		"role_id of another predefined role": {"POST " + alan, `{"role_id":"role_predefined"}`, 400, "redefined"},
		"role of a project":                  {"POST " + alan + "/roles", `{"role_id":"role_project"}`, 400, "api.project"},
		"slash at the end":                   {"GET /organization/users/", "", 404, ""},
		"no body":                            {"POST " + alan, "", 400, ""},
		"demotion of the last owner":         {"POST " + ada, `{"role":"reader"}`, 400, "owner"},
		"demotion by role_id":                {"POST " + ada, `{"role_id":"` + reader + `"}`, 400, "owner"},
		"removal of the last owner":          {"DELETE " + ada, "", 400, "owner"},
		"removal of a SCIM-managed user":     {"DELETE " + hedy, "", 400, "SCIM"},
		"removal of the default user":        {"DELETE /organization/users/user-defaultuser", "", 400, "default user"},
		"unknown path":                       {"GET /organization/projects", "", 404, "/organization/projects"},
		"PATCH of a user":                    {"PATCH " + alan, `{"role":"owner"}`, 405, "PATCH"},
		"POST of the list":                   {"POST /organization/users", `{}`, 405, "POST"},
		"removal of all roles":               {"DELETE " + alan + "/roles", "", 405, "DELETE"},
		"update of the organization's roles": {"POST /organization/roles", `{}`, 405, "POST"},
	} {
		t.Run(name, func(t *testing.T) {
			method, path, _ := strings.Cut(test.call, " ")
			got := ask(t, server, server.AdminKey(), method, path, test.body)
			if got.status != test.status || got.message == "" || !strings.Contains(got.message, test.says) {
				t.Errorf("%d %s; expected %d with %q", got.status, got.raw, test.status, test.says)
			}
		})
	}
	if changed := server.Mutations(); len(changed) != 0 {
		t.Errorf("changed all the same: %+v", changed)
	}
	if server.Owners() != 1 {
		t.Errorf("there are %d owners", server.Owners())
	}
}

func TestWhatIsSetAlreadyIsAcceptedAndChangesNothing(t *testing.T) {
	server, _ := newDemo(t)
	for _, test := range []struct{ path, body string }{
		{"/organization/users/user-alanturing", `{}`},
		{"/organization/users/user-alanturing", `{"role":null,"role_id":null}`},
		{"/organization/users/user-alanturing", `{"role":"reader","developer_persona":null}`},
		{"/organization/users/user-barbaraliskov", `{"role_id":"role_evals"}`},
		{"/organization/users/user-barbaraliskov/roles", `{"role_id":"role_evals"}`},
	} {
		if got := ask(t, server, server.AdminKey(), http.MethodPost, test.path, test.body); got.status != 200 {
			t.Errorf("%s %s: %d %s", test.path, test.body, got.status, got.raw)
		}
	}
	if changed := server.Mutations(); len(changed) != 0 {
		t.Errorf("changed: %+v", changed)
	}
}

func TestARoleFromAGroupAndADirectOneAreKeptApart(t *testing.T) {
	server, _ := newDemo(t)
	const role = "/organization/users/user-radiaperlman/roles"
	if got := ask(t, server, server.AdminKey(), http.MethodPost, role, `{"role_id":"role_usage"}`); got.status != 200 {
		t.Fatalf("assign: %d %s", got.status, got.raw)
	}
	if got := ask(t, server, server.AdminKey(), http.MethodDelete, role+"/role_usage", ""); got.status != 200 {
		t.Fatalf("unassign: %d %s", got.status, got.raw)
	}
	if got := ask(t, server, server.AdminKey(), http.MethodGet, role+"/role_usage", ""); !strings.Contains(got.raw, "group-finance") {
		t.Errorf("the inheritance did not stay: %s", got.raw)
	}
}

func TestWhoIsRemovedComesBackAsSomebodyElse(t *testing.T) {
	server, _ := newDemo(t)
	first := server.AddUser(openaitest.User{Email: "emmy@example.com", Role: "reader"})
	server.AssignRole(first, "role_evals")
	if got := ask(t, server, server.AdminKey(), http.MethodDelete, "/organization/users/"+first, ""); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	second := server.AddUser(openaitest.User{Email: "emmy@example.com", Role: "reader"})
	if second == first {
		t.Errorf("both have the ID %s", first)
	}
	if got := ask(t, server, server.AdminKey(), http.MethodGet, "/organization/users/"+second+"/roles/role_evals", ""); got.status != 404 {
		t.Errorf("the role came back too: %s", got.raw)
	}
}

func TestWhoIsAddedUnderAnIDThatWasThereIsListedOnce(t *testing.T) {
	server, _ := newDemo(t)
	before := len(server.Members())
	server.RemoveUser("user-alanturing")
	server.AddUser(openaitest.User{ID: "user-alanturing", Email: "alan@example.com", Role: "reader"})
	server.AddUser(openaitest.User{ID: "user-gracehopper", Email: "grace@example.com", Role: "reader"})
	got := ask(t, server, server.AdminKey(), http.MethodGet, "/organization/users?limit=100", "")
	for _, id := range []string{"user-alanturing", "user-gracehopper"} {
		if n := strings.Count(got.raw, `{"id":"`+id+`","added_at"`); n != 1 {
			t.Errorf("%s is listed %d times", id, n)
		}
	}
	if n := len(server.Members()); n != before {
		t.Errorf("%d members instead of %d", n, before)
	}
}

func TestOnlyTheRightKeyOpensAndNoneIsRepeated(t *testing.T) {
	server, _ := newDemo(t)
	first := server.AdminKey()
	const wrong = "sk-admin-this-is-not-the-right-key-at-all"
	for _, key := range []string{"", wrong, first[:len(first)-1]} {
		got := ask(t, server, key, http.MethodGet, "/organization/users", "")
		if got.status != 401 || key != "" && (got.code != "invalid_api_key" || strings.Contains(got.raw, key)) {
			t.Errorf("%q: %d %s", key, got.status, got.raw)
		}
	}
	server.RotateKey("sk-admin-second")
	server.AddKey("sk-admin-third")
	for key, want := range map[string]int{first: 401, "sk-admin-second": 200, "sk-admin-third": 200} {
		if got := ask(t, server, key, http.MethodGet, "/organization/users", ""); got.status != want {
			t.Errorf("%s: %d instead of %d", key, got.status, want)
		}
	}
	if got := ask(t, server, wrong, http.MethodGet, "/organization/users", ""); got.header.Get("Openai-Organization") != "" {
		t.Error("a wrong key is told which organization this is")
	}
	ask(t, server, "sk-admin-third", http.MethodGet, "/organization/users?key=sk-admin-third", "")
	journal, err := json.Marshal(server.Journal())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{first, wrong, "sk-admin-second", "sk-admin-third"} {
		if strings.Contains(string(journal), key) {
			t.Errorf("the journal has the key %s", key)
		}
	}
}

func TestEveryAnswerHasTheHeadersOfTheAPI(t *testing.T) {
	server, _ := newDemo(t)
	seen := map[string]bool{}
	for range 3 {
		got := ask(t, server, server.AdminKey(), http.MethodGet, "/organization/users", "")
		for _, name := range []string{
			"X-Request-Id", "Openai-Version", "Openai-Processing-Ms", "X-Ratelimit-Limit-Requests",
			"X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests",
		} {
			if got.header.Get(name) == "" {
				t.Errorf("no %s", name)
			}
		}
		if got.header.Get("Openai-Organization") != "org-demo" {
			t.Errorf("openai-organization is %q", got.header.Get("Openai-Organization"))
		}
		seen[got.header.Get("X-Request-Id")] = true
	}
	if len(seen) != 3 {
		t.Errorf("request IDs repeat: %v", seen)
	}
}

func TestTheRateLimitAnswers429WithAWait(t *testing.T) {
	server, _ := newDemo(t)
	server.LimitRate(2)
	var last answered
	for _, want := range []int{200, 200, 429} {
		last = ask(t, server, server.AdminKey(), http.MethodGet, "/organization/users", "")
		if last.status != want {
			t.Fatalf("%d instead of %d: %s", last.status, want, last.raw)
		}
	}
	if last.code != "rate_limit_exceeded" || last.header.Get("Retry-After") == "" || last.header.Get("X-Ratelimit-Remaining-Requests") != "0" {
		t.Errorf("%v %s", last.header, last.raw)
	}
}
