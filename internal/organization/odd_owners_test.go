package organization_test

import (
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

// 1c. A kind is being deleted while one of a turn is looked at slowly.
func TestTheSecondLeaverOfATurnStaysInATeardown(t *testing.T) {
	InScene(t, func(s *Scene) {
		people := Persons(5)
		people[2].Email = ""
		api := s.Host("api", "org-1", people...)
		s.Organization("team")
		s.OrgUser("team", "user-000", "user-000@example.com")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-002", Latency: 10 * time.Second})
		org := s.OrgNow("team")
		org.Status.Leaving = []v1alpha1.Leaver{{UserID: "user-001", Email: "user-001@example.com", OrgUser: "u"}, {UserID: "user-002", OrgUser: "v"}}
		s.Put(org)
		s.Wake(org)
		s.Settle(5 * time.Second)
		s.Down[declared.OrgUserCRD] = true
		s.Settle(time.Minute)
		t.Log(s.Edge.IDsOf(plan.Remove))
		got := s.Edge.IDsOf(plan.Remove)
		for _, id := range got {
			if id == "user-002" {
				t.Errorf("user-002 was removed five seconds after the kind began to be deleted: %v", got)
			}
		}
	})
}

// 1d. An owner who must stay was seen ten seconds ago, and is none any more.
func TestOwnersWhoMustStayWereSeenAMomentAgo(t *testing.T) {
	InScene(t, func(s *Scene) {
		people := ownersOf(5, 0, 1, 2)
		people[2].Email = ""
		api := s.Host("api", "org-1", people...)
		s.Organization("team", func(o *v1alpha1.Organization) { o.Spec.Guard.MinOwners = 2 })
		s.OrgUser("team", "user-003", "user-003@example.com")
		two := s.OrgUser("team", "user-002", "", func(u *v1alpha1.OrgUser) { u.Spec.UserID = "user-002" })
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-002", Latency: 10 * time.Second})
		two.Spec.Role = "reader"
		s.Edit(two)
		s.Settle(5 * time.Second)
		api.SetRole("user-000", "reader") // by hand, five seconds before the call
		s.Settle(time.Minute)
		s.Expect("owners", 2, api.Owners())
	})
}

// 16. The API says yes to a change and does not carry it out: calls in a day, whatever the interval.

// Of two objects of one organization the one that asks for more owners is heard, whoever asks for the demotion.
func TestNoObjectBringsTheOrganizationBelowTheMinOwnersOfAnother(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", ownersOf(6, 0, 1, 2)...)
		s.Organization("strict", func(o *v1alpha1.Organization) { o.Spec.Guard.MinOwners = 3 })
		s.Organization("lax", func(o *v1alpha1.Organization) { o.Spec.Guard.MinOwners = 1 })
		s.Connect("strict", "api", Hourly, link.Pair{})
		s.Connect("lax", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		user := s.OrgUser("lax", "user-001", "user-001@example.com", Wants("reader"))
		s.Wake(user)
		s.Settle(time.Minute)
		s.Expect("owners", 3, api.Owners())
		d, err := s.All.Of(ObjectName("lax")).Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.Expect("held with the numbers of the strict one", plan.Numbers{Would: 2, Most: 3}, d.Claims[string(user.UID)].Fact.Numbers)
	})
}
