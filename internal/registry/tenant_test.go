package registry_test

import (
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/registry"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

func TestAKeyThatIsNotProvenSharesNoBudget(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		// Whoever has no key of it is told to wait, as by address or by key.
		s.APIs["api"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer "+openaitest.DefaultAdminKey {
				api.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		// The tenant's own server, at the address evil, said that it is org-1: so the status of their object has that ID.
		s.Organization("mallory")
		s.ConnectWith("mallory", "sk-admin-no-key-of-it", "api", Hourly, PairAt("evil", "org-1"), "")
		s.Settle(time.Second)
		s.Expect("pause of the organization that mallory has no key of", time.Duration(0), s.All.Of(ObjectName("team")).Links().Limiter().Paused())
		// Nor does a pair that was proven once, of an object whose key is another by now.
		s.Organization("eve")
		s.ConnectWith("eve", "sk-admin-revoked", "api", Hourly, PairAt("api", "org-1"), "")
		s.Settle(time.Second)
		s.Expect("pause of the organization that eve has no key of any more", time.Duration(0), s.All.Of(ObjectName("team")).Links().Limiter().Paused())
	})
}

func TestAnObjectWithoutAGoodKeyHoldsNobodyToItsCeiling(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.Organization("mallory")
		s.Connect("team", "api", Hourly, link.Pair{})
		o := s.All.Of(ObjectName("team"))
		before := o.Links().Limiter().Burst()
		slow := link.Terms{Interval: time.Hour, RequestsPerMinute: 1}
		for what, end := range map[string]func(){
			"no Secret":   func() { s.All.Suspend(ObjectName("mallory")) },
			"gone":        func() { s.All.Forget(ObjectName("mallory")) },
			"key refused": func() { o.Links().Refused(o.Links().Of(ObjectName("mallory")), errRefused) },
		} {
			s.Connect("mallory", "api", slow, PairAt("api", "org-1"))
			s.Settle(5 * time.Minute)
			s.Expect("burst while there are two: "+what, 1, o.Links().Limiter().Burst())
			end()
			s.Expect("burst afterwards: "+what, before, o.Links().Limiter().Burst())
		}
	})
}

// No status takes such an ID, so that each answer would make another organization.
func TestAServerThatNamesAnObjectMakesNoOrganizations(t *testing.T) {
	InScene(t, func(s *Scene) {
		var answered atomic.Int64
		s.APIs["evil"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Openai-Organization", fmt.Sprint("object:", answered.Add(1)))
			_, _ = w.Write([]byte(`{"object":"list","data":[],"has_more":false,"next":null}`))
		})
		s.Organization("mallory")
		for range 5 {
			s.Connect("mallory", "evil", Hourly, link.Pair{})
			s.Settle(time.Second)
			s.All.Suspend(ObjectName("mallory"))
		}
		s.Expect("organizations", 1, s.All.Kept()[0])
	})
}

func TestAnOrganizationThatIsForgottenStops(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.Connect("team", "api", Hourly, link.Pair{})
		before := runtime.NumGoroutine()
		// A tenant's server calls itself something else each time.
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			s.Host("evil", "org-"+id, Persons(3)...)
			s.Organization("mallory")
			s.Connect("mallory", "evil", Hourly, link.Pair{})
			s.All.Forget(ObjectName("mallory"))
		}
		s.Settle(registry.ForgetAfter + time.Minute)
		s.Organization("other")
		s.Host("other", "org-other", Persons(1)...)
		s.Connect("other", "other", Hourly, link.Pair{})
		s.Settle(time.Minute)
		s.Expect("organizations", 2, s.All.Kept()[0])
		if grew := runtime.NumGoroutine() - before; grew > 4 {
			t.Errorf("%d goroutines more than before", grew)
		}
	})
}

func TestAnObjectWithoutAGoodKeyStretchesNoWindow(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		few := func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(2)) }
		s.Organization("team", few)
		s.OrgUser("team", "user-000", "user-000@example.com")
		// mallory had a key once, and removed somebody then: two hours ago.
		s.Organization("mallory", few, func(org *v1alpha1.Organization) {
			org.Spec.Guard.Window = metav1.Duration{Duration: 720 * time.Hour}
			org.Status.Removals = &v1alpha1.Removals{WindowStart: metav1.NewTime(time.Now().Add(-2 * time.Hour)), Count: 2}
		})
		s.All.Noted(ObjectName("mallory"), PairAt("api", "org-1"))
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Settle(time.Minute)
		Calls(api)
		s.Leaver("team", "user-001")
		s.Settle(10 * time.Minute)
		s.Expect("removed", 1, Calls(api)[DeleteUser])
	})
}

var errRefused error = &openai.Error{Op: "list users", Status: http.StatusUnauthorized}

func TestAnObjectInConflictIsNoSiblingWhileItsKeyIsProvenAgain(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Organization("mallory")
		api.AddKey("sk-admin-another")
		s.ConnectWith("mallory", "sk-admin-another", "api", Hourly, PairAt("evil", "org-e"), "")
		s.Expect("state", link.OtherOrganization, s.All.View(ObjectName("mallory")).State)
		o := s.All.Of(ObjectName("team"))
		s.Expect("objects", []types.NamespacedName{ObjectName("team")}, o.Objects())
		api.SetLatency(time.Minute)
		s.Settle(time.Minute)
		s.ConnectWith("mallory", "sk-admin-another", "api", Hourly, PairAt("evil", "org-e"), "")
		s.Expect("state", link.Proving, s.All.View(ObjectName("mallory")).State)
		s.Expect("objects while it is proven again", []types.NamespacedName{ObjectName("team")}, o.Objects())
		s.Settle(time.Minute)
		s.Expect("state", link.Failed, s.All.View(ObjectName("mallory")).State)
		s.Expect("objects after that failed", []types.NamespacedName{ObjectName("team")}, o.Objects())
	})
}
