package statemetrics

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/registry"
)

const manyUsers = 10000

// manyObjects is a cache of one Organization, 10,000 OrgUsers and a binding, filled by an API server that has
// nothing else.
func manyObjects(t *testing.T) cache.Cache {
	t.Helper()
	held := metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonHeld}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "team-a", Name: name} }
	list := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}
	}
	version := metav1.ListMeta{ResourceVersion: "1"}
	lists := map[string]any{
		"organizations":       &v1alpha1.OrganizationList{TypeMeta: list("OrganizationList"), ListMeta: version, Items: []v1alpha1.Organization{{ObjectMeta: named("default")}}},
		"orguserrolebindings": &v1alpha1.OrgUserRoleBindingList{TypeMeta: list("OrgUserRoleBindingList"), ListMeta: version, Items: []v1alpha1.OrgUserRoleBinding{{ObjectMeta: named("viewers")}}},
	}
	users := &v1alpha1.OrgUserList{TypeMeta: list("OrgUserList"), ListMeta: version}
	for i := range manyUsers {
		user := v1alpha1.OrgUser{ObjectMeta: named(fmt.Sprintf("user-%d", i))}
		user.Spec.OrganizationRef.Name = "default"
		user.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}, held}
		users.Items = append(users.Items, user)
	}
	lists["orgusers"] = users
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch query := r.URL.Query(); {
		case query.Get("sendInitialEvents") != "":
			http.Error(w, "this API server lists", http.StatusBadRequest)
			return
		case query.Get("watch") != "":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(lists[path.Base(r.URL.Path)])
	}))
	t.Cleanup(server.Close)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Organization", "OrgUser", "OrgUserRoleBinding"} {
		mapper.Add(v1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	objects, err := cache.New(&rest.Config{Host: server.URL}, cache.Options{Scheme: scheme, Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- objects.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return objects
}

func TestAScrapeOfTenThousandObjectsIsQuick(t *testing.T) {
	elected := make(chan struct{})
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(&Metrics{
		Cache: manyObjects(t), Organizations: registry.New(registry.Options{Now: time.Now}), Elected: elected,
		Undeclared: func(types.NamespacedName) Undeclared { return Undeclared{} },
	})
	scrape := func() map[string]float64 {
		values := map[string]float64{}
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				values[family.GetName()] += metric.GetGauge().GetValue()
			}
		}
		return values
	}
	if values := scrape(); len(values) > 0 {
		t.Errorf("a manager that does not act gives %v", values)
	}
	close(elected)
	values := scrape() // fills the cache
	if values["rollcall_objects"] != manyUsers+2 || values["rollcall_held_removals"] != manyUsers || values["rollcall_declared_users"] != manyUsers {
		t.Errorf("got %v", values)
	}
	quickest := time.Hour
	for range 10 {
		began := time.Now()
		scrape()
		quickest = min(quickest, time.Since(began))
	}
	t.Logf("%d objects in %s", manyUsers, quickest)
	// Prometheus gives a scrape 10 seconds. A quarter of one is many times what it takes, also on a busy machine.
	if quickest > time.Second/4 {
		t.Errorf("the quickest of ten scrapes took %s", quickest)
	}
}
