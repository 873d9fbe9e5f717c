package chart_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// refused are values with the message that tells what is wrong with them.
var refused = map[string]string{
	"replica=3":                          "additional properties 'replica' not allowed",
	"image.tga=v1":                       "at '/image': additional properties 'tga' not allowed",
	"metrics.enable=true":                "at '/metrics': additional properties 'enable' not allowed",
	"networkPolicy.port=1":               "at '/networkPolicy': additional properties 'port' not allowed",
	"prometheus.serviceMonitor.on=true":  "at '/prometheus/serviceMonitor': additional properties 'on' not allowed",
	"podDisruptionBudget.minAvailable=1": "at '/podDisruptionBudget': additional properties 'minAvailable' not allowed",
	"crds.install=true":                  "at '/crds': additional properties 'install' not allowed",
	"userRoles.enabled=true":             "at '/userRoles': additional properties 'enabled' not allowed",
	"serviceAccount.create=true":         "at '/serviceAccount': additional properties 'create' not allowed",
	"resources.request.cpu=1":            "at '/resources': additional properties 'request' not allowed",
	"affinity.node=1":                    "at '/affinity': additional properties 'node' not allowed",
	"replicas=two":                       "at '/replicas': got string, want integer",
	"logLevel=loud":                      "at '/logLevel': value must be one of 'error', 'info', 'debug'",
	"watchNamespaces=team-a":             "at '/watchNamespaces': got string, want array",
	"watchNamespaces={Team_A}":           "at '/watchNamespaces/0': 'Team_A' does not match pattern",
	"image.digest=latest":                "at '/image/digest': 'latest' does not match pattern",
	"image.tag=a:b":                      "at '/image/tag': 'a:b' does not match pattern",
	"extraArgs={workers=3}":              "at '/extraArgs/0': 'workers=3' does not match pattern",
}

func TestAMistakeInTheValuesIsRefusedWithAMessage(t *testing.T) {
	for values, message := range refused {
		_, err := helm(t.Context(), t.TempDir(), "template", release, chart, "--set="+values)
		if err == nil {
			t.Errorf("%s is accepted", values)
		} else if !strings.Contains(err.Error(), message) {
			t.Errorf("%s: want %q, got %v", values, message, err)
		}
	}
}

