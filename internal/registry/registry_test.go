package registry_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/registry"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

func names(namespaces ...string) []types.NamespacedName {
	var all []types.NamespacedName
	for _, namespace := range namespaces {
		all = append(all, ObjectName(namespace))
	}
	return all
}

func TestObjectsWithThePairAreSiblingsAndNoOthers(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "org-1", Persons(3)...)
		s.Host("evil", "org-1", Persons(3)...)
		s.Host("other", "org-2", Persons(3)...)
		for namespace, host := range map[string]string{"a": "api", "b": "api", "evil": "evil", "other": "other"} {
			s.Organization(namespace)
			s.Connect(namespace, host, Hourly, link.Pair{})
		}
		s.Settle(time.Minute)
		s.Expect("siblings", names("a", "b"), s.All.View(ObjectName("a")).Objects)
		s.Expect("the same ID at another address", names("evil"), s.All.View(ObjectName("evil")).Objects)
		s.Expect("another ID", names("other"), s.All.View(ObjectName("other")).Objects)
		if a, b := s.All.Of(ObjectName("a")), s.All.Of(ObjectName("b")); a == nil || a != b {
			t.Error("siblings share no organization")
		}
		s.Expect("pair", PairAt("api", "org-1"), s.All.View(ObjectName("a")).Pair)
	})
}

func TestWhereAnAddressGivesNoIDNothingIsShared(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "", Persons(3)...)
		for _, namespace := range []string{"a", "b"} {
			s.Organization(namespace)
			s.Connect(namespace, "api", Hourly, link.Pair{})
		}
		s.Settle(time.Minute)
		s.Expect("objects", names("a"), s.All.View(ObjectName("a")).Objects)
		if a, b := s.All.Usable(ObjectName("a")), s.All.Usable(ObjectName("b")); a == nil || b == nil || a == b {
			t.Errorf("got %p and %p, want two organizations", a, b)
		}
		if id := s.All.View(ObjectName("a")).Pair.ID; link.IsGiven(id) {
			t.Errorf("%q is said to be an ID that the address gave", id)
		}
	})
}

func TestAKeyOfAnotherOrganizationThanTheStatusSaysIsAConflictAndNoSibling(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		s.Host("other", "org-2", Persons(3)...)
		s.Organization("a")
		s.Connect("a", "api", Hourly, link.Pair{})
		s.Organization("b")
		s.Connect("b", "other", Hourly, PairAt("api", "org-1"))
		s.Settle(time.Minute)
		view := s.All.View(ObjectName("b"))
		s.Expect("state", link.OtherOrganization, view.State)
		s.Expect("found", PairAt("other", "org-2"), view.Pair)
		s.Expect("it stands for what its status says", names("a", "b"), s.All.View(ObjectName("a")).Objects)
		if s.All.Usable(ObjectName("b")) != nil {
			t.Error("its key is used")
		}
		Calls(api)
		user := s.OrgUser("b", "user-001", "user-001@example.com", Wants("owner"))
		s.Wake(user)
		s.Settle(time.Minute)
		s.Expect("it changes nothing", 0, Calls(api)[PostUser])
		d, err := s.All.Of(ObjectName("b")).Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.Expect("what is said of its OrgUser", plan.OrganizationNotReady, d.Claims[string(user.UID)].Fact.Kind)
	})
}

func TestWithoutAKeyAnObjectProtectsWhomItDeclares(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		s.Organization("a")
		s.OrgUser("a", "user-000", "user-000@example.com")
		s.Connect("a", "api", Hourly, link.Pair{})
		s.Organization("b")
		s.All.Noted(ObjectName("b"), PairAt("api", "org-1"))
		s.OrgUser("b", "user-001", "user-001@example.com")
		s.Settle(time.Minute)
		s.Expect("objects", names("a", "b"), s.All.View(ObjectName("a")).Objects)
		s.Leaver("a", "user-001", "user-002")
		s.Settle(time.Minute)
		s.Expect("removed", []string{"user-002"}, s.Edge.IDsOf(plan.Remove))
		s.All.Forget(ObjectName("b"))
		s.Settle(time.Minute)
		s.Expect("objects after it is forgotten", names("a"), s.All.View(ObjectName("a")).Objects)
		s.Expect("removed then", []string{"user-001", "user-002"}, s.Edge.IDsOf(plan.Remove))
		s.Expect("calls", 2, Calls(api)[DeleteUser])
	})
}

func TestAnObjectWithTheVeryKeyOfAnotherProtectsBeforeItIsProven(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		s.Organization("a")
		s.OrgUser("a", "user-000", "user-000@example.com")
		s.Connect("a", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		api.Fail(openaitest.Fault{Method: "GET", Path: "/organization/users", Status: 503, Times: 1})
		s.Organization("b")
		s.Connect("b", "api", Hourly, link.Pair{})
		s.Expect("state", link.Failed, s.All.View(ObjectName("b")).State)
		s.Expect("objects", names("a", "b"), s.All.View(ObjectName("a")).Objects)
		s.Settle(time.Minute)
		s.Expect("proven in the end", link.Proven, s.All.View(ObjectName("b")).State)
	})
}

