package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// TestAValueIsIndexedOnce goes through controller-runtime's own cache, whose spelling of the values is its own affair.
func TestAValueIsIndexedOnce(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion})
	mapper.Add(v1alpha1.GroupVersion.WithKind("OrgUser"), meta.RESTScopeNamespace)
	objects, err := cache.New(&rest.Config{Host: "localhost:1"}, cache.Options{
		Scheme: scheme, Mapper: mapper, HTTPClient: http.DefaultClient, NewInformer: newInformer,
	})
	if err != nil {
		t.Fatal(err)
	}
	extract := func(client.Object) []string { return []string{"value"} }
	if err := objects.IndexField(context.Background(), &v1alpha1.OrgUser{}, "person", extract); err != nil {
		t.Fatal(err)
	}
	informer, err := objects.GetInformer(context.Background(), &v1alpha1.OrgUser{}, cache.BlockUntilSynced(false))
	if err != nil {
		t.Fatal(err)
	}
	indexer := informer.(toolscache.SharedIndexInformer).GetIndexer()
	user := &v1alpha1.OrgUser{}
	user.Namespace, user.Name = "team", "ada"
	values, err := indexer.GetIndexers()["field:person"](user)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"team/value"}, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}
