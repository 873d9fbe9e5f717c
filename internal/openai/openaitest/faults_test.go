package openaitest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const alanPath = "/organization/users/user-alanturing"

func statusOf(err error) int {
	if e, ok := errors.AsType[*openai.Error](err); ok {
		return e.StatusCode
	}
	return 0
}

func TestAStatusOnDemandComesInsteadOfTheCallAsOftenAsAskedFor(t *testing.T) {
	for _, status := range []int{400, 401, 403, 429, 500, 503} {
		server, api := newDemo(t)
		server.Fail(openaitest.Fault{Method: "POST", Path: "/organization/users/*", Status: status, RetryAfter: 7, Times: 1})
		promote := openai.AdminOrganizationUserUpdateParams{Role: param.NewOpt("owner")}
		_, err := api.Users.Update(t.Context(), "user-alanturing", promote)
		if statusOf(err) != status {
			t.Errorf("%d: got %v", status, err)
		}
		if e, ok := errors.AsType[*openai.Error](err); ok && status == 429 && e.Response.Header.Get("Retry-After") != "7" {
			t.Errorf("429 without its Retry-After: %v", e.Response.Header)
		}
		if len(server.Mutations()) != 0 {
			t.Errorf("%d: the call was carried out", status)
		}
		if _, err := api.Users.Update(t.Context(), "user-alanturing", promote); err != nil {
			t.Errorf("%d: the second call failed too: %v", status, err)
		}
	}
}