func TestEveryObjectOfTheSchemaRefusesWhatItDoesNotKnow(t *testing.T) {
	content, err := os.ReadFile(chart + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, values := parsed(t, content), defaults(t)
	same(t, schema, values, "")
}

// same compares what the schema knows with what values.yaml has.
func same(t *testing.T, schema, values object, at string) {
	t.Helper()
	properties, ok := schema["properties"].(object)
	if !ok || schema["additionalProperties"] != false {
		t.Errorf("the schema lets anything be at %q", at)
	}
	for key := range properties {
		_, there := values[key]
		// What charts always have, and what a manifest may have and this one has not.
		optional := at+key == "global" || at == "resources." || at == "affinity."
		if !there && !optional {
			t.Errorf("%s%s is in the schema, but not in values.yaml", at, key)
		}
	}
	for key, value := range values {
		known, ok := properties[key].(object)
		if !ok {
			t.Errorf("%s%s is in values.yaml, but not in the schema", at, key)
			continue
		}
		if below, ok := value.(object); ok && known["properties"] != nil {
			same(t, known, below, at+key+".")
		}
	}
}

// other are settings other than the default one, for each value.
var other = map[string]string{
	"image.repository":                   "other",
	"image.tag":                          "v2",
	"image.digest":                       "sha256:" + strings.Repeat("0", 64),
	"image.pullPolicy":                   "Always",
	"image.pullSecrets":                  `[{"name":"regcred"}]`,
	"replicas":                           "1",
	"resources.requests.cpu":             `"1"`,
	"resources.requests.memory":          "1Gi",
	"resources.limits.memory":            "1Gi",
	"watchNamespaces":                    `["team-a"]`,
	"metrics.enabled":                    "false",
	"metrics.secure":                     "false",
	"prometheus.serviceMonitor.enabled":  "false",
	"prometheus.serviceMonitor.labels":   `{"a":"b"}`,
	"prometheus.serviceMonitor.interval": "15s",
	"prometheus.rules.enabled":           "false",
	"prometheus.rules.labels":            `{"a":"b"}`,
	"grafana.dashboard.enabled":          "false",
	"grafana.dashboard.labels":           `{"a":"b"}`,
	"networkPolicy.enabled":              "false",
	"networkPolicy.egressPorts":          "[443]",
	"networkPolicy.extraEgress":          `[{"ports":[{"port":8080}]}]`,
	"networkPolicy.metricsFrom":          `[{"podSelector":{}}]`,
	"podDisruptionBudget.enabled":        "false",
	"podDisruptionBudget.maxUnavailable": "2",
	"crds.enabled":                       "false",
	"crds.keep":                          "false",
	"userRoles.create":                   "false",
	"serviceAccount.annotations":         `{"a":"b"}`,
	"logLevel":                           "debug",
	"extraArgs":                          `["--workers=3"]`,
	"env":                                `[{"name":"A","value":"b"}]`,
	"volumes":                            `[{"name":"a","emptyDir":{}}]`,
	"volumeMounts":                       `[{"name":"a","mountPath":"/a"}]`,
	"podAnnotations":                     `{"a":"b"}`,
	"podLabels":                          `{"a":"b"}`,
	"priorityClassName":                  "high",
	"nodeSelector":                       `{"a":"b"}`,
	"tolerations":                        `[{"operator":"Exists"}]`,
	"affinity":                           `{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"zone"}]}}`,
	"topologySpreadConstraints":          `[{"maxSkew":2}]`,
	"nameOverride":                       "other",
	"fullnameOverride":                   "other",
}

func TestEveryValueChangesWhatIsRendered(t *testing.T) {
	const base = "--set-json=networkPolicy.enabled=true,prometheus.serviceMonitor.enabled=true,prometheus.rules.enabled=true,grafana.dashboard.enabled=true"
	usual := render(t, base)
	for _, path := range slices.Sorted(maps.Keys(leaves(defaults(t), ""))) {
		setting, ok := other[path]
		if !ok {
			t.Errorf("no other setting of %s is tried", path)
			continue
		}
		argument := "--set-json=" + path + "=" + setting
		if !strings.ContainsAny(setting[:1], `[{"`) && !regexp.MustCompile(`^(\d+|true|false)$`).MatchString(setting) {
			argument = "--set=" + path + "=" + setting
		}
		if render(t, base, argument) == usual {
			t.Errorf("%s changes nothing", path)
		}
	}
}

var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]*)` \\| .+ \\|$")

func TestTheTableOfValuesIsThatOfValuesYAML(t *testing.T) {
	readme, err := os.ReadFile(chart + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, found := range row.FindAllStringSubmatch(string(readme), -1) {
		documented[found[1]] = found[2]
	}
	for path, value := range leaves(defaults(t), "") {
		if text, ok := documented[path]; !ok || text != asJSON(t, value) {
			t.Errorf("the row of %s says %q; it should be: | `%s` | `%s` | ... |", path, text, path, asJSON(t, value))
		}
		delete(documented, path)
	}
	for path := range documented {
		t.Errorf("the table has %s, and values.yaml has not", path)
	}
}

func defaults(t *testing.T) object {
	t.Helper()
	content, err := os.ReadFile(chart + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, content)
}

// leaves are the values that hold no others, by path.
func leaves(values object, at string) map[string]any {
	found := map[string]any{}
	for key, value := range values {
		if below, ok := value.(object); ok && len(below) > 0 {
			maps.Copy(found, leaves(below, at+key+"."))
		} else {
			found[at+key] = value
		}
	}
	return found
}
