package supply_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

type workflow struct {
	Permissions map[string]string `json:"permissions"`
	Concurrency map[string]any    `json:"concurrency"`
	Jobs        map[string]job    `json:"jobs"`
}

type job struct {
	Uses        string            `json:"uses"`
	RunsOn      string            `json:"runs-on"`
	Timeout     int               `json:"timeout-minutes"`
	Permissions map[string]string `json:"permissions"`
	Steps       []step            `json:"steps"`
}

type step struct {
	Uses string         `json:"uses"`
	Run  string         `json:"run"`
	With map[string]any `json:"with"`
}

// workflows are those of GitHub, by the name of their file, and their texts.
func workflows(t *testing.T) (parsed map[string]workflow, texts map[string]string) {
	t.Helper()
	files, err := filepath.Glob(root + "/.github/workflows/*")
	if err != nil {
		t.Fatal(err)
	}
	parsed, texts = map[string]workflow{}, map[string]string{}
	for _, file := range files {
		var w workflow
		texts[filepath.Base(file)] = read(t, file)
		if err := yaml.Unmarshal([]byte(texts[filepath.Base(file)]), &w); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		parsed[filepath.Base(file)] = w
	}
	for _, name := range []string{"checks.yml", "test.yml", "vulncheck.yml", "release.yml"} {
		if len(parsed[name].Jobs) == 0 {
			t.Fatalf("no job in %s", name)
		}
	}
	return parsed, texts
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEveryActionIsPinnedByItsCommitAndSaysItsVersion(t *testing.T) {
	_, texts := workflows(t)
	pinned := regexp.MustCompile(`^([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$`)
	ours := regexp.MustCompile(`^\./\.github/workflows/([\w-]+\.yml)$`)
	pins := map[string]string{}
	for name, text := range texts {
		for line := range strings.Lines(text) {
			_, used, found := strings.Cut(line, "uses:")
			if !found {
				continue
			}
			used = strings.TrimSpace(used)
			if own := ours.FindStringSubmatch(used); len(own) == 2 && texts[own[1]] != "" {
				continue
			}
			pin := pinned.FindStringSubmatch(used)
			if pin == nil {
				t.Errorf("%s: %q is not an action pinned by its commit, with its version as a comment", name, used)
				continue
			}
			if other := pins[pin[1]]; other != "" && other != pin[2]+pin[3] {
				t.Errorf("%s: %s is pinned elsewhere to another commit or version", name, pin[1])
			}
			pins[pin[1]] = pin[2] + pin[3]
		}
	}
	if len(pins) == 0 {
		t.Error("no action was found")
	}
}

func TestWorkflowsMayDoLittleAndEnd(t *testing.T) {
	parsed, texts := workflows(t)
	writes := map[string][]string{}
	for name, w := range parsed {
		if w.Permissions == nil || len(w.Permissions) > 0 {
			t.Errorf("%s: its permissions are %v; none should hold for all jobs", name, w.Permissions)
		}
		if w.Concurrency["group"] == nil {
			t.Errorf("%s: it has no concurrency group", name)
		}
		for id, j := range w.Jobs {
			if len(j.Permissions) == 0 {
				t.Errorf("%s: the job %s names no permissions", name, id)
			}
			for scope, access := range j.Permissions {
				if access == "write" {
					writes[name+"/"+id] = append(writes[name+"/"+id], scope)
				}
			}
			if j.Uses == "" && (j.Timeout == 0 || !regexp.MustCompile(`^ubuntu-\d\d\.04$`).MatchString(j.RunsOn)) {
				t.Errorf("%s: the job %s has no timeout, or runs on %q", name, id, j.RunsOn)
			}
		}
	}
	for _, scopes := range writes {
		slices.Sort(scopes)
	}
	if len(writes) != 1 || !slices.Equal(writes["release.yml/release"], []string{"contents", "packages"}) {
		t.Errorf("jobs that may write are %v", writes)
	}
	for name, text := range texts {
		if strings.Contains(text, "pull_request_target") {
			t.Errorf("%s: what a pull request brings would run with rights", name)
		}
	}
}

func TestStepsOfWorkflows(t *testing.T) {
	parsed, _ := workflows(t)
	asked := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, root+"/go.mod"))[1]
	for name, w := range parsed {
		for id, j := range w.Jobs {
			for _, s := range j.Steps {
				action, _, _ := strings.Cut(s.Uses, "@")
				switch {
				case action == "actions/checkout" && s.With["persist-credentials"] != false:
					t.Errorf("%s: the job %s leaves its token in the checkout", name, id)
				case action == "actions/setup-go" && (s.With["go-version"] != asked+".x" || s.With["check-latest"] != true):
					t.Errorf("%s: the job %s builds with Go %v; go.mod asks for %s, and its newest patch has the known vulnerabilities mended", name, id, s.With["go-version"], asked)
				case action == "actions/setup-go" && name == "release.yml" && s.With["cache"] != false:
					t.Errorf("a release is built from a cache that other runs fill")
				case strings.Contains(s.Run, "${{"):
					t.Errorf("%s: the job %s pastes an expression into a script, where its value would be run: %s", name, id, s.Run)
				}
			}
		}
	}
}

func TestWorkflowsMakeWhatThereIs(t *testing.T) {
	parsed, _ := workflows(t)
	made, makefile := map[string]bool{}, read(t, root+"/Makefile")
	for name, w := range parsed {
		for _, j := range w.Jobs {
			for _, s := range j.Steps {
				for _, target := range regexp.MustCompile(`\bmake ([\w-]+)`).FindAllStringSubmatch(s.Run, -1) {
					made[target[1]] = true
					if !strings.Contains(makefile, "\n"+target[1]+":") {
						t.Errorf("%s: make %s, which the Makefile has not", name, target[1])
					}
				}
			}
		}
	}
	for _, target := range []string{"verify", "lint", "test", "test-argocd", "vulncheck", "release"} {
		if !made[target] {
			t.Errorf("no workflow runs make %s; they run %v", target, slices.Sorted(maps.Keys(made)))
		}
	}
	needed := regexp.MustCompile(`needs: \[checks, test, vulncheck\]`)
	if !needed.MatchString(read(t, root+"/.github/workflows/release.yml")) {
		t.Error("a release does not wait for all checks")
	}
}

func TestDependabotKnowsEveryModule(t *testing.T) {
	var config struct {
		Updates []struct {
			Ecosystem   string   `json:"package-ecosystem"`
			Directories []string `json:"directories"`
		} `json:"updates"`
	}
	if err := yaml.Unmarshal([]byte(read(t, root+"/.github/dependabot.yml")), &config); err != nil {
		t.Fatal(err)
	}
	covered := map[string][]string{}
	for _, update := range config.Updates {
		covered[update.Ecosystem] = append(covered[update.Ecosystem], update.Directories...)
	}
	if got := slices.Sorted(maps.Keys(covered)); !slices.Equal(got, []string{"docker", "github-actions", "gomod"}) {
		t.Errorf("it updates %v", got)
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "go.mod", "**/go.mod")
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.FieldsSeq(string(output)) {
		folder := strings.TrimSuffix("/"+filepath.Dir(file), "/.")
		if folder == "" {
			folder = "/"
		}
		if !slices.ContainsFunc(covered["gomod"], func(pattern string) bool {
			matched, err := filepath.Match(pattern, folder)
			return err == nil && matched
		}) {
			t.Errorf("nobody updates the module in %s", folder)
		}
	}
}
