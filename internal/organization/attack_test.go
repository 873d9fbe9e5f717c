package organization_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

func ownersOf(n int, ids ...int) []openaitest.User {
	all := Persons(n)
	for _, i := range ids {
		all[i].Role = "owner"
	}
	return all
}

// An owner more, whom a look at them shows and not a reading, wakes whom minOwners holds.
func TestAnOwnerWhomALookFindsWakesWhoIsHeld(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", ownersOf(5, 0, 1)...)
		s.Organization("team", func(o *v1alpha1.Organization) { o.Spec.Guard.MinOwners = 2 })
		s.OrgUser("team", "user-001", "user-001@example.com", Wants("reader"))
		other := s.OrgUser("team", "user-002", "user-002@example.com")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		s.Expect("held", 2, api.Owners())
		api.SetRole("user-002", "owner")
		other.Spec.DeveloperPersona = new("x")
		s.Edit(other)
		s.Settle(3 * time.Hour)
		s.Expect("demoted", []string{"user-001", "user-002"}, s.Edge.IDsOf(plan.Update))
	})
}

// Who is held since the look did not find an owner who must stay is asked again.
func TestWhoIsHeldForALookThatMissedAnOwnerIsAskedAgain(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", ownersOf(5, 0, 1, 2)...)
		s.Organization("team", func(o *v1alpha1.Organization) { o.Spec.Guard.MinOwners = 2 })
		user := s.OrgUser("team", "user-002", "user-002@example.com", Wants("owner"))
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		// For a while the list does not have one of them, whom the other endpoints have.
		without := s.APIs["api"]
		s.APIs["api"] = withoutUser(api, "user-000")
		user.Spec.Role = "reader"
		s.Edit(user)
		s.Settle(30 * time.Second)
		s.Expect("held", []string(nil), s.Edge.IDsOf(plan.Update))
		s.APIs["api"] = without
		s.Settle(3 * time.Hour)
		s.Expect("demoted", []string{"user-002"}, s.Edge.IDsOf(plan.Update))
	})
}

func TestOneWhomTheListByAddressMissesIsChangedWithASmallBudgetToo(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.APIs["api"] = withoutUser(api, "user-001")
		s.Organization("team")
		s.OrgUser("team", "user-001", "user-001@example.com", Wants("owner"))
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 10}, link.Pair{})
		s.Settle(20 * time.Minute)
		s.Expect("changed", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
	})
}

// withoutUser answers lists by address as if one were not there.
func withoutUser(api http.Handler, id string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.RawQuery, "emails") {
			api.ServeHTTP(w, r)
			return
		}
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, r)
		var page map[string]any
		_ = json.Unmarshal(recorder.Body.Bytes(), &page)
		data, _ := page["data"].([]any)
		page["data"] = slices.DeleteFunc(data, func(item any) bool {
			user, _ := item.(map[string]any)
			return user["id"] == id
		})
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Openai-Organization", "org-1")
		_ = json.NewEncoder(w).Encode(page)
	})
}

func within(s *Scene, what string, got, most int) {
	s.Helper()
	if got > most {
		s.Errorf("%s: %d, at most %d are due", what, got, most)
	}
}

// Nobody is looked at again and again while a kind is being deleted.
func TestATeardownIsNoLoop(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.OrgUser("team", "user-000", "user-000@example.com")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		Calls(api)
		s.Down[declared.BindingCRD] = true
		s.Leaver("team", "user-001")
		s.Settle(10 * time.Minute)
		got := Calls(api)
		s.Expect("removals", 0, got[DeleteUser])
		within(s, "looks in ten minutes", got[Emails], 30)
		delete(s.Down, declared.BindingCRD)
		s.Settle(5 * time.Minute)
		s.Expect("removed when it is over", []string{"user-001"}, s.Edge.IDsOf(plan.Remove))
	})
}

// An OrgUser that is not matched stops the removals of undeclared users, and no loop comes of it.
func TestAnUnresolvedOrgUserIsNoLoop(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		s.Organization("team", func(o *v1alpha1.Organization) {
			o.Spec.Undeclared.Users = v1alpha1.UndeclaredUsersRemove
			o.Spec.Guard.MaxRemovals = new(intstr.FromInt32(1))
		})
		s.OrgUser("team", "user-000", "user-000@example.com")
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 300}, link.Pair{})
		s.Settle(15 * time.Minute)
		s.Expect("removed in the first window", 1, len(s.Edge.IDsOf(plan.Remove)))
		s.Settle(50 * time.Minute)
		s.Settle(time.Minute)
		before := len(s.Edge.IDsOf(plan.Remove))
		Calls(api)
		nobody := s.OrgUser("team", "", "nobody@example.com", func(u *v1alpha1.OrgUser) { u.Name, u.UID, u.Finalizers = "nobody", "nobody", nil })
		s.Wake(nobody)
		org := s.OrgNow("team")
		org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(10))
		s.Put(org)
		o := s.All.Of(ObjectName("team"))
		o.FreeGuarded()
		o.WakeObject(t.Context(), ObjectName("team"))
		s.Settle(5 * time.Minute)
		got := Calls(api)
		within(s, "looks in five minutes", got[Emails], 30)
		s.Expect("removed", before, len(s.Edge.IDsOf(plan.Remove)))
	})
}

