package organization

import (
	"context"
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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

func ownersOf(n int, ids ...int) []openaitest.User {
	all := persons(n)
	for _, i := range ids {
		all[i].Role = "owner"
	}
	return all
}

// An owner more, whom a look at them shows and not a reading, wakes whom minOwners holds.
func TestAnOwnerWhomALookFindsWakesWhoIsHeld(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", ownersOf(5, 0, 1)...)
		s.organization("team", func(o *v1alpha1.Organization) { o.Spec.Guard.MinOwners = 2 })
		s.orgUser("team", "user-001", "user-001@example.com", wants("reader"))
		other := s.orgUser("team", "user-002", "user-002@example.com")
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		s.expect("held", 2, api.Owners())
		api.SetRole("user-002", "owner")
		other.Spec.DeveloperPersona = new("x")
		s.edit(other)
		s.settle(3 * time.Hour)
		s.expect("demoted", []string{"user-001", "user-002"}, s.edge.idsOf(plan.Update))
	})
}

// Who is held since the look did not find an owner who must stay is asked again.
func TestWhoIsHeldForALookThatMissedAnOwnerIsAskedAgain(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", ownersOf(5, 0, 1, 2)...)
		s.organization("team", func(o *v1alpha1.Organization) { o.Spec.Guard.MinOwners = 2 })
		user := s.orgUser("team", "user-002", "user-002@example.com", wants("owner"))
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		// For a while the list does not have one of them, whom the other endpoints have.
		without := s.apis["api"]
		s.apis["api"] = withoutUser(api, "user-000")
		user.Spec.Role = "reader"
		s.edit(user)
		s.settle(30 * time.Second)
		s.expect("held", []string(nil), s.edge.idsOf(plan.Update))
		s.apis["api"] = without
		s.settle(3 * time.Hour)
		s.expect("demoted", []string{"user-002"}, s.edge.idsOf(plan.Update))
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

func within(s *scene, what string, got, most int) {
	s.Helper()
	if got > most {
		s.Errorf("%s: %d, at most %d are due", what, got, most)
	}
}

// Nobody is looked at again and again while a kind is being deleted.
func TestATeardownIsNoLoop(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.orgUser("team", "user-000", "user-000@example.com")
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		calls(api)
		s.down[declared.BindingCRD] = true
		s.leaver("team", "user-001")
		s.settle(10 * time.Minute)
		got := calls(api)
		s.expect("removals", 0, got[deleteUser])
		within(s, "looks in ten minutes", got[emails], 30)
		delete(s.down, declared.BindingCRD)
		s.settle(5 * time.Minute)
		s.expect("removed when it is over", []string{"user-001"}, s.edge.idsOf(plan.Remove))
	})
}

// An OrgUser that is not matched stops the removals of undeclared users, and no loop comes of it.
func TestAnUnresolvedOrgUserIsNoLoop(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(3)...)
		s.organization("team", func(o *v1alpha1.Organization) {
			o.Spec.Undeclared.Users = v1alpha1.UndeclaredUsersRemove
			o.Spec.Guard.MaxRemovals = new(intstr.FromInt32(1))
		})
		s.orgUser("team", "user-000", "user-000@example.com")
		s.connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 300}, link.Pair{})
		s.settle(15 * time.Minute)
		s.expect("removed in the first window", 1, len(s.edge.idsOf(plan.Remove)))
		s.settle(50 * time.Minute)
		s.settle(time.Minute)
		before := len(s.edge.idsOf(plan.Remove))
		calls(api)
		nobody := s.orgUser("team", "", "nobody@example.com", func(u *v1alpha1.OrgUser) { u.Name, u.UID, u.Finalizers = "nobody", "nobody", nil })
		s.wake(nobody)
		org := s.orgNow("team")
		org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(10))
		s.put(org)
		o := s.all.Of(objectName("team"))
		o.FreeGuarded()
		o.WakeObject(t.Context(), objectName("team"))
		s.settle(5 * time.Minute)
		got := calls(api)
		within(s, "looks in five minutes", got[emails], 30)
		s.expect("removed", before, len(s.edge.idsOf(plan.Remove)))
	})
}

// ahead is a live reader that knows an edit of an Organization that the cache does not have yet.
type ahead struct {
	client.Reader
	edit func(*v1alpha1.Organization)
}

func (a *ahead) Get(ctx context.Context, name client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	err := a.Reader.Get(ctx, name, into, opts...)
	if org, ok := into.(*v1alpha1.Organization); ok && err == nil && a.edit != nil {
		a.edit(org)
	}
	return err
}

// A watch that lags costs no look after look.
func TestAWatchThatLagsIsNoLoop(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		user := s.orgUser("team", "user-001", "user-001@example.com", wants("reader"))
		live := &ahead{Reader: live{s.cluster}}
		s.all.live = live
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		calls(api)
		live.edit = func(o *v1alpha1.Organization) { o.Spec.Mode = v1alpha1.ModeObserve }
		user.Spec.Role = "owner"
		s.edit(user)
		s.settle(5 * time.Minute)
		got := calls(api)
		s.expect("changes", 0, got[postUser])
		within(s, "looks in five minutes", got[emails], 30)
		live.edit = nil
		s.settle(5 * time.Minute)
		s.expect("made when they agree", []string{"user-001"}, s.edge.idsOf(plan.Update))
	})
}

