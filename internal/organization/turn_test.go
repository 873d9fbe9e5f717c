package organization_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

func TestOnePersonsChangeIsALookAndACall(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		user := s.OrgUser("team", "user-001", "user-001@example.com", Wants("reader"))
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		s.Expect("calls of the start", map[string]int{Users: 1}, Calls(api))
		user.Spec.Role = "owner"
		s.Edit(user)
		s.Settle(time.Minute)
		s.Expect("calls of a change", map[string]int{Emails: 1, PostUser: 1}, Calls(api))
		s.Expect("changed", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
		s.Settle(10 * time.Minute)
		s.Expect("calls afterwards", map[string]int{}, Calls(api))
	})
}

func TestARolesFirstAssignmentIsTwoLooksAndACall(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		role := api.AddRole(openaitest.Role{Name: "viewer"})
		s.Organization("team")
		binding := s.Binding("team", role, map[string]string{"user-000": "user-000@example.com"})
		s.Connect("team", "api", Hourly, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		s.Expect("holds", []string{"viewer"}, api.Members()[0].Direct)
		Calls(api)
		again := s.Binding("team", role, map[string]string{"user-000": "user-000@example.com", "user-001": "user-001@example.com"})
		s.Wake(again)
		s.Settle(time.Minute)
		s.Expect("calls of one more", map[string]int{Emails: 1, ListRoles: 1, AssignRole: 1}, Calls(api))
		s.Expect("holds", []string{"viewer"}, api.Members()[1].Direct)
		binding.Status = again.Status
		s.Edit(binding)
		s.Settle(time.Minute)
		s.Expect("calls of one less", map[string]int{Emails: 1, GetRole: 1, TakeRole: 1}, Calls(api))
		s.Expect("holds", []string(nil), api.Members()[1].Direct)
	})
}

func TestAMassChangeIsAtMostAQuarterMoreCallsThanChanges(t *testing.T) {
	InScene(t, func(s *Scene) {
		const people = 200
		api := s.Host("api", "org-1", Persons(people)...)
		s.Organization("team")
		for i := range people {
			s.OrgUser("team", Person(i).ID, Person(i).Email, Wants("owner"))
		}
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Hour, RequestsPerMinute: 150}, link.Pair{})
		s.Settle(10 * time.Minute)
		got := Calls(api)
		delete(got, Users)
		if total := got[Emails] + got[PostUser]; got[PostUser] != people || total > people*5/4 {
			s.Errorf("%d changes took %v", people, got)
		}
	})
}

func TestALeaversRemovalIsALookAndACallAndIsCounted(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.OrgUser("team", "user-000", "user-000@example.com")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		Calls(api)
		s.Leaver("team", "user-001")
		s.Settle(time.Minute)
		s.Expect("calls", map[string]int{Emails: 1, DeleteUser: 1}, Calls(api))
		s.Expect("counted", int32(1), s.OrgNow("team").Status.Removals.Count)
	})
}

func TestALookThatCannotBeMadeIsTriedEverMoreRarely(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		user := s.OrgUser("team", "user-001", "user-001@example.com", Wants("reader"))
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		Calls(api)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users", Status: http.StatusServiceUnavailable})
		user.Spec.Role = "owner"
		s.Edit(user)
		s.Settle(2 * time.Minute)
		if got := Calls(api); got[Emails] < 5 || got[Emails] > 9 {
			t.Errorf("in two minutes of an outage: %v", got)
		}
		api.ClearFaults()
		s.Settle(5 * time.Minute)
		s.Expect("made when the outage is over", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
	})
}

func TestALookThatIsTooOldIsNoReasonToCall(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		user := s.OrgUser("team", "user-001", "user-001@example.com", Wants("reader"))
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		Calls(api)
		s.BeforeAnswers(func(what string) error {
			if what == "get OrgUser u-user-001" {
				time.Sleep(1100 * time.Millisecond) //nolint:forbidigo // the bubble's clock
			}
			return nil
		})
		user.Spec.Role = "owner"
		s.Edit(user)
		s.Settle(time.Minute)
		got := Calls(api)
		s.Expect("calls that change", 0, got[PostUser])
		if got[Emails] < 4 || got[Emails] > 30 {
			t.Errorf("in a minute in which Kubernetes is slow: %v", got)
		}
		o := s.All.Of(ObjectName("team"))
		d, err := o.Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.Expect("what is said", plan.Retrying, d.Claims[string(user.UID)].Fact.Kind)
		s.BeforeAnswers(nil)
		s.Settle(5 * time.Minute)
		s.Expect("made when Kubernetes is fast again", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
	})
}