// A watch that lags costs no look after look.
func TestAWatchThatLagsIsNoLoop(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		user := s.OrgUser("team", "user-001", "user-001@example.com", Wants("reader"))
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		Calls(api)
		s.Ahead(func(o *v1alpha1.Organization) { o.Spec.Mode = v1alpha1.ModeObserve })
		user.Spec.Role = "owner"
		s.Edit(user)
		s.Settle(5 * time.Minute)
		got := Calls(api)
		s.Expect("changes", 0, got[PostUser])
		within(s, "looks in five minutes", got[Emails], 30)
		s.Ahead(nil)
		s.Settle(5 * time.Minute)
		s.Expect("made when they agree", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
	})
}

// Whether somebody remembered is still there cannot be told: who has their address now is not looked at again and again.
func TestOneWhoCannotBeLookedAtIsNoLoopForWhoHasTheirAddress(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.OrgUser("team", "user-old", "user-001@example.com", Wants("owner"))
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-old", Status: http.StatusServiceUnavailable})
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(5 * time.Minute)
		got := Calls(api)
		within(s, "looks in five minutes", got[Emails]+got[GetUser], 40)
		s.Expect("changes", 0, got[PostUser])
		api.ClearFaults()
		s.Settle(10 * time.Minute)
		o := s.All.Of(ObjectName("team"))
		d, err := o.Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.Expect("taken over", true, d.TakesOver)
		s.Expect("not told", false, s.Edge.Woken[types.NamespacedName{Namespace: "team", Name: "u-user-old"}] == 0)
	})
}

// Those whose roles cannot be listed hide nobody behind them.
func TestThoseWhoseRolesCannotBeListedHideNobody(t *testing.T) {
	InScene(t, func(s *Scene) {
		const people = pending.PeopleATurn + 20
		api := s.Host("api", "org-1", Persons(people)...)
		role := api.AddRole(openaitest.Role{Name: "viewer"})
		s.Organization("team")
		who := map[string]string{}
		for i := range people {
			who[Person(i).ID] = Person(i).Email
		}
		s.Binding("team", role, who)
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 3000}, link.Pair{})
		s.Settle(30 * time.Minute)
		s.Expect("given", []string{"viewer"}, api.Members()[people-1].Direct)
		// All but the last few fail from now on.
		for i := range people - 1 {
			api.Fail(openaitest.Fault{Method: "GET", Path: fmt.Sprintf("/organization/users/%s/roles", Person(i).ID), Status: http.StatusNotFound})
		}
		s.Settle(15 * time.Minute)
		api.UnassignRole(Person(people-1).ID, role)
		s.Settle(25 * time.Minute)
		s.Expect("given again", []string{"viewer"}, api.Members()[people-1].Direct)
	})
}

// A role that cannot be looked at keeps no other one from being given.
func TestARoleThatCannotBeLookedAtHoldsUpNoOther(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		zero, one, two := api.AddRole(openaitest.Role{Name: "zero"}), api.AddRole(openaitest.Role{Name: "one"}), api.AddRole(openaitest.Role{Name: "two"})
		s.Organization("team")
		s.Binding("team", zero, map[string]string{"user-001": "user-001@example.com"})
		s.Connect("team", "api", Hourly, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		s.Expect("holds", []string{"zero"}, api.Members()[1].Direct)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-001/roles/" + one, Status: http.StatusInternalServerError})
		a := s.Binding("team", one, map[string]string{"user-001": "user-001@example.com"})
		b := s.Binding("team", two, map[string]string{"user-001": "user-001@example.com"})
		s.Wake(a)
		s.Wake(b)
		s.Settle(10 * time.Minute)
		s.Expect("holds", []string{"two", "zero"}, slices.Sorted(slices.Values(api.Members()[1].Direct)))
	})
}

// A role that is listed by a longer ID than it was given by is gone when it was taken, and its binding with it.
func TestARoleWithALongerIDIsGoneWhenItWasTaken(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		role := api.AddRole(openaitest.Role{ID: "role-viewer", Name: "viewer"})
		api.LongRoleIDs(true)
		s.Organization("team")
		binding := s.Binding("team", role, map[string]string{"user-001": "user-001@example.com"})
		api.AssignRole("user-001", role)
		s.Connect("team", "api", Hourly, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		Calls(api)
		binding.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		s.Edit(binding)
		s.Settle(5 * time.Minute)
		got := Calls(api)
		s.Expect("taken so often", 1, got[TakeRole])
		o := s.All.Of(ObjectName("team"))
		d, err := o.Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.Expect("forgotten", plan.Said{Holding: plan.NotHeld, Forget: true}, d.Grants[string(binding.UID)])
	})
}

// Of several windows the one that ends first lets somebody go.
func TestWhoIsHeldGoesWhenTheFirstWindowEnds(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "org-1", Persons(9)...)
		one := func(o *v1alpha1.Organization) {
			o.Spec.Guard.MaxRemovals = new(intstr.FromInt32(2))
			o.Status.Removals = &v1alpha1.Removals{WindowStart: metav1.NewTime(time.Now()), Count: 1}
		}
		s.Organization("team", one)
		s.Organization("other", one, func(o *v1alpha1.Organization) { o.Spec.Guard.Window = metav1.Duration{Duration: 30 * 24 * time.Hour} })
		s.OrgUser("team", "user-000", "user-000@example.com")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Connect("other", "api", Hourly, link.Pair{})
		s.Settle(time.Second)
		s.Leaver("team", "user-001")
		s.Settle(30 * time.Minute)
		s.Expect("held", []string(nil), s.Edge.IDsOf(plan.Remove))
		s.Settle(2 * time.Hour)
		s.Expect("removed", []string{"user-001"}, s.Edge.IDsOf(plan.Remove))
	})
}
