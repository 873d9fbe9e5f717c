package organization_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

// 9. A rotated key that may list users and no roles: good enough for the first key of an organization, and for a restart.
func TestARotatedKeyThatMayNotListRolesIsProven(t *testing.T) {
	for _, rotated := range []bool{false, true} {
		InScene(t, func(s *Scene) {
			api := s.Host("api", "org-1", Persons(3)...)
			s.Organization("team")
			if rotated {
				s.Connect("team", "api", Hourly, link.Pair{})
				s.Settle(time.Minute)
			}
			api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/roles", Status: http.StatusForbidden})
			api.AddKey("sk-admin-rotated")
			s.ConnectWith("team", "sk-admin-rotated", "api", Hourly, PairAt("api", "org-1"), "")
			s.Settle(6 * time.Hour)
			s.Expect("the key is proven", link.Proven, s.All.View(ObjectName("team")).State)
		})
	}
}

// 10. Windows of different length.
// 12. DELETE of users is slow; a role that is taken from another waits behind.
func TestASlowDeletionDelaysNoRoleThatIsTaken(t *testing.T) {
	InScene(t, func(s *Scene) {
		const people = 40
		api := s.Host("api", "org-1", Persons(people)...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		s.Organization("team")
		api.LimitEndpoint("DELETE", "/organization/users/{id}", 1, openaitest.HintNone)
		api.AssignRole("user-000", "role-1")
		b := s.Binding("team", "role-1", map[string]string{"user-000": "user-000@example.com"})
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Hour, RequestsPerMinute: 300}, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		var ids []string
		for i := 1; i < people-1; i++ {
			ids = append(ids, Person(i).ID)
		}
		s.Leaver("team", ids...)
		s.Settle(5 * time.Minute)
		b.Spec.Subjects = []v1alpha1.Subject{}
		s.Edit(b)
		began := time.Now()
		for len(api.Members()[0].Direct) != 0 && time.Since(began) < 2*time.Hour {
			s.Settle(time.Second)
		}
		t.Log("waited", time.Since(began), len(s.Edge.IDsOf(plan.Remove)))
		if waited := time.Since(began); waited > 10*time.Second {
			t.Errorf("a role that is to be taken waited %v for the removals of others", waited)
		}
	})
}

// 13. Live answers are ahead of the cache, in two things at once: looks have to wait as they do for one.
func TestAWatchThatLagsIsNoLoopWhereRolesAreAskedForToo(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		user := s.OrgUser("team", "user-001", "user-001@example.com", Wants("reader"))
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		Calls(api)
		s.Ahead(func(o *v1alpha1.Organization) {
			o.Spec.Mode = v1alpha1.ModeObserve
			o.Spec.Undeclared.RoleAssignments = v1alpha1.UndeclaredRolesReport
		})
		user.Spec.Role = "owner"
		s.Edit(user)
		s.Settle(time.Minute)
		got := Calls(api)
		t.Log(got)
		within(s, "looks in a minute", got[Emails], 15)
	})
}

// 14. An outage of the endpoints of roles after a lost answer, and one binding released while another gives the role.
func TestADoubtThatCannotBeSettledInAnOutageIsNoLoop(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		s.Organization("team")
		s.Binding("team", "role-1", map[string]string{"user-000": "user-000@example.com"})
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 300}, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		api.SetLatency(200 * time.Millisecond)
		api.Fail(openaitest.Fault{Method: "POST", Path: "/organization/users/user-001/roles", Status: 502})
		one := s.Binding("team", "role-1", map[string]string{"user-000": "user-000@example.com", "user-001": "user-001@example.com"})
		s.Wake(one)
		s.Settle(10 * time.Second)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-001/roles", Status: 503})
		s.Settle(50 * time.Second)
		two := one.DeepCopy()
		two.Name, two.UID = "two", "two"
		s.Edit(two)
		one.Spec.Subjects = one.Spec.Subjects[:0]
		one.Spec.Subjects = append(one.Spec.Subjects, v1alpha1.Subject{Email: "user-000@example.com"})
		s.Edit(one)
		s.Settle(20 * time.Minute)
		Calls(api)
		s.Settle(10 * time.Minute)
		got := Calls(api)
		t.Log(got)
		within(s, "looks in ten minutes", got[Emails]+got[GetUser], 40)
	})
}

func TestWhereRoleListsDoNotFitTheIntervalThatIsKnown(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(60)...)
		role := api.AddRole(openaitest.Role{Name: "viewer"})
		s.Organization("team")
		who := map[string]string{}
		for _, person := range Persons(60) {
			who[person.ID] = person.Email
		}
		s.Binding("team", role, who)
		s.Connect("team", "api", link.Terms{Interval: 30 * time.Second, RequestsPerMinute: 60}, link.Pair{})
		s.Settle(30 * time.Minute)
		if late := s.All.View(ObjectName("team")).LookWait; late < 20*time.Second {
			t.Errorf("sixty role lists in half a minute, with sixty requests a minute, are known to be %s late", late)
		}
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 60}, link.Pair{})
		s.Settle(30 * time.Minute)
		if late := s.All.View(ObjectName("team")).LookWait; late > 5*time.Minute {
			t.Errorf("sixty role lists in ten minutes are said to be %s late", late)
		}
	})
}
