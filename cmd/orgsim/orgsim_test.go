package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// running starts orgsim on a free port and returns its base URL, from what it prints, and its address.
func running(t *testing.T, flags ...string) (base, server string) {
	t.Helper()
	read, write := io.Pipe()
	command := newCommand()
	command.SetArgs(append([]string{"--listen", "127.0.0.1:0"}, flags...))
	command.SetOut(write)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- command.ExecuteContext(ctx)
		write.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("orgsim ended with %v", err)
		}
	})
	lines := bufio.NewScanner(read)
	for lines.Scan() {
		if found, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "base-url"); ok {
			go io.Copy(io.Discard, read) //nolint:errcheck // ends with the pipe
			base = strings.TrimSpace(found)
			return base, strings.TrimSuffix(base, "/v1")
		}
	}
	t.Fatal("orgsim said no base-url")
	return "", ""
}

// orgsim runs one command and returns what it prints.
func orgsim(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := newCommand()
	command.SetArgs(arguments)
	command.SetOut(&out)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

func must(t *testing.T, want string, arguments ...string) {
	t.Helper()
	got, err := orgsim(t, arguments...)
	if err != nil || !strings.Contains(got, want) {
		t.Errorf("orgsim %s: error %v, and printed\n%swhich lacks %q", strings.Join(arguments, " "), err, got, want)
	}
}

func TestAPersonCanLookAndChangeThingsByHand(t *testing.T) {
	_, server := running(t)
	at := func(arguments ...string) []string { return append(arguments, "--server", server) }
	must(t, "Ada Lovelace  ada.lovelace@example.com  owner", at("users", "lovelace")...)
	must(t, "usage-viewer (from a group)", at("users", "perlman")...)
	must(t, "emmy@example.com has joined", at("add", "emmy@example.com", "--role", "owner")...)
	must(t, "changed by hand", at("set", "EMMY@example.com", "--role", "reader", "--persona", "math", "--level", "expert", "--assign", "billing-admin")...)
	must(t, "emmy@example.com  reader  math     expert  billing-admin", at("users", "emmy")...)
	must(t, "changed by hand", at("set", "emmy@example.com", "--level", "", "--unassign", "billing-admin")...)
	must(t, "emmy@example.com  reader  math     -      -", at("users", "emmy")...)
	must(t, "auditor is offered", at("add-role", "auditor")...)
	must(t, "changed by hand", at("set", "emmy@example.com", "--assign", "auditor")...)
	must(t, "auditor", at("users", "emmy")...)
	must(t, "taken out by hand", at("remove", "emmy@example.com")...)
	must(t, "Nobody.", at("users", "emmy")...)
}

func TestTheJournalShowsCallsAndFaultsMakeThemFail(t *testing.T) {
	base, server := running(t, "--admin-key", "sk-admin-first")
	get := func(key string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/organization/users?limit=1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	expect := func(want int, key string) {
		t.Helper()
		if got := get(key); got != want {
			t.Errorf("answered %d instead of %d", got, want)
		}
	}
	expect(200, "sk-admin-first")
	must(t, "GET /organization/users?limit=1", "journal", "--server", server)
	must(t, "calls will fail", "fault", "--path", "/organization/users", "--status", "503", "--times", "1", "--server", server)
	expect(503, "sk-admin-first")
	expect(200, "sk-admin-first")
	must(t, "calls will fail", "fault", "--status", "500", "--server", server)
	must(t, "no more faults", "fault", "--clear", "--server", server)
	must(t, "refused from now on", "rotate-key", "sk-admin-second", "--server", server)
	expect(401, "sk-admin-first")
	expect(200, "sk-admin-second")
	must(t, "a new journal begins", "journal", "--clear", "--server", server)
	if got, err := orgsim(t, "journal", "--changes", "--server", server); err != nil || strings.Contains(got, "GET") {
		t.Errorf("the journal still has %q, %v", got, err)
	}
}

func TestOneEndpointIsLimited(t *testing.T) {
	base, server := running(t)
	answers := func() (status int, retryAfter string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/organization/roles", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer sk-admin-simulated-organization-key")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode, response.Header.Get("Retry-After")
	}
	must(t, "limited as told", "limit", "GET", "/organization/roles", "--per-minute", "1", "--hint", "zero", "--server", server)
	if status, _ := answers(); status != 200 {
		t.Errorf("the first call: %d", status)
	}
	if status, retryAfter := answers(); status != 429 || retryAfter != "0" {
		t.Errorf("the second call: %d, Retry-After %q", status, retryAfter)
	}
	must(t, "no endpoint is limited", "limit", "--clear", "--server", server)
	if status, _ := answers(); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}

func TestRolesOfUsersGetLongIDs(t *testing.T) {
	_, server := running(t)
	must(t, "named as told", "long-role-ids", "--server", server)
	must(t, "named as told", "long-role-ids", "--off", "--server", server)
}

func TestMistakesAreExplained(t *testing.T) {
	_, server := running(t, "--seed", "many:3")
	must(t, "user-000003@example.com", "users", "--server", server)
	for want, arguments := range map[string][]string{
		"--admin-key must begin with sk-admin-":         {"--admin-key", "sk-proj-x", "--listen", "127.0.0.1:0"},
		`--seed is "many:x"; it must be demo, empty or`: {"--seed", "many:x", "--listen", "127.0.0.1:0"},
		"cannot listen on --listen 127.0.0.1:notaport":  {"--listen", "127.0.0.1:notaport"},
		"nobody has this ID or email":                   {"set", "nobody@example.com", "--role", "owner", "--server", server},
		"role must be owner or reader":                  {"set", "user-000001", "--role", "king", "--server", server},
		"no role has the name or ID king":               {"set", "user-000001", "--assign", "king", "--server", server},
		"an admin key begins with sk-admin-":            {"rotate-key", "secret", "--server", server},
		"start one, or name it with --server":           {"users", "--server", "http://127.0.0.1:1"},
		"GET /organization is no call of the API":       {"limit", "GET", "/organization", "--per-minute", "1", "--server", server},
		"hint must be one of":                           {"limit", "GET", "/organization/roles", "--hint", "nod", "--server", server},
		"name the endpoint, such as GET":                {"limit", "--server", server},
		"is no orgsim: 401 Unauthorized":                {"users", "--server", server + "/elsewhere"},
	} {
		if got, err := orgsim(t, arguments...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("orgsim %s: error %v, printed %q; expected %q", strings.Join(arguments, " "), err, got, want)
		}
	}
}