func TestARemovalThatWasCountedAndNotSentIsGivenBack(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.OrgUser("team", "user-000", "user-000@example.com")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		Calls(api)
		slow := 3
		s.Edge.Writing = func() error {
			if slow > 0 {
				slow--
				time.Sleep(1100 * time.Millisecond) //nolint:forbidigo // the bubble's clock
			}
			return nil
		}
		s.Leaver("team", "user-001")
		s.Settle(10 * time.Minute)
		s.Expect("removed", 1, Calls(api)[DeleteUser])
		s.Expect("counted", int32(1), s.OrgNow("team").Status.Removals.Count)
	})
}

func TestARemovalThatCannotBeCountedIsNotMade(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.OrgUser("team", "user-000", "user-000@example.com")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Edge.Writing = func() error { return errors.New("no") }
		s.Leaver("team", "user-001")
		s.Settle(10 * time.Minute)
		if got := Calls(api); got[DeleteUser] != 0 || got[Emails] > 20 {
			t.Errorf("calls: %v", got)
		}
	})
}

func TestAPersonIsNotHeldUpByOthersWhoseCallsHang(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		hangs := s.OrgUser("team", "user-001", "user-001@example.com", Wants("reader"))
		other := s.OrgUser("team", "user-002", "user-002@example.com", Wants("reader"))
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "POST", Path: "/organization/users/user-001", Latency: time.Hour})
		hangs.Spec.Role, other.Spec.Role = "owner", "owner"
		s.Edit(hangs)
		s.Settle(time.Second)
		s.Edit(other)
		s.Settle(time.Second)
		s.Expect("made", []string{"user-002"}, s.Edge.IDsOf(plan.Update))
		api.ClearFaults()
		s.Settle(5 * time.Minute)
		s.Expect("made in the end", []string{"user-001", "user-002"}, s.Edge.IDsOf(plan.Update))
	})
}

func TestAllTokensThatWereNotUsedComeBack(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		api.SetRole("user-003", "owner")
		api.SetRole("user-004", "owner")
		s.Organization("team")
		user := s.OrgUser("team", "user-001", "user-001@example.com", Wants("reader"))
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Hour, RequestsPerMinute: 60}, link.Pair{})
		s.Settle(time.Minute)
		// Somebody made the change by hand meanwhile: the look sees it, and no call is made.
		for i := range 20 {
			Calls(api)
			role := []v1alpha1.UserRole{"owner", "reader"}[i%2]
			api.SetRole("user-001", string(role))
			user.Spec.Role = role
			s.Edit(user)
			s.Settle(1010 * time.Millisecond)
			s.Expect("calls", map[string]int{Emails: 1}, Calls(api))
		}
	})
}

func TestThoseWithOneAddressDoNotWaitForEachOtherBusily(t *testing.T) {
	InScene(t, func(s *Scene) {
		twin := Person(2)
		twin.Email = Person(1).Email
		api := s.Host("api", "org-1", Person(0), Person(1), twin)
		s.Organization("team")
		a := s.OrgUser("team", "user-001", "", Wants("reader"), func(u *v1alpha1.OrgUser) { u.Spec.UserID = "user-001" })
		b := s.OrgUser("team", "user-002", "", Wants("reader"), func(u *v1alpha1.OrgUser) { u.Spec.UserID = "user-002" })
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		api.SetLatency(200 * time.Millisecond)
		a.Spec.Role, b.Spec.Role = "owner", "owner"
		s.Edit(a)
		s.Settle(time.Millisecond)
		s.Edit(b)
		s.Settle(time.Minute)
		s.Expect("made", []string{"user-001", "user-002"}, s.Edge.IDsOf(plan.Update))
	})
}

// A binding of a thousand subjects is long, and each of them has fields that change.
func TestAChangeOfFieldsReadsTheManifestsItRestsOnAndNoBinding(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		role := api.AddRole(openaitest.Role{Name: "viewer"})
		s.Organization("team")
		user := s.OrgUser("team", "user-001", "user-001@example.com")
		s.Binding("team", role, map[string]string{"user-001": "user-001@example.com"})
		s.Connect("team", "api", Hourly, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		var mu sync.Mutex
		read := map[string]int{}
		s.Cluster.BeforeAnswers(func(what string) error {
			mu.Lock()
			defer mu.Unlock()
			read[strings.Join(strings.Fields(what)[:2], " ")]++
			return nil
		})
		user.Spec.Role = "owner"
		s.Edit(user)
		s.Settle(time.Minute)
		s.Expect("changed", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
		mu.Lock()
		defer mu.Unlock()
		s.Expect("read live", map[string]int{"get OrgUser": 1, "get Organization": 1, "get *v1.PartialObjectMetadata": 1}, read) // the last is the namespace
	})
}
