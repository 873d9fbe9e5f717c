package organization

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

func TestOnePersonsChangeIsALookAndACall(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		user := s.orgUser("team", "user-001", "user-001@example.com", wants("reader"))
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		s.expect("calls of the start", map[string]int{users: 1}, calls(api))
		user.Spec.Role = "owner"
		s.edit(user)
		s.settle(time.Minute)
		s.expect("calls of a change", map[string]int{emails: 1, postUser: 1}, calls(api))
		s.expect("changed", []string{"user-001"}, s.edge.idsOf(plan.Update))
		s.settle(10 * time.Minute)
		s.expect("calls afterwards", map[string]int{}, calls(api))
	})
}

func TestARolesFirstAssignmentIsTwoLooksAndACall(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		role := api.AddRole(openaitest.Role{Name: "viewer"})
		s.organization("team")
		binding := s.binding("team", role, map[string]string{"user-000": "user-000@example.com"})
		s.connect("team", "api", hourly, link.Pair{})
		s.all.Of(objectName("team")).readNow()
		s.settle(time.Minute)
		s.expect("holds", []string{"viewer"}, api.Members()[0].Direct)
		calls(api)
		again := s.binding("team", role, map[string]string{"user-000": "user-000@example.com", "user-001": "user-001@example.com"})
		s.wake(again)
		s.settle(time.Minute)
		s.expect("calls of one more", map[string]int{emails: 1, listRoles: 1, assignRole: 1}, calls(api))
		s.expect("holds", []string{"viewer"}, api.Members()[1].Direct)
		binding.Status = again.Status
		s.edit(binding)
		s.settle(time.Minute)
		s.expect("calls of one less", map[string]int{emails: 1, getRole: 1, takeRole: 1}, calls(api))
		s.expect("holds", []string(nil), api.Members()[1].Direct)
	})
}

func TestAMassChangeIsAtMostAQuarterMoreCallsThanChanges(t *testing.T) {
	inScene(t, func(s *scene) {
		const people = 200
		api := s.host("api", "org-1", persons(people)...)
		s.organization("team")
		for i := range people {
			s.orgUser("team", person(i).ID, person(i).Email, wants("owner"))
		}
		s.connect("team", "api", link.Terms{Interval: 10 * time.Hour, RequestsPerMinute: 150}, link.Pair{})
		s.settle(10 * time.Minute)
		got := calls(api)
		delete(got, users)
		if total := got[emails] + got[postUser]; got[postUser] != people || total > people*5/4 {
			s.Errorf("%d changes took %v", people, got)
		}
	})
}

func (s *scene) leaver(namespace string, ids ...string) {
	org := s.orgNow(namespace)
	for _, id := range ids {
		org.Status.Leaving = append(org.Status.Leaving, v1alpha1.Leaver{UserID: id, Email: id + "@example.com", OrgUser: "u"})
	}
	s.put(org)
	s.wake(org)
}

func TestALeaversRemovalIsALookAndACallAndIsCounted(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.orgUser("team", "user-000", "user-000@example.com")
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		calls(api)
		s.leaver("team", "user-001")
		s.settle(time.Minute)
		s.expect("calls", map[string]int{emails: 1, deleteUser: 1}, calls(api))
		s.expect("counted", int32(1), s.orgNow("team").Status.Removals.Count)
	})
}

func TestALookThatCannotBeMadeIsTriedEverMoreRarely(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		user := s.orgUser("team", "user-001", "user-001@example.com", wants("reader"))
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		calls(api)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users", Status: http.StatusServiceUnavailable})
		user.Spec.Role = "owner"
		s.edit(user)
		s.settle(2 * time.Minute)
		if got := calls(api); got[emails] < 5 || got[emails] > 9 {
			t.Errorf("in two minutes of an outage: %v", got)
		}
		api.ClearFaults()
		s.settle(5 * time.Minute)
		s.expect("made when the outage is over", []string{"user-001"}, s.edge.idsOf(plan.Update))
	})
}

func TestALookThatIsTooOldIsNoReasonToCall(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		user := s.orgUser("team", "user-001", "user-001@example.com", wants("reader"))
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		calls(api)
		s.beforeAnswers(func(what string) error {
			if what == "get OrgUser u-user-001" {
				time.Sleep(1100 * time.Millisecond) //nolint:forbidigo // the bubble's clock
			}
			return nil
		})
		user.Spec.Role = "owner"
		s.edit(user)
		s.settle(time.Minute)
		got := calls(api)
		s.expect("calls that change", 0, got[postUser])
		if got[emails] < 4 || got[emails] > 30 {
			t.Errorf("in a minute in which Kubernetes is slow: %v", got)
		}
		o := s.all.Of(objectName("team"))
		d, err := o.Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.expect("what is said", plan.Retrying, d.Claims[string(user.UID)].Fact.Kind)
		s.beforeAnswers(nil)
		s.settle(5 * time.Minute)
		s.expect("made when Kubernetes is fast again", []string{"user-001"}, s.edge.idsOf(plan.Update))
	})
}

