// Package observability_test tries the alert rules with promtool, and holds rules and dashboard against the
// metrics that there are.
package observability_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const root = "../.."

// rule is one alert.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type group struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

type prometheusRule struct {
	Spec struct {
		Groups []group `json:"groups"`
	} `json:"spec"`
}

// rules reads config/prometheus/rules.yaml.
func rules(t *testing.T) prometheusRule {
	t.Helper()
	var object prometheusRule
	if err := yaml.Unmarshal(read(t, "config/prometheus/rules.yaml"), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEachAlertFiresWhenItShouldAndNotBefore(t *testing.T) {
	promtool := strings.TrimSpace(string(output(t, nil, root, "hack/tool.sh", "promtool")))
	folder := t.TempDir()
	object := rules(t)
	for _, group := range object.Spec.Groups {
		for i := range group.Rules {
			group.Rules[i].Annotations = map[string]string{"summary": group.Rules[i].Annotations["summary"]}
		}
	}
	spec, err := yaml.Marshal(object.Spec)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("rules_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"rules.yaml": spec, "rules_test.yaml": tests} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s", output(t, nil, folder, promtool, "check", "rules", "rules.yaml"))
	t.Logf("%s", output(t, nil, folder, promtool, "test", "rules", "rules_test.yaml"))
	for _, group := range object.Spec.Groups {
		for _, rule := range group.Rules {
			fires := "alertname: " + rule.Alert + "\n    exp_alerts:"
			if !strings.Contains(string(tests), fires) || !strings.Contains(string(tests), "alertname: "+rule.Alert+"}") {
				t.Errorf("rules_test.yaml must say when %s fires and when it does not", rule.Alert)
			}
		}
	}
}

func TestEachAlertSaysWhatItMeansAndWhatToDo(t *testing.T) {
	operations, table := string(read(t, "docs/operations.md")), string(read(t, "docs/observability.md"))
	seen := 0
	for _, group := range rules(t).Spec.Groups {
		for _, rule := range group.Rules {
			seen++
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("%s has no summary, description or severity", rule.Alert)
			}
			if want := "/docs/operations.md#" + strings.ToLower(rule.Alert); !strings.HasSuffix(rule.Annotations["runbook_url"], want) {
				t.Errorf("runbook_url of %s is %q; it must end with %s", rule.Alert, rule.Annotations["runbook_url"], want)
			}
			row := regexp.MustCompile("(?m)^\\| `" + rule.Alert + "` \\| .* \\| " + rule.For + " \\| " + rule.Labels["severity"] + " \\|$")
			if !row.MatchString(table) {
				t.Errorf("docs/observability.md has no row for %s with %s and %s", rule.Alert, rule.For, rule.Labels["severity"])
			}
			if !strings.Contains(operations, "\n### "+rule.Alert+"\n") {
				t.Errorf("docs/operations.md has no heading %s", rule.Alert)
			}
		}
	}
	if seen == 0 {
		t.Error("there are no alerts")
	}
}

// uses are the metrics that an expression selects, with the labels of their matchers, and the labels that it
// groups or joins by.
type uses struct {
	Metrics map[string][]string `json:"metrics"`
	Labels  []string            `json:"labels"`
}

// parse has Prometheus' own parser read the expressions.
func parse(t *testing.T, expressions []string) []uses {
	t.Helper()
	input, err := json.Marshal(expressions)
	if err != nil {
		t.Fatal(err)
	}
	var found []uses
	if err := json.Unmarshal(output(t, input, root, "go", "-C", "hack/tools/promtool", "run", "-tags=remove_all_sd", "./selectors"), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func output(t *testing.T, input []byte, folder, program string, arguments ...string) []byte {
	t.Helper()
	if strings.HasPrefix(program, "hack/") {
		program = "./" + program
	}
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir, command.Stdin = folder, bytes.NewReader(input)
	var problems bytes.Buffer
	command.Stderr = &problems
	answer, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, answer, &problems)
	}
	return answer
}