func TestAFaultMeetsOnlyTheCallsThatMatch(t *testing.T) {
	server, _ := newDemo(t)
	server.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/*", Status: 503})
	for path, want := range map[string]int{
		"/organization/users": 200, alanPath: 503, alanPath + "/roles": 200, "/organization/roles": 200,
	} {
		if got := ask(t, server, server.AdminKey(), http.MethodGet, path, ""); got.status != want {
			t.Errorf("GET %s: %d instead of %d", path, got.status, want)
		}
	}
	if got := ask(t, server, server.AdminKey(), http.MethodPost, alanPath, `{}`); got.status != 200 {
		t.Errorf("POST: %d", got.status)
	}
	server.ClearFaults()
	if got := ask(t, server, server.AdminKey(), http.MethodGet, alanPath, ""); got.status != 200 {
		t.Errorf("after ClearFaults: %d", got.status)
	}
}

func TestOnePageOfAListCanFail(t *testing.T) {
	server, api := newDemo(t)
	server.Fail(openaitest.Fault{Path: "/organization/users", Status: 500, Skip: 1, Times: 1})
	pages := api.Users.ListAutoPaging(t.Context(), openai.AdminOrganizationUserListParams{Limit: param.NewOpt[int64](10)})
	seen := 0
	for pages.Next() {
		seen++
	}
	if seen != 10 || statusOf(pages.Err()) != 500 {
		t.Errorf("%d people and %v", seen, pages.Err())
	}
}

func TestAnAnswerThatIsNoJSON(t *testing.T) {
	for _, status := range []int{200, 502} {
		server, _ := newDemo(t)
		server.Fail(openaitest.Fault{Status: status, HTML: true, Times: 1})
		got := ask(t, server, server.AdminKey(), http.MethodGet, "/organization/users", "")
		if got.status != status || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.raw, "<html") {
			t.Errorf("%d: %d %v %s", status, got.status, got.header, got.raw)
		}
	}
}

func TestALostConnectionIsLostBeforeOrAfterTheChange(t *testing.T) {
	for drop, changed := range map[openaitest.Drop]bool{openaitest.DropBefore: false, openaitest.DropAfter: true} {
		server, api := newDemo(t)
		server.Fail(openaitest.Fault{Method: "DELETE", Drop: drop, Times: 1})
		_, err := api.Users.Delete(t.Context(), "user-alanturing")
		if err == nil || statusOf(err) != 0 {
			t.Errorf("%s: got %v", drop, err)
		}
		journal := server.Journal()
		if len(journal) != 1 || journal[0].Status != 0 || journal[0].Changed != changed {
			t.Errorf("%s: %+v", drop, journal)
		}
	}
}

func TestAGETThatIsDroppedOnceOnAUsedConnectionIsNotSilentlySentAgain(t *testing.T) {
	server, api := newDemo(t)
	if _, err := api.Users.Get(t.Context(), "user-alanturing"); err != nil {
		t.Fatal(err)
	}
	server.Fail(openaitest.Fault{Method: "GET", Drop: openaitest.DropBefore, Times: 1})
	if _, err := api.Users.Get(t.Context(), "user-alanturing"); err == nil {
		t.Errorf("answered, in %d calls", len(server.Journal()))
	}
}

func TestATruncatedAnswerEndsInTheMiddle(t *testing.T) {
	server, _ := newDemo(t)
	server.Fail(openaitest.Fault{Truncate: true, Times: 1})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+alanPath, strings.NewReader(`{"role":"owner"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+server.AdminKey())
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the body ended with %v", err)
	}
	if len(server.Mutations()) != 1 {
		t.Error("the call was not carried out")
	}
}

func TestLatencyDelaysAndIsCutShortByTheCaller(t *testing.T) {
	server, _ := newDemo(t)
	server.Fail(openaitest.Fault{Latency: 50 * time.Millisecond, Times: 1})
	begun := time.Now()
	if got := ask(t, server, server.AdminKey(), http.MethodGet, alanPath, ""); got.status != 200 || time.Since(begun) < 50*time.Millisecond {
		t.Errorf("%d after %s", got.status, time.Since(begun))
	}
	server.Fail(openaitest.Fault{Latency: time.Hour, Times: 1})
	impatient := &http.Client{Timeout: 50 * time.Millisecond}
	if response, err := impatient.Get(server.URL() + alanPath); err == nil {
		response.Body.Close()
		t.Error("answered without the delay")
	}
}

func TestAListCanChangeBetweenItsPages(t *testing.T) {
	server, api := newDemo(t)
	var once sync.Once
	server.During(func(call openaitest.Call) {
		if call.Endpoint == "/organization/users" {
			once.Do(func() { server.RemoveUser("user-alanturing") })
		}
	})
	// Alan is the fifth: the cursor of the first page is gone when the second is asked for.
	pages := api.Users.ListAutoPaging(t.Context(), openai.AdminOrganizationUserListParams{Limit: param.NewOpt[int64](5)})
	seen := 0
	for pages.Next() {
		seen++
	}
	if seen != 5 || statusOf(pages.Err()) != 400 {
		t.Errorf("%d people and %v", seen, pages.Err())
	}
}

func TestTheJournalSaysWhoWasCalledForAndWhatCameOfIt(t *testing.T) {
	server, _ := newDemo(t)
	for _, call := range [][3]string{
		{"GET", "/organization/users?limit=2", ""},
		{"POST", alanPath, `{"role":"owner"}`},
		{"POST", alanPath, `{"role":"emperor"}`},
		{"POST", alanPath + "/roles", `{"role_id":"role_evals"}`},
		{"DELETE", alanPath + "/roles/role_evals", ""},
		{"DELETE", alanPath, ""},
	} {
		ask(t, server, server.AdminKey(), call[0], call[1], call[2])
	}
	want := []string{
		"GET /organization/users limit=2   200 false 3",
		`POST /organization/users/{id}  alan.turing@example.com {"role":"owner"} 200 true 4`,
		`POST /organization/users/{id}  alan.turing@example.com {"role":"emperor"} 400 false 4`,
		`POST /organization/users/{id}/roles  alan.turing@example.com {"role_id":"role_evals"} 200 true 4`,
		"DELETE /organization/users/{id}/roles/{role_id}  alan.turing@example.com  200 true 4",
		"DELETE /organization/users/{id}  alan.turing@example.com  200 true 3",
	}
	journal := server.Journal()
	for i, call := range journal {
		got := fmt.Sprintf("%s %s %s %s %s %d %t %d", call.Method, call.Endpoint, call.Query, call.Email, call.Body, call.Status, call.Changed, call.Owners)
		if i >= len(want) || got != want[i] {
			t.Errorf("call %d: %s", i+1, got)
		}
	}
	if len(journal) != len(want) || len(server.Mutations()) != 4 {
		t.Errorf("%d calls, of which %d changed something", len(journal), len(server.Mutations()))
	}
	server.ResetJournal()
	if len(server.Journal()) != 0 {
		t.Error("ResetJournal left something")
	}
}

func TestManyCallersAtOnceNeverLeaveTheOrganizationWithoutAnOwner(t *testing.T) {
	server, _ := newDemo(t)
	owners := []string{"user-adalovelace", "user-margarethamilton", "user-katherinejohnson"}
	key := server.AdminKey()
	var callers sync.WaitGroup
	for i, id := range append(owners, owners...) {
		callers.Go(func() {
			if i%2 == 0 {
				ask(t, server, key, http.MethodPost, "/organization/users/"+id, `{"role":"reader"}`)
			} else {
				ask(t, server, key, http.MethodDelete, "/organization/users/"+id, "")
			}
			ask(t, server, key, http.MethodGet, "/organization/users?limit=100", "")
		})
		callers.Go(func() {
			server.AddUser(openaitest.User{Email: fmt.Sprintf("new-%d@example.com", i), Role: "reader"})
			server.Members()
		})
	}
	callers.Wait()
	if server.Owners() != 1 {
		t.Errorf("%d owners are left", server.Owners())
	}
	if n := len(server.Journal()); n != 12 {
		t.Errorf("the journal has %d of 12 calls", n)
	}
}