func TestTheSecondKeyOfAKnownOrganizationCostsNoReading(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		s.Organization("a")
		s.Connect("a", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		before := s.All.Of(ObjectName("a"))
		Calls(api)
		api.AddKey("sk-admin-rotated")
		pair := PairAt("api", "org-1")
		if err := s.All.Connect(ObjectName("a"), link.NewCredential("sk-admin-rotated", pair.Address, false), Hourly, pair, ""); err != nil {
			t.Fatal(err)
		}
		s.Settle(time.Minute)
		s.Expect("calls", map[string]int{CatalogList: 1}, Calls(api))
		s.Expect("state", link.Proven, s.All.View(ObjectName("a")).State)
		if s.All.Of(ObjectName("a")) != before || before.Links().Limiter() != before.Links().Of(ObjectName("a")).Client().Limiter() {
			t.Error("the organization and its budget do not outlive the key")
		}
	})
}

func TestARefusedKeyChangesNothingUntilItIsProvenAgain(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		s.Organization("a")
		user := s.OrgUser("a", "user-001", "user-001@example.com", Wants("reader"))
		s.Connect("a", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		api.RotateKey("sk-admin-another")
		user.Spec.Role = "owner"
		s.Edit(user)
		s.Settle(time.Minute)
		s.Expect("state", link.KeyRefused, s.All.View(ObjectName("a")).State)
		Calls(api)
		s.Settle(10 * time.Minute)
		s.Expect("calls while it is refused", map[string]int{}, Calls(api))
		api.AddKey(openaitest.DefaultAdminKey)
		s.Connect("a", "api", Hourly, PairAt("api", "org-1"))
		s.Settle(time.Minute)
		s.Expect("made", []string{"user-001"}, s.Edge.IDsOf(plan.Update))
	})
}

func TestAnOrganizationOfNobodyIsForgottenAfterAWhile(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "org-1", Persons(3)...)
		s.Host("other", "org-2")
		s.Organization("a")
		s.Connect("a", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		s.All.Forget(ObjectName("a"))
		s.Expect("kept at first", 1, s.All.Kept()[0])
		s.Settle(registry.ForgetAfter + time.Minute)
		s.Organization("b")
		s.Connect("b", "other", Hourly, link.Pair{})
		s.Settle(time.Minute)
		s.Expect("organizations, links, notes, ledgers", []int{1, 1, 1, 1}, s.All.Kept())
	})
}

func TestSiblingsAreHeldToTheLowestCeiling(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "org-1", Persons(3)...)
		for namespace, perMinute := range map[string]int{"a": 600, "b": 60} {
			s.Organization(namespace)
			s.Connect(namespace, "api", link.Terms{Interval: time.Hour, RequestsPerMinute: perMinute}, link.Pair{})
		}
		s.Settle(time.Minute)
		s.Expect("burst of two seconds", 2, s.All.Of(ObjectName("a")).Links().Limiter().Burst())
	})
}

func TestRemovalsOfSiblingsShareTheWindow(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "org-1", Persons(5)...)
		one := func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals.IntVal = 1 }
		for _, namespace := range []string{"a", "b"} {
			s.Organization(namespace, one)
			s.OrgUser(namespace, "user-000", "user-000@example.com")
			s.Connect(namespace, "api", Hourly, link.Pair{})
		}
		s.Settle(time.Minute)
		s.Leaver("a", "user-001")
		s.Settle(time.Minute)
		s.Leaver("b", "user-002")
		s.Settle(30 * time.Minute)
		s.Expect("removed in the window", []string{"user-001"}, s.Edge.IDsOf(plan.Remove))
		s.Settle(time.Hour)
		s.Expect("removed in the next", []string{"user-001", "user-002"}, s.Edge.IDsOf(plan.Remove))
	})
}

// An Organization is deleted and created again under its name, with the address of a server that sends the same ID: its
// key reads nothing of the organization that the one before stood for.
func TestAnObjectOfAnotherAddressLeavesTheOrganizationThatOneOfItsNameStoodFor(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("before", "org-1", Persons(3)...)
		s.Host("after", "org-1", Persons(1)...)
		s.Organization("team")
		s.Connect("team", "before", Hourly, link.Pair{})
		o := s.All.Of(ObjectName("team"))
		s.Connect("team", "after", Hourly, link.Pair{})
		s.Settle(time.Minute)
		s.Expect("another", true, s.All.Of(ObjectName("team")) != o)
		s.Expect("a key of it", false, o.Links().AnyUsable())
		s.Expect("stands for it", 0, len(o.Objects()))
	})
}
