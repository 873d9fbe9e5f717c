package chart_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAlertsAndDashboardAreThoseOfConfig(t *testing.T) {
	rendered := objects(t, render(t, "--set=prometheus.rules.enabled=true,grafana.dashboard.enabled=true"))

	rules, err := os.ReadFile(root + "/config/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// Helm and Prometheus both write {{ }}: what is Prometheus' must come through.
	if diff := cmp.Diff(parsed(t, rules)["spec"], rendered["PrometheusRule rollcall-controller-manager"]["spec"]); diff != "" {
		t.Error(diff)
	}

	dashboard, err := os.ReadFile(root + "/config/grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	configMap := rendered["ConfigMap rollcall-dashboard"]
	if diff := cmp.Diff(string(dashboard), configMap["data"].(object)["rollcall.json"]); diff != "" {
		t.Error(diff)
	}
	if configMap["metadata"].(object)["labels"].(object)["grafana_dashboard"] != "1" {
		t.Error("Grafana's sidecar does not find the ConfigMap")
	}
}
