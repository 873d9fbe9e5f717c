package organization

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// connectWith gives an Organization any key, whatever comes of it.
func (s *scene) connectWith(namespace, key, host string, terms link.Terms, noted link.Pair, asked string) {
	s.Helper()
	s.all.Noted(objectName(namespace), noted)
	address := &url.URL{Scheme: "https", Host: host, Path: "/v1"}
	if err := s.all.Connect(objectName(namespace), link.NewCredential(key, address.String(), false), terms, noted, asked); err != nil {
		s.Fatal(err)
	}
	s.settle(0)
}

func TestAKeyThatIsNotProvenSharesNoBudget(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		// Whoever has no key of it is told to wait, as by address or by key.
		s.apis["api"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer "+openaitest.DefaultAdminKey {
				api.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		// The tenant's own server, at the address evil, said that it is org-1: so the status of their object has that ID.
		s.organization("mallory")
		s.connectWith("mallory", "sk-admin-no-key-of-it", "api", hourly, pairAt("evil", "org-1"), "")
		s.settle(time.Second)
		s.expect("pause of the organization that mallory has no key of", time.Duration(0), s.all.Of(objectName("team")).limiter.Paused())
		// Nor does a pair that was proven once, of an object whose key is another by now.
		s.organization("eve")
		s.connectWith("eve", "sk-admin-revoked", "api", hourly, pairAt("api", "org-1"), "")
		s.settle(time.Second)
		s.expect("pause of the organization that eve has no key of any more", time.Duration(0), s.all.Of(objectName("team")).limiter.Paused())
	})
}

func TestAnObjectWithoutAGoodKeyHoldsNobodyToItsCeiling(t *testing.T) {
	inScene(t, func(s *scene) {
		s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.organization("mallory")
		s.connect("team", "api", hourly, link.Pair{})
		o := s.all.Of(objectName("team"))
		before := o.limiter.Burst()
		slow := link.Terms{Interval: time.Hour, RequestsPerMinute: 1}
		for what, end := range map[string]func(){
			"no Secret":   func() { s.all.Suspend(objectName("mallory")) },
			"gone":        func() { s.all.Forget(objectName("mallory")) },
			"key refused": func() { o.links.Refused(s.all.links[objectName("mallory")].Link, errRefused) },
		} {
			s.connect("mallory", "api", slow, pairAt("api", "org-1"))
			s.settle(5 * time.Minute)
			s.expect("burst while there are two: "+what, 1, o.limiter.Burst())
			end()
			s.expect("burst afterwards: "+what, before, o.limiter.Burst())
		}
	})
}

func TestAnOrganizationThatIsForgottenStops(t *testing.T) {
	inScene(t, func(s *scene) {
		s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.connect("team", "api", hourly, link.Pair{})
		before := runtime.NumGoroutine()
		// A tenant's server calls itself something else each time.
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			s.host("evil", "org-"+id, persons(3)...)
			s.organization("mallory")
			s.connect("mallory", "evil", hourly, link.Pair{})
			s.all.Forget(objectName("mallory"))
		}
		s.settle(forgetAfter + time.Minute)
		s.organization("other")
		s.host("other", "org-other", persons(1)...)
		s.connect("other", "other", hourly, link.Pair{})
		s.settle(time.Minute)
		s.expect("organizations", 2, len(s.all.byPair))
		if grew := runtime.NumGoroutine() - before; grew > 4 {
			t.Errorf("%d goroutines more than before", grew)
		}
	})
}

func TestAnObjectWithoutAGoodKeyStretchesNoWindow(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		few := func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(2)) }
		s.organization("team", few)
		s.orgUser("team", "user-000", "user-000@example.com")
		// mallory had a key once, and removed somebody then: two hours ago.
		s.organization("mallory", few, func(org *v1alpha1.Organization) {
			org.Spec.Guard.Window = metav1.Duration{Duration: 720 * time.Hour}
			org.Status.Removals = &v1alpha1.Removals{WindowStart: metav1.NewTime(time.Now().Add(-2 * time.Hour)), Count: 2}
		})
		s.all.Noted(objectName("mallory"), pairAt("api", "org-1"))
		s.connect("team", "api", hourly, link.Pair{})
		s.settle(time.Minute)
		calls(api)
		s.leaver("team", "user-001")
		s.settle(10 * time.Minute)
		s.expect("removed", 1, calls(api)[deleteUser])
	})
}

var errRefused error = &openai.Error{Op: "list users", Status: http.StatusUnauthorized}

func BenchmarkWhoStandsForAnOrganizationBesideManyOthers(b *testing.B) {
	all := New(Options{Now: time.Now})
	w := all.world
	o := newOrganization(w, pairAt("api", "org-1"), openai.NewLimiter(300))
	all.byPair[pairAt("api", "org-1")] = o
	all.noted[objectName("team")] = pairAt("api", "org-1")
	for i := range 5000 {
		name := objectName(fmt.Sprintf("m%d", i))
		credential := link.NewCredential("sk-admin-"+name.Namespace, "https://evil/v1", false)
		all.links[name] = &key{Link: link.New(name, credential, nil, hourly, nil, &all.changes)}
	}
	for b.Loop() {
		o.objects(b.Context())
	}
}

func TestAnObjectInConflictIsNoSiblingWhileItsKeyIsProvenAgain(t *testing.T) {
	inScene(t, func(s *scene) {
		api := s.host("api", "org-1", persons(5)...)
		s.organization("team")
		s.connect("team", "api", hourly, link.Pair{})
		s.organization("mallory")
		api.AddKey("sk-admin-another")
		s.connectWith("mallory", "sk-admin-another", "api", hourly, pairAt("evil", "org-e"), "")
		s.expect("state", link.OtherOrganization, s.all.View(objectName("mallory")).State)
		o := s.all.Of(objectName("team"))
		s.expect("objects", []types.NamespacedName{objectName("team")}, o.Objects(t.Context()))
		api.SetLatency(time.Minute)
		s.settle(time.Minute)
		s.connectWith("mallory", "sk-admin-another", "api", hourly, pairAt("evil", "org-e"), "")
		s.expect("state", link.Proving, s.all.View(objectName("mallory")).State)
		s.expect("objects while it is proven again", []types.NamespacedName{objectName("team")}, o.Objects(t.Context()))
		s.settle(time.Minute)
		s.expect("state", link.Failed, s.all.View(objectName("mallory")).State)
		s.expect("objects after that failed", []types.NamespacedName{objectName("team")}, o.Objects(t.Context()))
	})
}