// Whether somebody remembered is still there cannot be told: who has their address now is not looked at again and again.
func TestOneWhoCannotBeLookedAtIsNoLoopForWhoHasTheirAddress(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.orgUser("team", "user-old", "user-001@example.com", wants("owner"))
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-old", Status: http.StatusServiceUnavailable})
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(5 * time.Minute)
		got := calls(api)
		within(s, "looks in five minutes", got[emails]+got[getUser], 40)
		s.expect("changes", 0, got[postUser])
		api.ClearFaults()
		s.settle(10 * time.Minute)
		o := s.all.Of(objectName("team"))
		d, err := o.Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.expect("taken over", true, d.TakesOver)
		s.expect("not told", false, s.edge.woken[types.NamespacedName{Namespace: "team", Name: "u-user-old"}] == 0)
	})
}

// Those whose roles cannot be listed hide nobody behind them.
func TestThoseWhoseRolesCannotBeListedHideNobody(t *testing.T) {
	inScene(t, func(s *scene) {
		const people = peopleATurn + 20
		api := s.host("api", "org-1", persons(people)...)
		role := api.AddRole(openaitest.Role{Name: "viewer"})
		s.organization("team")
		who := map[string]string{}
		for i := range people {
			who[person(i).ID] = person(i).Email
		}
		s.binding("team", role, who)
		s.connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 3000}, link.Pair{})
		s.settle(30 * time.Minute)
		s.expect("given", []string{"viewer"}, api.Members()[people-1].Direct)
		// All but the last few fail from now on.
		for i := range people - 1 {
			api.Fail(openaitest.Fault{Method: "GET", Path: fmt.Sprintf("/organization/users/%s/roles", person(i).ID), Status: http.StatusNotFound})
		}
		s.settle(15 * time.Minute)
		api.UnassignRole(person(people-1).ID, role)
		s.settle(25 * time.Minute)
		s.expect("given again", []string{"viewer"}, api.Members()[people-1].Direct)
	})
}

// A role that cannot be looked at keeps no other one from being given.
func TestARoleThatCannotBeLookedAtHoldsUpNoOther(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		zero, one, two := api.AddRole(openaitest.Role{Name: "zero"}), api.AddRole(openaitest.Role{Name: "one"}), api.AddRole(openaitest.Role{Name: "two"})
		s.organization("team")
		s.binding("team", zero, map[string]string{"user-001": "user-001@example.com"})
		s.connect("team", "api", hourly, link.Pair{})
		s.all.Of(objectName("team")).readNow()
		s.settle(time.Minute)
		s.expect("holds", []string{"zero"}, api.Members()[1].Direct)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-001/roles/" + one, Status: http.StatusInternalServerError})
		a := s.binding("team", one, map[string]string{"user-001": "user-001@example.com"})
		b := s.binding("team", two, map[string]string{"user-001": "user-001@example.com"})
		s.wake(a)
		s.wake(b)
		s.settle(10 * time.Minute)
		s.expect("holds", []string{"two", "zero"}, slices.Sorted(slices.Values(api.Members()[1].Direct)))
	})
}

// A role that is listed by a longer ID than it was given by is gone when it was taken, and its binding with it.
func TestARoleWithALongerIDIsGoneWhenItWasTaken(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		role := api.AddRole(openaitest.Role{ID: "role-viewer", Name: "viewer"})
		api.LongRoleIDs(true)
		s.organization("team")
		binding := s.binding("team", role, map[string]string{"user-001": "user-001@example.com"})
		api.AssignRole("user-001", role)
		s.connect("team", "api", hourly, link.Pair{})
		s.all.Of(objectName("team")).readNow()
		s.settle(time.Minute)
		calls(api)
		binding.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		s.edit(binding)
		s.settle(5 * time.Minute)
		got := calls(api)
		s.expect("taken so often", 1, got[takeRole])
		o := s.all.Of(objectName("team"))
		d, err := o.Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.expect("forgotten", plan.Said{Holding: plan.NotHeld, Forget: true}, d.Grants[string(binding.UID)])
	})
}

// Of several windows the one that ends first lets somebody go.
func TestWhoIsHeldGoesWhenTheFirstWindowEnds(t *testing.T) {
	inScene(t, func(s *scene) {
		s.host("api", "org-1", persons(9)...)
		one := func(o *v1alpha1.Organization) {
			o.Spec.Guard.MaxRemovals = new(intstr.FromInt32(2))
			o.Status.Removals = &v1alpha1.Removals{WindowStart: metav1.NewTime(time.Now()), Count: 1}
		}
		s.organization("team", one)
		s.organization("other", one, func(o *v1alpha1.Organization) { o.Spec.Guard.Window = metav1.Duration{Duration: 30 * 24 * time.Hour} })
		s.orgUser("team", "user-000", "user-000@example.com")
		s.connect("team", "api", hourly, link.Pair{})
		s.connect("other", "api", hourly, link.Pair{})
		s.settle(time.Second)
		s.leaver("team", "user-001")
		s.settle(30 * time.Minute)
		s.expect("held", []string(nil), s.edge.idsOf(plan.Remove))
		s.settle(2 * time.Hour)
		s.expect("removed", []string{"user-001"}, s.edge.idsOf(plan.Remove))
	})
}
