package chart_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

func TestTheChartPassesHelmLint(t *testing.T) {
	files, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, values := range append([]string{chart + "/values.yaml"}, files...) {
		if output, err := helm(t.Context(), t.TempDir(), "lint", "--strict", chart, "--values="+values); err != nil || strings.Contains(output, "[WARNING]") {
			t.Error(values, err, output)
		}
	}
}

func TestTheChartRendersAsReviewed(t *testing.T) {
	files, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, values := range files {
		t.Run(filepath.Base(values), func(t *testing.T) {
			rendered := render(t, "--values="+values)
			golden := filepath.Join("testdata", "golden", filepath.Base(values))
			if *update {
				if err := os.WriteFile(golden, []byte(rendered), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(rendered, "\n")); diff != "" {
				t.Errorf("differs from %s (if that is right: go test ./test/chart -run AsReviewed -update):\n%s", golden, diff)
			}
		})
	}
}

// What the chart gives by default is what dist/install.yaml gives, but for what is taken out here.
func TestByDefaultTheChartGivesWhatInstallYAMLGives(t *testing.T) {
	manifests, err := os.ReadFile(root + "/dist/install.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, got := objects(t, string(manifests)), objects(t, render(t))
	if len(want) < 20 {
		t.Fatalf("dist/install.yaml has %d objects", len(want))
	}
	// helm install --create-namespace makes it, without labels.
	delete(want, "Namespace "+namespace)

	for name, o := range got {
		metadata := o["metadata"].(object)
		labels := metadata["labels"].(object)
		for key, value := range map[string]any{
			"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": release,
			"app.kubernetes.io/version": "dev", "helm.sh/chart": "rollcall-0.1.0",
		} {
			if labels[key] != value {
				t.Errorf("%s has the label %s=%v; it should be %v", name, key, labels[key], value)
			}
			delete(labels, key)
		}
		switch o["kind"] {
		case "CustomResourceDefinition":
			annotations := metadata["annotations"].(object)
			if annotations["helm.sh/resource-policy"] != "keep" {
				t.Errorf("%s goes with an uninstall, and every object with it", name)
			}
			delete(annotations, "helm.sh/resource-policy")
		case "Deployment":
			container := o["spec"].(object)["template"].(object)["spec"].(object)["containers"].([]any)[0].(object)
			if container["imagePullPolicy"] != "IfNotPresent" {
				t.Errorf("imagePullPolicy is %v", container["imagePullPolicy"])
			}
			delete(container, "imagePullPolicy") // what Kubernetes sets for a tag
		}
		// By it one release selects its pods and not those of another.
		if n := withoutKey(o["spec"], "app.kubernetes.io/instance"); n == 0 &&
			slices.Contains([]any{"Deployment", "Service", "PodDisruptionBudget"}, o["kind"]) {
			t.Errorf("%s takes pods of other releases for its own", name)
		}
	}
	for _, o := range want {
		withoutKey(o["metadata"], "app.kubernetes.io/managed-by")
		if labels, ok := o["metadata"].(object)["labels"].(object); ok {
			labels["app.kubernetes.io/name"] = "rollcall"
		}
	}
	rulesInAnyOrder := cmpopts.SortSlices(func(a, b any) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
	if diff := cmp.Diff(want, got, rulesInAnyOrder); diff != "" {
		t.Error(diff)
	}
}

// withoutKey removes a key wherever it is and returns how often it was there.
func withoutKey(value any, key string) int {
	found := 0
	switch value := value.(type) {
	case object:
		if _, ok := value[key]; ok {
			found++
			delete(value, key)
		}
		for _, below := range value {
			found += withoutKey(below, key)
		}
	case []any:
		for _, below := range value {
			found += withoutKey(below, key)
		}
	}
	return found
}

func TestNotesTellWhatTheValuesMean(t *testing.T) {
	for _, test := range []struct {
		values string
		want   []string
	}{
		{"logLevel=info", []string{"keeps all namespaces", "kubectl --namespace rollcall-system rollout status deployment/rollcall-controller-manager", "removes nobody"}},
		{"watchNamespaces={team-a,team-b}", []string{"keeps the namespaces team-a, team-b", "kubectl --namespace team-a create secret"}},
		{"crds.keep=false", []string{"uninstalling deletes the kinds"}},
		{"crds.enabled=false", []string{"the kinds must be there"}},
		{"metrics.secure=false", []string{"anybody who reaches the port"}},
	} {
		output, err := helm(t.Context(), t.TempDir(), "install", release, chart, "--namespace="+namespace, "--dry-run=client", "--set="+test.values)
		if err != nil {
			t.Fatal(err)
		}
		_, notes, found := strings.Cut(output, "\nNOTES:\n")
		for _, want := range test.want {
			if !found || !strings.Contains(notes, want) {
				t.Errorf("with %s the notes do not say %q:\n%s", test.values, want, notes)
			}
		}
	}
}

func TestTheServiceMonitorChoosesTheMetricsServiceOfItsRelease(t *testing.T) {
	rendered := objects(t, render(t, "--set=prometheus.serviceMonitor.enabled=true"))
	monitor := rendered["ServiceMonitor rollcall-controller-manager"]["spec"].(object)
	service := rendered["Service rollcall-controller-manager-metrics-service"]
	labels := service["metadata"].(object)["labels"].(object)
	wanted := monitor["selector"].(object)["matchLabels"].(object)
	for key, value := range wanted {
		if labels[key] != value {
			t.Errorf("it chooses Services with %s=%v; the Service has %v", key, value, labels[key])
		}
	}
	if wanted["app.kubernetes.io/instance"] != release {
		t.Errorf("it chooses the Services of every release: %v", wanted)
	}
	port := monitor["endpoints"].([]any)[0].(object)["port"]
	if name := service["spec"].(object)["ports"].([]any)[0].(object)["name"]; name != port {
		t.Errorf("it scrapes the port %v; the Service has %v", port, name)
	}
}

func TestALongReleaseNameIsRefusedWithTheWayOut(t *testing.T) {
	_, err := helm(t.Context(), t.TempDir(), "template", "a-release-with-a-long-name", chart)
	if err == nil || !strings.Contains(err.Error(), "set fullnameOverride to a shorter one") {
		t.Error(err)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
