package organization_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

// 1. A turn reads each object once. One of its people is seen late (by ID), and their call rests on the Organization as the
// first of the turn had it read.
func TestTheSecondOfATurnRestsOnAFreshOrganization(t *testing.T) {
	InScene(t, func(s *Scene) {
		people := Persons(5)
		people[2].Email = "" // found by their ID only
		api := s.Host("api", "org-1", people...)
		s.Organization("team")
		s.OrgUser("team", "user-000", "user-000@example.com")
		one := s.OrgUser("team", "user-001", "user-001@example.com")
		two := s.OrgUser("team", "user-002", "", func(u *v1alpha1.OrgUser) { u.Spec.UserID = "user-002" })
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-002", Latency: 10 * time.Second})
		one.Spec.DeveloperPersona = new("x")
		one.Generation++
		s.Put(one)
		two.Spec.DeveloperPersona = new("x")
		two.Generation++
		s.Put(two)
		s.All.Of(ObjectName("team")).Wake(0, true, append(declared.KeysOf(one), declared.KeysOf(two)...)...)
		s.Settle(5 * time.Second)
		s.Expect("the first", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
		org := s.OrgNow("team")
		org.Spec.Mode = v1alpha1.ModeObserve
		s.Edit(org)
		s.Settle(time.Minute)
		s.Expect("made five seconds after the mode became Observe", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
	})
}

// 1b. The same for a role that is taken: another binding gives it by then.
func TestTheSecondOfATurnLosesNoRoleThatIsGivenAgain(t *testing.T) {
	InScene(t, func(s *Scene) {
		people := Persons(5)
		people[2].Email = ""
		api := s.Host("api", "org-1", people...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		api.AssignRole("user-001", "role-1")
		api.AssignRole("user-002", "role-1")
		s.Organization("team")
		b := s.Binding("team", "role-1", map[string]string{"user-001": "user-001@example.com"})
		b.Spec.Subjects = append(b.Spec.Subjects, v1alpha1.Subject{UserID: "user-002"})
		b.Status.Subjects = append(b.Status.Subjects, v1alpha1.SubjectStatus{Subject: v1alpha1.Subject{OrgUser: "gone"}, UserID: "user-002", State: v1alpha1.SubjectAssigned})
		s.Put(b)
		s.Connect("team", "api", Hourly, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/user-002/roles/role-1", Latency: 10 * time.Second})
		none := b.DeepCopy()
		none.Spec.Subjects = []v1alpha1.Subject{}
		none.Generation++
		s.Put(none)
		s.All.Of(ObjectName("team")).Wake(0, true, plan.IDKey("user-001"), plan.IDKey("user-002"))
		s.Settle(5 * time.Second)
		again := none.DeepCopy()
		again.Spec.Subjects = []v1alpha1.Subject{{UserID: "user-002"}}
		s.Edit(again)
		s.Settle(5100 * time.Millisecond)
		s.Settle(100 * time.Millisecond)
		taken := 0
		for _, call := range api.Journal() {
			if call.Method == http.MethodDelete && strings.Contains(call.Path, "user-002") {
				taken++
			}
		}
		s.Expect("taken from whom a binding has named for five seconds", 0, taken)
	})
}

// leavesAt has a user leave in the moment of an assignment to them, of which the answer is the status.
func leavesAt(api *openaitest.Organization, id string, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, id+"/roles") {
			api.RemoveUser(id)
			if status == http.StatusBadGateway {
				w.WriteHeader(status)
				return
			}
		}
		api.ServeHTTP(w, r)
	})
}

func doubtAboutOneWhoLeft(t *testing.T, status int, terms link.Terms, latency time.Duration) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		s.Organization("team")
		s.Binding("team", "role-1", map[string]string{"user-000": "user-000@example.com"})
		s.Connect("team", "api", terms, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		s.APIs["api"] = leavesAt(api, "user-001", status)
		api.SetLatency(latency)
		more := s.Binding("team", "role-1", map[string]string{"user-000": "user-000@example.com", "user-001": "user-001@example.com"})
		s.Wake(more)
		s.Settle(3 * time.Hour)
		t.Log("the first three hours", Calls(api))
		s.Settle(30 * time.Minute)
		got := Calls(api)
		t.Log("half an hour", got)
		within(s, "looks in half an hour at one who left", got[GetUser]+got[Emails], 30)
		d, err := s.All.Of(ObjectName("team")).Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.Expect("the line is forgotten in the end", true, d.Grants[string(more.UID)].Forget)
	})
}

// 2. The answer to an assignment is lost while the user leaves: the doubt about their roles can be settled by no look, and
// the looks keep whole readings from settling it.
func TestADoubtAboutOneWhoLeftIsNoLoop(t *testing.T) {
	ten := link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 300}
	t.Run("404", func(t *testing.T) { doubtAboutOneWhoLeft(t, 404, ten, 200*time.Millisecond) })
	t.Run("502", func(t *testing.T) { doubtAboutOneWhoLeft(t, 502, ten, 200*time.Millisecond) })
}

