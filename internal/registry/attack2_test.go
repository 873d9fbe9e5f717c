package registry_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

// gateway routes by the path on the wire, as an Ingress with a path a tenant does.
func gateway(tenants map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for prefix, to := range tenants {
			if strings.HasPrefix(r.URL.EscapedPath(), prefix) {
				at := strings.Index(r.URL.Path, "/v1/")
				r = r.Clone(r.Context())
				r.URL.Path, r.URL.RawPath = r.URL.Path[at:], ""
				to.ServeHTTP(w, r)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	})
}

func attackGateway(t *testing.T, do func(s *Scene, victim, evil *openaitest.Organization, attack func())) {
	InScene(t, func(s *Scene) {
		victim := s.Host("victim-api", "org-1", Persons(5)...)
		evil := openaitest.New("org-1", "sk-admin-mallorys-own") // her server says the victim's ID, which is no secret
		evil.AddUser(openaitest.User{ID: "user-x", Email: "x@example.com", Role: "owner"})
		s.APIs["gw"] = gateway(map[string]http.Handler{"/victim/": victim, "/mallory/": evil})
		s.Organization("team")
		if err := s.All.Connect(ObjectName("team"), link.NewCredential(openaitest.DefaultAdminKey, "https://gw/victim/v1", false), Hourly, link.Pair{}, ""); err != nil {
			t.Fatal(err)
		}
		s.Settle(time.Minute)
		s.Expect("the victim is proven", link.Proven, s.All.View(ObjectName("team")).State)
		s.Organization("mallory")
		do(s, victim, evil, func() {
			slow := link.Terms{Interval: 30 * time.Second, RequestsPerMinute: 1}
			if err := s.All.Connect(ObjectName("mallory"), link.NewCredential("sk-admin-mallorys-own", "https://gw/mallory/v1/..%2F..%2Fvictim%2Fv1%2F", false), slow, link.Pair{}, ""); err != nil {
				t.Fatal(err)
			}
			s.Settle(time.Minute)
			if s.All.Of(ObjectName("mallory")) == nil {
				t.Fatalf("the attack fails: %+v", s.All.View(ObjectName("mallory")))
			}
		})
	})
}

func TestAttackGatewayMalloryStandsForTheVictim(t *testing.T) {
	attackGateway(t, func(s *Scene, _, _ *openaitest.Organization, attack func()) {
		before := s.All.Of(ObjectName("team")).Links().Limiter().Burst()
		attack()
		s.Expect("objects of the victim's organization", names("team"), s.All.View(ObjectName("team")).Objects)
		s.Expect("budget of the victim", before, s.All.Of(ObjectName("team")).Links().Limiter().Burst())
		for range 120 {
			s.Settle(31 * time.Second)
			if user, ok := s.All.Usable(ObjectName("mallory")).Roster().Get("user-003"); ok {
				t.Errorf("mallory's OrgUsers learn of the victim's %+v", user)
				break
			}
		}
	})
}

func TestAttackGatewayKeepsALeaverIn(t *testing.T) {
	attackGateway(t, func(s *Scene, victim, _ *openaitest.Organization, attack func()) {
		s.OrgUser("team", "user-000", "user-000@example.com")
		attack()
		s.OrgUser("mallory", "user-001", "user-001@example.com", func(u *v1alpha1.OrgUser) { u.Finalizers, u.Status.UserID = nil, "" })
		s.Leaver("team", "user-001")
		s.Settle(24 * time.Hour)
		s.Expect("removed", []string{"user-001"}, s.Edge.IDsOf(plan.Remove))
		s.Expect("users that the victim's reading found", 4, s.All.View(ObjectName("team")).Counts.Total)
		_ = victim
	})
}

// A server that calls itself something else in each answer, and an Organization that is paused and unpaused.
func TestAttackOneObjectMakesOrganizationsWithoutEnd(t *testing.T) {
	InScene(t, func(s *Scene) {
		var n atomic.Int64
		var users strings.Builder
		for i := range 5000 {
			fmt.Fprintf(&users, `,{"id":"u%d","object":"organization.user","added_at":1,"email":"u%d@example.com","name":"%s"}`, i, i, strings.Repeat("n", 500))
		}
		body := `{"object":"list","data":[` + users.String()[1:] + `],"has_more":false}`
		s.APIs["evil"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Openai-Organization", fmt.Sprint("object:", n.Add(1)))
			if strings.HasSuffix(r.URL.Path, "/organization/users") {
				_, _ = w.Write([]byte(body))
				return
			}
			_, _ = w.Write([]byte(`{"object":"list","data":[],"has_more":false,"next":null}`))
		})
		s.Organization("mallory")
		before, heap := runtime.NumGoroutine(), heapMiB()
		for range 40 {
			s.Connect("mallory", "evil", Hourly, link.Pair{}) // noted stays empty: an ID that begins with object: goes into no status
			s.Settle(time.Second)
			s.All.Suspend(ObjectName("mallory")) // the annotation paused
		}
		t.Logf("%d goroutines and %d MiB more than before", runtime.NumGoroutine()-before, heapMiB()-heap)
		if kept := s.All.Kept()[0]; kept > 3 {
			t.Errorf("one Organization object keeps %d organizations with a roster and goroutines each", kept)
		}
	})
}

