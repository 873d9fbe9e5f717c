package observability_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

type dashboard struct {
	UID        string `json:"uid"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type variable struct {
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Definition string          `json:"definition"`
	Query      json.RawMessage `json:"query"`
}

type panel struct {
	ID          int        `json:"id"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     gridPos    `json:"gridPos"`
	Targets     []target   `json:"targets"`
}

type datasource struct {
	UID string `json:"uid"`
}

type gridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

type target struct {
	RefID        string     `json:"refId"` //nolint:tagliatelle // Grafana's spelling
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
}

func theDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(read(t, "config/grafana/dashboard.json"), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return d
}

// documented are the metrics that there are, with their labels: docs/observability.md lists exactly what a
// scrape gives, which a test in internal/controller sees to. The first two are not in its table: one is of
// controller-runtime, and the test in test/install that scrapes a manager looks for it; the other is there only while an
// API takes less than it is asked.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{
		"leader_election_master_status":           {"name"},
		"rollcall_api_learnt_requests_per_minute": {"call", "organization"},
	}
	row := regexp.MustCompile("(?m)^\\| `(rollcall_[a-z_]+)` \\| (counter|gauge|histogram) \\| (.*?) \\|")
	for _, match := range row.FindAllStringSubmatch(string(read(t, "docs/observability.md")), -1) {
		labels := strings.Split(strings.ReplaceAll(match[3], "`", ""), ", ")
		if match[2] == "histogram" {
			known[match[1]+"_bucket"] = append(slices.Clone(labels), "le")
			known[match[1]+"_count"], known[match[1]+"_sum"] = labels, labels
			continue
		}
		known[match[1]] = labels
	}
	if len(known) < 10 {
		t.Fatal("docs/observability.md has no table of metrics")
	}
	return known
}

// missing says what an expression uses, or its legend shows, that there is not.
func missing(known map[string][]string, found uses, shown []string) []string {
	var all, problems []string
	for metric, matched := range found.Metrics {
		labels, ok := known[metric]
		if !ok {
			problems = append(problems, "no metric "+metric)
		}
		for _, label := range matched {
			if !slices.Contains(labels, label) {
				problems = append(problems, metric+" has no label "+label)
			}
		}
		all = append(all, labels...)
	}
	for _, label := range append(found.Labels, shown...) {
		if !slices.Contains(all, label) {
			problems = append(problems, "none of its metrics has the label "+label)
		}
	}
	return problems
}

var (
	inLegend     = regexp.MustCompile(`{{ *([a-z_]+) *}}`)
	inAnnotation = regexp.MustCompile(`\$labels\.([a-z_]+)`)
)

func captured(pattern *regexp.Regexp, text string) []string {
	var names []string
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	return names
}

func TestDashboardAndRulesUseMetricsAndLabelsThatThereAre(t *testing.T) {
	known := documented(t)
	var places, expressions []string
	var shown [][]string
	add := func(place, expression string, labels []string) {
		places, expressions, shown = append(places, place), append(expressions, expression), append(shown, labels)
	}
	for _, group := range rules(t).Spec.Groups {
		for _, rule := range group.Rules {
			add("alert "+rule.Alert, rule.Expr, captured(inAnnotation, rule.Annotations["summary"]+rule.Annotations["description"]))
		}
	}
	inGrafana := strings.NewReplacer("$__rate_interval", "5m", "$organization", ".*")
	d := theDashboard(t)
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			add("panel "+panel.Title, inGrafana.Replace(target.Expr), captured(inLegend, target.LegendFormat))
		}
	}
	for _, variable := range d.Templating.List {
		if match := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(variable.Definition); match != nil {
			add("variable "+variable.Name, match[1], match[2:])
		} else if variable.Type == "query" {
			t.Errorf("variable %s is %q, which is not understood here", variable.Name, variable.Definition)
		}
	}
	used := map[string]bool{}
	for i, found := range parse(t, expressions) {
		for _, problem := range missing(known, found, shown[i]) {
			t.Errorf("%s: %s", places[i], problem)
		}
		for metric := range found.Metrics {
			used[metric] = true
		}
	}
	if !used["rollcall_objects"] || !used["rollcall_api_request_duration_seconds_bucket"] {
		t.Errorf("used are only %v", slices.Sorted(maps.Keys(used)))
	}
}