// 3. The key may not list roles: the binding is reconciled as Edge.Wake has it, and wants them listed again.
func TestRolesThatCannotBeListedAreNoLoop(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		s.Organization("team")
		s.Connect("team", "api", link.Terms{Interval: time.Hour, RequestsPerMinute: 300}, link.Pair{})
		s.Settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/roles", Status: http.StatusForbidden})
		b := s.Binding("team", "role-1", map[string]string{"user-000": "user-000@example.com"})
		Calls(api)
		o := s.All.Of(ObjectName("team"))
		name := types.NamespacedName{Namespace: b.Namespace, Name: b.Name}
		asItWas, reconciles := 0, 0
		reconcile := func() { // role() of internal/controller/binding_controller.go
			reconciles++
			grant := declared.GrantOf(b, nil, o.Setting())
			if missing := grant.RoleFact.Kind == plan.RolesUnknown || grant.RoleFact.Kind == plan.NoSuchRole; missing && o.Readings().WantCatalog(b) {
				asItWas++
			}
		}
		woken := s.Edge.Woken[name]
		reconcile()
		for range 10 * 60 * 20 {
			s.Settle(50 * time.Millisecond) // edge.Gathering
			if now := s.Edge.Woken[name]; now != woken {
				woken = now
				reconcile()
			}
		}
		got := Calls(api)
		t.Logf("%d reconciles, %d left the status as it was", reconciles, asItWas)
		within(s, "lists of the roles in ten minutes", got[CatalogList], 15)
		if asItWas == reconciles {
			t.Error("the binding's status never says why")
		}
	})
}

// 4b. The same where it was not edited last but is due, as after drift.
func TestASlowEndpointDelaysNoOtherThatIsDue(t *testing.T) {
	InScene(t, func(s *Scene) {
		const people = 40
		api := s.Host("api", "org-1", Persons(people)...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		s.Organization("team")
		api.LimitEndpoint("POST", "/organization/users/{id}", 1, openaitest.HintNone)
		s.Binding("team", "role-1", map[string]string{"user-000": "user-000@example.com"})
		users := map[int]*v1alpha1.OrgUser{}
		for i := 1; i < people-1; i++ {
			users[i] = s.OrgUser("team", Person(i).ID, Person(i).Email)
		}
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Hour, RequestsPerMinute: 300}, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		for _, u := range users {
			u.Spec.Role = "owner"
			s.Edit(u)
		}
		s.Settle(5 * time.Minute)
		more := s.Binding("team", "role-1", map[string]string{"user-000": "user-000@example.com", "user-039": "user-039@example.com"})
		s.Wake(more)
		began := time.Now()
		for len(api.Members()[people-1].Direct) == 0 && time.Since(began) < 2*time.Hour {
			s.Settle(time.Second)
		}
		t.Log("waited", time.Since(began), len(s.Edge.IDsOf(plan.Update)))
		if waited := time.Since(began); waited > 10*time.Second {
			t.Errorf("a role of one person waited %v for the updates of others", waited)
		}
	})
}

// 5. The list by addresses does not find one whom the whole list has, and the budget holds two calls at once.
// 6. A leaver whose roles cannot be listed while a kind is being deleted: looked at again and again.
func TestATeardownIsNoLoopForOneWhoseRolesCannotBeListed(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		s.Organization("team")
		s.OrgUser("team", "user-000", "user-000@example.com")
		s.Binding("team", "role-1", map[string]string{"user-001": "user-001@example.com"})
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users/*/roles", Status: http.StatusForbidden})
		s.Connect("team", "api", Hourly, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(10 * time.Minute)
		s.Down[declared.BindingCRD] = true
		s.Leaver("team", "user-001")
		s.Settle(time.Minute)
		Calls(api)
		s.Settle(10 * time.Minute)
		got := Calls(api)
		t.Log(got)
		within(s, "looks in ten minutes", got[Emails], 30)
	})
}

// 7. Two objects of one organization with different minOwners.
// 8. A subject by userID is taken out of a binding: its line is the only thing that remembers who has the role.
func TestASubjectByUserIDThatIsTakenOutLosesTheRole(t *testing.T) {
	for _, by := range []string{"email", "userID"} {
		t.Run(by, func(t *testing.T) {
			InScene(t, func(s *Scene) {
				api := s.Host("api", "org-1", Persons(5)...)
				api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
				s.Organization("team")
				b := s.Binding("team", "role-1", nil)
				subject := v1alpha1.Subject{UserID: "user-001"}
				if by == "email" {
					subject = v1alpha1.Subject{Email: "user-001@example.com"}
				}
				b.Spec.Subjects = []v1alpha1.Subject{subject}
				b.Status.Subjects = []v1alpha1.SubjectStatus{{Subject: subject, UserID: "user-001", State: v1alpha1.SubjectAssigned}}
				s.Put(b)
				s.Connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 300}, link.Pair{})
				s.All.Of(ObjectName("team")).Readings().Soon()
				s.Settle(time.Minute)
				s.Expect("given", []string{"viewer"}, api.Members()[1].Direct)
				none := b.DeepCopy()
				none.Spec.Subjects = []v1alpha1.Subject{}
				s.Edit(none)
				s.All.Of(ObjectName("team")).Wake(0, true, plan.IDKey("user-001"))
				s.Settle(24 * time.Hour)
				s.Expect("a day after they were taken out", []string(nil), api.Members()[1].Direct)
				d, err := s.All.Of(ObjectName("team")).Decide(t.Context(), "user-001")
				if err != nil {
					t.Fatal(err)
				}
				s.Expect("the line can be forgotten", true, d.Grants[string(b.UID)].Forget)
			})
		})
	}
}
