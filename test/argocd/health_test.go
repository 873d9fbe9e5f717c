// Package argocd_test runs the health checks of config/argocd through Argo CD's own engine, on an object in each
// state that the stories of internal/controller reach.
package argocd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/health"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// want is what Argo CD is to show for a state, by the name under which it was recorded.
func want(state string) health.HealthStatusCode {
	has := func(word string) bool { return strings.Contains(state+"-", "-"+word+"-") }
	switch {
	case has("deleting"), has("new"), has("outdated"), has("reconciling"):
		return health.HealthStatusProgressing
	case has("Paused"):
		return health.HealthStatusSuspended
	case has("stalled"):
		return health.HealthStatusDegraded
	case has("InSync"), has("Observed"):
		return health.HealthStatusHealthy
	}
	return "a state that this test does not know"
}

func overrides(t *testing.T) lua.ResourceHealthOverrides {
	t.Helper()
	var configMap struct {
		Data map[string]string `json:"data"`
	}
	read(t, "../../config/argocd/argocd-cm.yaml", &configMap)
	overrides := map[string]v1alpha1.ResourceOverride{}
	if err := yaml.UnmarshalStrict([]byte(configMap.Data["resource.customizations"]), &overrides); err != nil {
		t.Fatal(err)
	}
	return overrides
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func TestHealthOfEveryState(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d states recorded: run make states (%v)", len(files), err)
	}
	overrides := overrides(t)
	for _, file := range files {
		state := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(state, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			read(t, file, &object.Object)
			got, err := health.GetResourceHealth(object, overrides)
			if err != nil || got == nil {
				t.Fatalf("no health: %v", err)
			}
			if got.Status != want(state) {
				t.Errorf("%s (%s), want %s", got.Status, got.Message, want(state))
			}
			ready, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
			if got.Status != health.HealthStatusHealthy && got.Message == "" && len(ready) > 0 {
				t.Error("no message")
			}
		})
	}
}
