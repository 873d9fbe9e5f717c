package organization_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

// Behind the address is another organization from one call to the next: what it answers to a change is not believed of
// this one, and nothing more is sent.
func TestTheAnswerOfAnotherOrganizationToAChangeIsNotBelieved(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		s.Organization("team")
		s.OrgUser("team", "user-001", "user-001@example.com", Wants("owner"))
		s.APIs["api"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorder := httptest.NewRecorder()
			api.ServeHTTP(recorder, r)
			maps.Copy(w.Header(), recorder.Header())
			if r.Method == http.MethodPost {
				w.Header().Set("Openai-Organization", "org-2")
			}
			w.WriteHeader(recorder.Code)
			_, _ = w.Write(recorder.Body.Bytes()) // a recorder takes it
		})
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(10 * time.Minute)
		s.Expect("told", []string(nil), s.Edge.IDsOf(plan.Update))
		s.Expect("sent", 1, Calls(api)["POST /organization/users/{id}"])
		s.Expect("the key", link.OtherOrganization, s.All.View(ObjectName("team")).State)
	})
}