func TestTheCheckSeesWhatThereIsNot(t *testing.T) {
	known := map[string][]string{"rollcall_objects": {"organization", "kind"}}
	cases := []struct{ expression, want string }{
		{`sum by (kind) (rollcall_objects{organization="a"})`, ""},
		{`rollcall_object`, "no metric rollcall_object"},
		{`rollcall_objects{role="owner"}`, "rollcall_objects has no label role"},
		{`sum by (role) (rollcall_objects)`, "none of its metrics has the label role"},
		{`{__name__="rollcall_else"}`, "no metric rollcall_else"},
	}
	var expressions []string
	for _, c := range cases {
		expressions = append(expressions, c.expression)
	}
	for i, found := range parse(t, expressions) {
		if got := strings.Join(missing(known, found, nil), "; "); got != cases[i].want {
			t.Errorf("%s: %q, not %q", cases[i].expression, got, cases[i].want)
		}
	}
}

func TestDashboardIsWellFormed(t *testing.T) {
	d := theDashboard(t)
	names := map[string]string{}
	for _, variable := range d.Templating.List {
		names[variable.Name] = variable.Type
	}
	if names["datasource"] != "datasource" || names["organization"] != "query" || d.UID == "" {
		t.Errorf("it must have a uid and the variables datasource and organization, but has %v", names)
	}
	seen := map[int]string{}
	for i, p := range d.Panels {
		if other, taken := seen[p.ID]; taken || p.ID == 0 {
			t.Errorf("panel %q has the ID of %q, or none", p.Title, other)
		}
		seen[p.ID] = p.Title
		if p.Title == "" || p.Description == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %q has no title, description, target or the variable as its data source", p.Title)
		}
		references := map[string]bool{}
		for _, target := range p.Targets {
			if references[target.RefID] || target.Datasource.UID != "${datasource}" {
				t.Errorf("panel %q has two targets %s, or one that does not ask the variable data source", p.Title, target.RefID)
			}
			references[target.RefID] = true
		}
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
			t.Errorf("panel %q does not fit into the 24 columns: %+v", p.Title, g)
		}
		for _, q := range d.Panels[i+1:] {
			if o := q.GridPos; g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("panels %q and %q overlap", p.Title, q.Title)
			}
		}
	}
}

func TestManifestsOfPrometheusAndGrafanaBuild(t *testing.T) {
	kustomize := strings.TrimSpace(string(output(t, nil, root, "hack/tool.sh", "kustomize")))
	service := string(output(t, nil, root, kustomize, "build", "config/default"))
	for folder, wants := range map[string][]string{
		"config/prometheus": {"kind: ServiceMonitor", "kind: PrometheusRule", "name: rollcall-controller-manager"},
		"config/grafana":    {"name: rollcall-dashboard", `grafana_dashboard: "1"`, "namespace: rollcall-system"},
	} {
		built := string(output(t, nil, root, kustomize, "build", folder))
		for _, want := range wants {
			if !strings.Contains(built, want) {
				t.Errorf("%s has no %s:\n%s", folder, want, built)
			}
		}
	}
	var monitor struct {
		Spec struct {
			Endpoints []struct {
				Port string `json:"port"`
			} `json:"endpoints"`
			Selector struct {
				MatchLabels map[string]string `json:"matchLabels"`
			} `json:"selector"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, "config/prometheus/monitor.yaml"), &monitor); err != nil {
		t.Fatal(err)
	}
	var chosen struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
		Spec struct {
			Ports []struct {
				Name string `json:"name"`
			} `json:"ports"`
		} `json:"spec"`
	}
	for document := range strings.SplitSeq(service, "\n---\n") {
		if strings.Contains(document, "\nkind: Service\n") {
			if err := yaml.Unmarshal([]byte(document), &chosen); err != nil {
				t.Fatal(err)
			}
		}
	}
	for label, value := range monitor.Spec.Selector.MatchLabels {
		if chosen.Metadata.Labels[label] != value {
			t.Errorf("the ServiceMonitor selects %s=%s; the Service has %v", label, value, chosen.Metadata.Labels)
		}
	}
	if len(monitor.Spec.Endpoints) != 1 || len(chosen.Spec.Ports) != 1 || monitor.Spec.Endpoints[0].Port != chosen.Spec.Ports[0].Name {
		t.Errorf("the ServiceMonitor scrapes %v; the Service has %v", monitor.Spec.Endpoints, chosen.Spec.Ports)
	}
}
