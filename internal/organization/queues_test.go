package organization_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

// The API takes few changes of users, and many edits wait for them: a role is given meanwhile, and somebody leaves.
func TestWhoNeedsAnotherCallDoesNotWaitBehindASlowOne(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(120)...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		api.LimitEndpoint(http.MethodPost, "/organization/users/{id}", 10, openaitest.HintText)
		s.Organization("team")
		for i := range 100 {
			s.OrgUser("team", Person(i).ID, Person(i).Email, Wants("owner"))
		}
		s.OrgUser("team", Person(119).ID, Person(119).Email)
		s.Connect("team", "api", link.Terms{Interval: time.Hour, RequestsPerMinute: 3000}, link.Pair{})
		s.Settle(3 * time.Minute)
		before := len(s.Edge.IDsOf(plan.Update))
		s.Binding("team", "role-1", map[string]string{Person(115).ID: Person(115).Email})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Leaver("team", Person(118).ID)
		s.Settle(time.Minute)
		s.Expect("given", []string{Person(115).ID}, s.Edge.IDsOf(plan.Assign))
		s.Expect("taken", []string{Person(118).ID}, s.Edge.IDsOf(plan.Remove))
		s.Expect("edits wait", true, before < 100)
		s.Settle(10 * time.Minute)
		s.Expect("and are made", 100, len(s.Edge.IDsOf(plan.Update)))
	})
}
