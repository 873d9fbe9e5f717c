package organization

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

func names(namespaces ...string) []types.NamespacedName {
	var all []types.NamespacedName
	for _, namespace := range namespaces {
		all = append(all, objectName(namespace))
	}
	return all
}

func TestObjectsWithThePairAreSiblingsAndNoOthers(t *testing.T) {
	inScene(t, func(s *scene) {
		s.host("api", "org-1", persons(3)...)
		s.host("evil", "org-1", persons(3)...)
		s.host("other", "org-2", persons(3)...)
		for namespace, host := range map[string]string{"a": "api", "b": "api", "evil": "evil", "other": "other"} {
			s.organization(namespace)
			s.connect(namespace, host, hourly, link.Pair{})
		}
		s.settle(time.Minute)
		s.expect("siblings", names("a", "b"), s.all.View(objectName("a")).Objects)
		s.expect("the same ID at another address", names("evil"), s.all.View(objectName("evil")).Objects)
		s.expect("another ID", names("other"), s.all.View(objectName("other")).Objects)
		if a, b := s.all.Of(objectName("a")), s.all.Of(objectName("b")); a == nil || a != b {
			t.Error("siblings share no organization")
		}
		s.expect("pair", pairAt("api", "org-1"), s.all.View(objectName("a")).Pair)
	})
}

func TestWhereAnAddressGivesNoIDNothingIsShared(t *testing.T) {
	inScene(t, func(s *scene) {
		s.host("api", "", persons(3)...)
		for _, namespace := range []string{"a", "b"} {
			s.organization(namespace)
			s.connect(namespace, "api", hourly, link.Pair{})
		}
		s.settle(time.Minute)
		s.expect("objects", names("a"), s.all.View(objectName("a")).Objects)
		if a, b := s.all.Usable(objectName("a")), s.all.Usable(objectName("b")); a == nil || b == nil || a == b {
			t.Errorf("got %p and %p, want two organizations", a, b)
		}
		if id := s.all.View(objectName("a")).Pair.ID; link.IsGiven(id) {
			t.Errorf("%q is said to be an ID that the address gave", id)
		}
	})
}

func TestAKeyOfAnotherOrganizationThanTheStatusSaysIsAConflictAndNoSibling(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(3)...)
		s.host("other", "org-2", persons(3)...)
		s.organization("a")
		s.connect("a", "api", hourly, link.Pair{})
		s.organization("b")
		s.connect("b", "other", hourly, pairAt("api", "org-1"))
		s.settle(time.Minute)
		view := s.all.View(objectName("b"))
		s.expect("state", link.OtherOrganization, view.State)
		s.expect("found", pairAt("other", "org-2"), view.Pair)
		s.expect("it stands for what its status says", names("a", "b"), s.all.View(objectName("a")).Objects)
		if s.all.Usable(objectName("b")) != nil {
			t.Error("its key is used")
		}
		calls(api)
		user := s.orgUser("b", "user-001", "user-001@example.com", wants("owner"))
		s.wake(user)
		s.settle(time.Minute)
		s.expect("it changes nothing", 0, calls(api)[postUser])
		d, err := s.all.Of(objectName("b")).Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.expect("what is said of its OrgUser", plan.OrganizationNotReady, d.Claims[string(user.UID)].Fact.Kind)
	})
}

func TestWithoutAKeyAnObjectProtectsWhomItDeclares(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(3)...)
		s.organization("a")
		s.orgUser("a", "user-000", "user-000@example.com")
		s.connect("a", "api", hourly, link.Pair{})
		s.organization("b")
		s.all.Noted(objectName("b"), pairAt("api", "org-1"))
		s.orgUser("b", "user-001", "user-001@example.com")
		s.settle(time.Minute)
		s.expect("objects", names("a", "b"), s.all.View(objectName("a")).Objects)
		s.leaver("a", "user-001", "user-002")
		s.settle(time.Minute)
		s.expect("removed", []string{"user-002"}, s.edge.idsOf(plan.Remove))
		s.all.Forget(objectName("b"))
		s.settle(time.Minute)
		s.expect("objects after it is forgotten", names("a"), s.all.View(objectName("a")).Objects)
		s.expect("removed then", []string{"user-001", "user-002"}, s.edge.idsOf(plan.Remove))
		s.expect("calls", 2, calls(api)[deleteUser])
	})
}