func heapMiB() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 20)
}

// The role lists of users are bounded each, and not together.
func TestAttackRoleListsOfManyUsers(t *testing.T) {
	for _, people := range []int{5, 40} {
		t.Run(fmt.Sprint(people), func(t *testing.T) {
			InScene(t, func(s *Scene) {
				sim := s.Host("sim", "org-e", Persons(people)...)
				role := sim.AddRole(openaitest.Role{Name: "viewer"})
				s.APIs["evil"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !strings.HasSuffix(r.URL.Path, "/roles") || !strings.Contains(r.URL.Path, "/users/") {
						sim.ServeHTTP(w, r)
						return
					}
					w.Header().Set("Content-Type", "application/json")
					w.Header().Set("Openai-Organization", "org-e")
					var roles strings.Builder
					for i := range 3000 {
						fmt.Fprintf(&roles, `,{"id":"role-%d","name":"%s","predefined_role":false}`, i, strings.Repeat("n", 1000))
					}
					_, _ = w.Write([]byte(`{"object":"list","data":[` + roles.String()[1:] + `],"has_more":false,"next":null}`))
				})
				s.Organization("mallory")
				who := map[string]string{}
				for i := range people {
					who[Person(i).ID] = Person(i).Email
				}
				s.Binding("mallory", role, who)
				before := heapMiB()
				s.Connect("mallory", "evil", Hourly, link.Pair{})
				s.Settle(5 * time.Minute)
				grown := heapMiB() - before
				t.Logf("role lists of %d users, 3 MiB each: %d MiB more", people, grown)
				if grown > 60 {
					t.Errorf("%d MiB are kept of the roles of %d users, and up to 128 MiB of each are taken", grown, people)
				}
			})
		})
	}
}

// One list within all bounds: 128 MiB a list.
func TestAttackAListWithinItsBoundIsMoreThanThePodHas(t *testing.T) {
	const pages, perPage = 8, 40_000 // at most 10 MiB a page, of 16
	var pagesOf [pages]string
	for p := range pages {
		var b strings.Builder
		b.WriteString(`{"object":"list","data":[`)
		for i := range perPage {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":"u%d-%d","object":"organization.user","added_at":1,"email":"u%d-%d@e.com"}`, p, i, p, i)
		}
		fmt.Fprintf(&b, `],"has_more":%t,"last_id":"p%d"}`, p < pages-1, p+1)
		pagesOf[p] = b.String()
	}
	t.Logf("pages of %d KiB", len(pagesOf[0])>>10)
	InScene(t, func(s *Scene) {
		s.APIs["evil"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Openai-Organization", "org-e")
			if !strings.HasSuffix(r.URL.Path, "/organization/users") {
				_, _ = w.Write([]byte(`{"object":"list","data":[],"has_more":false,"next":null}`))
				return
			}
			p := 0
			_, _ = fmt.Sscanf(r.URL.Query().Get("after"), "p%d", &p)
			_, _ = w.Write([]byte(pagesOf[p]))
		})
		s.Organization("mallory")
		s.OrgUser("mallory", "u0-0", "u0-0@e.com")
		before := heapMiB()
		s.Connect("mallory", "evil", Hourly, link.Pair{})
		t.Logf("kept after one reading: %d MiB, users %d", heapMiB()-before, s.All.View(ObjectName("mallory")).Counts.Total)
		begun := cpu()
		s.All.Of(ObjectName("mallory")).Readings().Soon()
		s.Settle(time.Minute)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		kept := heapMiB() - before
		t.Logf("kept after two: %d MiB, the process took %d MiB of the system; a reading takes %v of a processor", kept, m.Sys>>20, cpu()-begun)
		if kept > 100 {
			t.Errorf("one organization keeps %d MiB of 26 MiB on the wire; some three of them are the 512 MiB of config/manager", kept)
		}
	})
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// An object that is created anew under the name of one that had a key, before anybody looked, has no key and never had one.
func TestAttackAnObjectCreatedAnewStandsForWhatTheOldOneDid(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("api", "org-1", Persons(5)...)
		s.Organization("team")
		s.Organization("ex")
		s.Connect("team", "api", Hourly, link.Pair{})
		s.Connect("ex", "api", Hourly, link.Pair{})
		s.Organization("ex", func(o *v1alpha1.Organization) { o.UID = "another" })
		s.All.Noted(ObjectName("ex"), link.Pair{}) // what Reconcile says first, of the new object's empty status
		s.All.Suspend(ObjectName("ex"))            // its Secret does not exist
		s.Settle(48 * time.Hour)
		s.Expect("objects of the organization", names("team"), s.All.View(ObjectName("team")).Objects)
	})
}