func TestARemovalThatWasCountedAndNotSentIsGivenBack(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.orgUser("team", "user-000", "user-000@example.com")
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		calls(api)
		slow := 3
		s.edge.writing = func() error {
			if slow > 0 {
				slow--
				time.Sleep(1100 * time.Millisecond) //nolint:forbidigo // the bubble's clock
			}
			return nil
		}
		s.leaver("team", "user-001")
		s.settle(10 * time.Minute)
		s.expect("removed", 1, calls(api)[deleteUser])
		s.expect("counted", int32(1), s.orgNow("team").Status.Removals.Count)
	})
}

func TestARemovalThatCannotBeCountedIsNotMade(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.orgUser("team", "user-000", "user-000@example.com")
		s.connect("team", "api", hourly, link.Pair{})
		s.edge.writing = func() error { return errors.New("no") }
		s.leaver("team", "user-001")
		s.settle(10 * time.Minute)
		if got := calls(api); got[deleteUser] != 0 || got[emails] > 20 {
			t.Errorf("calls: %v", got)
		}
	})
}

func TestAPersonIsNotHeldUpByOthersWhoseCallsHang(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		hangs := s.orgUser("team", "user-001", "user-001@example.com", wants("reader"))
		other := s.orgUser("team", "user-002", "user-002@example.com", wants("reader"))
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "POST", Path: "/organization/users/user-001", Latency: time.Hour})
		hangs.Spec.Role, other.Spec.Role = "owner", "owner"
		s.edit(hangs)
		s.settle(time.Second)
		s.edit(other)
		s.settle(time.Second)
		s.expect("made", []string{"user-002"}, s.edge.idsOf(plan.Update))
		api.ClearFaults()
		s.settle(5 * time.Minute)
		s.expect("made in the end", []string{"user-001", "user-002"}, s.edge.idsOf(plan.Update))
	})
}

func TestAllTokensThatWereNotUsedComeBack(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		api.SetRole("user-003", "owner")
		api.SetRole("user-004", "owner")
		s.organization("team")
		user := s.orgUser("team", "user-001", "user-001@example.com", wants("reader"))
		s.connect("team", "api", link.Terms{Interval: 10 * time.Hour, RequestsPerMinute: 60}, link.Pair{})
		s.settle(time.Minute)
		// Somebody made the change by hand meanwhile: the look sees it, and no call is made.
		for i := range 20 {
			calls(api)
			role := []v1alpha1.UserRole{"owner", "reader"}[i%2]
			api.SetRole("user-001", string(role))
			user.Spec.Role = role
			s.edit(user)
			s.settle(1010 * time.Millisecond)
			s.expect("calls", map[string]int{emails: 1}, calls(api))
		}
	})
}

func TestThoseWithOneAddressDoNotWaitForEachOtherBusily(t *testing.T) {
	inScene(t, func(s *scene) {
		twin := person(2)
		twin.Email = person(1).Email
		api := s.host("api", "org-1", person(0), person(1), twin)
		s.organization("team")
		a := s.orgUser("team", "user-001", "", wants("reader"), func(u *v1alpha1.OrgUser) { u.Spec.UserID = "user-001" })
		b := s.orgUser("team", "user-002", "", wants("reader"), func(u *v1alpha1.OrgUser) { u.Spec.UserID = "user-002" })
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		api.SetLatency(200 * time.Millisecond)
		a.Spec.Role, b.Spec.Role = "owner", "owner"
		s.edit(a)
		s.settle(time.Millisecond)
		s.edit(b)
		s.settle(time.Minute)
		s.expect("made", []string{"user-001", "user-002"}, s.edge.idsOf(plan.Update))
	})
}

func TestTwoChangesForWhichOneLookIsTooOldAreLateOnce(t *testing.T) {
	o := newOrganization(New(Options{Now: time.Now}).world, link.Pair{}, nil)
	t.Run("in their first turn", func(t *testing.T) { lateTwice(t, o, 0) })
	t.Run("in the one after it", func(t *testing.T) { lateTwice(t, o, 2) })
	t.Run("in a third", func(t *testing.T) { lateTwice(t, o, 2) }) // late anew, and what failed before is kept
}

// lateTwice has two changes of one person late in one turn, and tells whether that many are put off.
func lateTwice(t *testing.T, o *Organization, want int) {
	t.Helper()
	user := plan.User{ID: "user-001"}
	p := &passenger{Candidate: &pending.Candidate{Key: plan.IDKey(user.ID), User: user}, person: &plan.Person{User: user}}
	turn := &turn{Organization: o}
	for _, role := range []string{"one", "two"} {
		turn.late(p, plan.Due{Step: plan.Step{Verb: plan.Assign, UserID: user.ID, Role: plan.Role{ID: role}}})
	}
	if got := len(o.tries.Of(user.ID)); got != want {
		t.Errorf("%d changes are put off, want %d", got, want)
	}
}
