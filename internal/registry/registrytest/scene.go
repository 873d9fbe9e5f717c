// Package registrytest sets stories on organizations in memory, with a cluster in memory, in a bubble of time of their own.
package registrytest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/registry"
)

// Scene is a cluster, organizations by host, and what acts between them, in a bubble of time.
type Scene struct {
	*testing.T
	*Cluster
	Edge *Edge
	All  *registry.Organizations
	APIs map[string]http.Handler
	end  context.CancelFunc
	done chan struct{}
}

// RoundTrip implements http.RoundTripper: the request goes to the organization of the host.
func (s *Scene) RoundTrip(r *http.Request) (response *http.Response, err error) {
	api := s.APIs[r.URL.Host]
	if api == nil {
		return nil, fmt.Errorf("no host %s", r.URL.Host)
	}
	defer func() {
		if recover() != nil {
			response, err = nil, fmt.Errorf("the connection was dropped")
		}
	}()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response = recorder.Result()
	response.Request = r
	return response, nil
}

// InScene runs a story in a bubble of time of its own.
func InScene(t *testing.T, story func(*Scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &Scene{T: t, Cluster: newCluster(t), APIs: map[string]http.Handler{}, done: make(chan struct{})}
		s.Edge = &Edge{Cluster: s.Cluster, Woken: map[types.NamespacedName]int{}, orgs: map[types.NamespacedName]int{}}
		s.All = registry.New(registry.Options{
			Cache: declared.NewCache(s.Cluster, time.Now), Live: live{s.Cluster}, Edge: s.Edge, Now: time.Now, Linger: -1, Transport: s,
		})
		var ctx context.Context
		ctx, s.end = context.WithCancel(t.Context())
		go func() {
			defer close(s.done)
			_ = s.All.Start(ctx)
		}()
		story(s)
		s.end()
		<-s.done
		synctest.Wait()
	})
}

// Host adds an organization at an address.
func (s *Scene) Host(name, id string, users ...openaitest.User) *openaitest.Organization {
	api := openaitest.New(id, openaitest.DefaultAdminKey)
	for _, user := range users {
		api.AddUser(user)
	}
	s.APIs[name] = api
	return api
}

// Hourly has an organization read each hour, and nobody wait for its budget.
var Hourly = link.Terms{Interval: time.Hour, RequestsPerMinute: 3000}

// Connect gives an Organization the key of a host, and waits until it is proven.
func (s *Scene) Connect(namespace, host string, terms link.Terms, noted link.Pair) {
	s.Helper()
	s.All.Noted(ObjectName(namespace), noted)
	address := &url.URL{Scheme: "https", Host: host, Path: "/v1"}
	if err := s.All.Connect(ObjectName(namespace), link.NewCredential(openaitest.DefaultAdminKey, address.String(), false), terms, noted, ""); err != nil {
		s.Fatal(err)
	}
	s.Settle(0)
}

// ConnectWith gives an Organization any key, whatever comes of it.
func (s *Scene) ConnectWith(namespace, key, host string, terms link.Terms, noted link.Pair, asked string) {
	s.Helper()
	s.All.Noted(ObjectName(namespace), noted)
	address := &url.URL{Scheme: "https", Host: host, Path: "/v1"}
	if err := s.All.Connect(ObjectName(namespace), link.NewCredential(key, address.String(), false), terms, noted, asked); err != nil {
		s.Fatal(err)
	}
	s.Settle(0)
}

// Settle lets time pass until nothing is under way that needs none.
func (s *Scene) Settle(d time.Duration) {
	synctest.Wait()
	if d > 0 {
		time.Sleep(d) //nolint:forbidigo // the bubble's clock, which stands while anybody works
		synctest.Wait()
	}
}

// Edit writes an object and wakes whom it speaks of, as an informer does.
func (s *Scene) Edit(object client.Object) {
	s.Helper()
	object.SetGeneration(object.GetGeneration() + 1)
	s.Put(object)
	s.Wake(object)
}

// Wake wakes whom an object speaks of.
func (s *Scene) Wake(object client.Object) {
	if o := s.All.Of(declared.OrganizationOf(object)); o != nil {
		o.Wake(pending.Edited, true, declared.KeysOf(object)...)
	}
}

// Calls are the calls since the last time, counted by method and endpoint.
func Calls(api *openaitest.Organization) map[string]int {
	counted := map[string]int{}
	for _, call := range api.Journal() {
		name := call.Method + " " + call.Endpoint
		if strings.Contains(call.Query, "emails") {
			name += "?emails"
		}
		counted[name]++
	}
	api.ResetJournal()
	return counted
}

// The calls, as Calls counts them.
const (
	Users       = "GET /organization/users"
	Emails      = "GET /organization/users?emails"
	GetUser     = "GET /organization/users/{id}"
	PostUser    = "POST /organization/users/{id}"
	DeleteUser  = "DELETE /organization/users/{id}"
	ListRoles   = "GET /organization/users/{id}/roles"
	AssignRole  = "POST /organization/users/{id}/roles"
	GetRole     = "GET /organization/users/{id}/roles/{role_id}"
	TakeRole    = "DELETE /organization/users/{id}/roles/{role_id}"
	CatalogList = "GET /organization/roles"
)

// Expect compares.
func (s *Scene) Expect(what string, want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Person is one of many users.
func Person(n int) openaitest.User {
	return openaitest.User{ID: fmt.Sprintf("user-%03d", n), Email: fmt.Sprintf("user-%03d@example.com", n), Role: "reader"}
}

// Persons are the first of them.
func Persons(n int) []openaitest.User {
	all := make([]openaitest.User, n)
	for i := range all {
		all[i] = Person(i)
	}
	return all
}

// PairAt is the organization of a host.
func PairAt(host, id string) link.Pair { return link.Pair{Address: "https://" + host + "/v1", ID: id} }