func TestAnObjectWithTheVeryKeyOfAnotherProtectsBeforeItIsProven(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(3)...)
		s.organization("a")
		s.orgUser("a", "user-000", "user-000@example.com")
		s.connect("a", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users", Status: 503, Times: 1})
		s.organization("b")
		s.connect("b", "api", hourly, link.Pair{})
		s.expect("state", link.Failed, s.all.View(objectName("b")).State)
		s.expect("objects", names("a", "b"), s.all.View(objectName("a")).Objects)
		s.settle(time.Minute)
		s.expect("proven in the end", link.Proven, s.all.View(objectName("b")).State)
	})
}

func TestTheSecondKeyOfAKnownOrganizationCostsNoReading(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(3)...)
		s.organization("a")
		s.connect("a", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		before := s.all.Of(objectName("a"))
		calls(api)
		api.AddKey("sk-admin-rotated")
		pair := pairAt("api", "org-1")
		if err := s.all.Connect(objectName("a"), link.NewCredential("sk-admin-rotated", pair.Address, false), hourly, pair, ""); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Minute)
		s.expect("calls", map[string]int{catalogList: 1}, calls(api))
		s.expect("state", link.Proven, s.all.View(objectName("a")).State)
		if s.all.Of(objectName("a")) != before || before.limiter != s.all.links[objectName("a")].Client().Limiter() {
			t.Error("the organization and its budget do not outlive the key")
		}
	})
}

func TestARefusedKeyChangesNothingUntilItIsProvenAgain(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(3)...)
		s.organization("a")
		user := s.orgUser("a", "user-001", "user-001@example.com", wants("reader"))
		s.connect("a", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		api.RotateKey("sk-admin-another")
		user.Spec.Role = "owner"
		s.edit(user)
		s.settle(time.Minute)
		s.expect("state", link.KeyRefused, s.all.View(objectName("a")).State)
		calls(api)
		s.settle(10 * time.Minute)
		s.expect("calls while it is refused", map[string]int{}, calls(api))
		api.AddKey(openaitest.DefaultAdminKey)
		s.connect("a", "api", hourly, pairAt("api", "org-1"))
		s.settle(time.Minute)
		s.expect("made", []string{"user-001"}, s.edge.idsOf(plan.Update))
	})
}

func TestAnOrganizationOfNobodyIsForgottenAfterAWhile(t *testing.T) {
	inScene(t, func(s *scene) {
		s.host("api", "org-1", persons(3)...)
		s.host("other", "org-2")
		s.organization("a")
		s.connect("a", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		s.all.Forget(objectName("a"))
		s.expect("kept at first", 1, len(s.all.byPair))
		s.settle(forgetAfter + time.Minute)
		s.organization("b")
		s.connect("b", "other", hourly, link.Pair{})
		s.settle(time.Minute)
		s.expect("organizations", 1, len(s.all.byPair))
		s.expect("links, notes, ledgers", []int{1, 1, 1}, []int{len(s.all.links), len(s.all.noted), len(s.all.ledgers)})
	})
}

func TestSiblingsAreHeldToTheLowestCeiling(t *testing.T) {
	inScene(t, func(s *scene) {
		s.host("api", "org-1", persons(3)...)
		for namespace, perMinute := range map[string]int{"a": 600, "b": 60} {
			s.organization(namespace)
			s.connect(namespace, "api", link.Terms{Interval: time.Hour, RequestsPerMinute: perMinute}, link.Pair{})
		}
		s.settle(time.Minute)
		s.expect("burst of two seconds", 2, s.all.Of(objectName("a")).limiter.Burst())
	})
}

func TestRemovalsOfSiblingsShareTheWindow(t *testing.T) {
	inScene(t, func(s *scene) {
		s.host("api", "org-1", persons(5)...)
		one := func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals.IntVal = 1 }
		for _, namespace := range []string{"a", "b"} {
			s.organization(namespace, one)
			s.orgUser(namespace, "user-000", "user-000@example.com")
			s.connect(namespace, "api", hourly, link.Pair{})
		}
		s.settle(time.Minute)
		s.leaver("a", "user-001")
		s.settle(time.Minute)
		s.leaver("b", "user-002")
		s.settle(30 * time.Minute)
		s.expect("removed in the window", []string{"user-001"}, s.edge.idsOf(plan.Remove))
		s.settle(time.Hour)
		s.expect("removed in the next", []string{"user-001", "user-002"}, s.edge.idsOf(plan.Remove))
	})
}
