package openaitest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// asked is one call of an organization without a server, for tests in fake time.
func asked(organization *openaitest.Organization, method, path string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, "/v1"+path, http.NoBody)
	request.Header.Set("Authorization", "Bearer "+organization.AdminKey())
	recorder := httptest.NewRecorder()
	organization.ServeHTTP(recorder, request)
	return recorder
}

func TestAnEndpointHasALimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			limit openaitest.Limit
			// pace is how far apart the calls are, accepted how many of 120 are answered.
			pace     time.Duration
			accepted int
		}{
			{openaitest.Limit{PerMinute: 10}, 2 * time.Second, 40},
			{openaitest.Limit{PerMinute: 10, Burst: 1}, 2 * time.Second, 40},
			{openaitest.Limit{PerMinute: 10, Burst: 10}, 2 * time.Second, 49},
			{openaitest.Limit{PerMinute: 30, Burst: 1}, 2 * time.Second, 120},
			{openaitest.Limit{PerMinute: 30}, 2 * time.Second, 120},
			{openaitest.Limit{}, 0, 120},
		} {
			organization := openaitest.New("org-acme", openaitest.DefaultAdminKey)
			organization.AddUser(openaitest.User{ID: "user-1"})
			test.limit.Method, test.limit.Endpoint = http.MethodGet, "/organization/users/{id}"
			organization.Limit(test.limit)
			accepted := 0
			for range 120 {
				if asked(organization, http.MethodGet, "/organization/users/user-1").Code == http.StatusOK {
					accepted++
				}
				if got := asked(organization, http.MethodGet, "/organization/users").Code; got != http.StatusOK {
					t.Fatalf("another endpoint answered %d", got)
				}
				time.Sleep(test.pace)
			}
			if accepted != test.accepted {
				t.Errorf("%+v: %d were accepted, want %d", test.limit, accepted, test.accepted)
			}
			organization.ClearLimits()
			if got := asked(organization, http.MethodGet, "/organization/users/user-1").Code; got != http.StatusOK {
				t.Errorf("without limits: %d", got)
			}
		}
	})
}

func TestALimitSaysWhenToComeAgainOrDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for hint, want := range map[openaitest.Hint]struct{ header, text string }{
			openaitest.HintNone:       {"", ""},
			"":                        {"", ""},
			openaitest.HintZero:       {"0", ""},
			openaitest.HintRetryAfter: {"59", ""},
			openaitest.HintText:       {"", "Please try again in 58.5s."},
		} {
			organization := openaitest.New("org-acme", openaitest.DefaultAdminKey)
			organization.LimitEndpoint(http.MethodGet, "/organization/users", 1, hint)
			asked(organization, http.MethodGet, "/organization/users")
			time.Sleep(1500 * time.Millisecond)
			got := asked(organization, http.MethodGet, "/organization/users")
			said := strings.Contains(got.Body.String(), "try again")
			if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") != want.header ||
				!strings.Contains(got.Body.String(), want.text) || said != (want.text != "") || !strings.Contains(got.Body.String(), "rate_limit_exceeded") {
				t.Errorf("%s: %d %v %s", hint, got.Code, got.Header(), got.Body)
			}
		}
	})
}

func TestAFaultCanMeetSomePeopleOnly(t *testing.T) {
	server, _ := newDemo(t)
	server.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-a*/roles", Status: 503})
	for path, want := range map[string]int{alanPath + "/roles": 503, alanPath: 200, "/organization/users/user-radiaperlman/roles": 200} {
		if got := ask(t, server, server.AdminKey(), http.MethodGet, path, ""); got.status != want {
			t.Errorf("GET %s: %d instead of %d", path, got.status, want)
		}
	}
}

func TestAServerThatHangsLetsGoWhenItCloses(t *testing.T) {
	server := openaitest.NewServer()
	reached := make(chan struct{}, 1)
	server.Fail(openaitest.Fault{Latency: time.Hour})
	server.Arrived(func(openaitest.Call) { reached <- struct{}{} })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, server.URL()+alanPath, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
		}
		ended <- err
	}()
	<-reached
	server.Close() // returns only when no call is under way
	if err := <-ended; err == nil {
		t.Error("it was answered")
	}
}
