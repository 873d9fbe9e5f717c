// Package supply_test looks at how rollcall is checked, built and released: the scripts that do it, and the
// workflows that run them.
package supply_test

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// The functions that the databases of these tests warn of are well; nobody knows a vulnerability in them.
func TestVulncheck(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + nobody.Addr().String()
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		database  string
		arguments []string
		status    int
		want      string
	}{
		"fails on a vulnerable function that is called": {
			vulnerable(t, "Marshal"), []string{"./hack/chart"}, 3, "FAIL: a known vulnerability is called",
		},
		"passes where the vulnerable function of a module in use is not called": {
			vulnerable(t, "YAMLToJSONStrict"), []string{"./hack/chart"}, 0, "PASS: no known vulnerability is called",
		},
		"says that it checks nothing where the database is out of reach": {
			refused, []string{"./hack/chart"}, 0, "LEFT OUT: nothing was checked for vulnerabilities, since the database is out of reach: ",
		},
		"fails where the database is out of reach and required": {
			refused, []string{"--required", "./hack/chart"}, 1, "the database is required here",
		},
		"fails where the Go project's database is out of reach and required": {
			"", []string{"--required", "./hack/chart"}, 1, `fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz"`,
		},
		"fails with a required database that there is not": {
			"file://" + filepath.Join(t.TempDir(), "nowhere"), []string{"--required", "./hack/chart"}, 1, "the database is required here",
		},
		"checks with --required as without": {
			vulnerable(t, "Marshal"), []string{"--required", "./hack/chart"}, 3, "sigs.k8s.io/yaml",
		},
		"fails on a package that there is not, wherever the database is": {
			vulnerable(t, "Marshal"), []string{"./internal/nowhere"}, 1, "internal/nowhere",
		},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "bash", append([]string{"hack/vulncheck.sh"}, test.arguments...)...)
			command.Dir = root
			command.Env = append(os.Environ(), "VULNDB="+test.database, "HTTPS_PROXY="+refused, "NO_PROXY=")
			output, err := command.CombinedOutput()
			status := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				status = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if status != test.status || !strings.Contains(string(output), test.want) {
				t.Errorf("ended with %d, want %d and %q:\n%s", status, test.status, test.want, output)
			}
		})
	}
}

// vulnerable is a vulnerability database that warns of a function of sigs.k8s.io/yaml, at any version.
func vulnerable(t *testing.T, function string) string {
	t.Helper()
	type object = map[string]any
	const module, id, modified = "sigs.k8s.io/yaml", "GO-2000-0001", "2000-01-01T00:00:00Z"
	folder := t.TempDir()
	for name, content := range map[string]any{
		"index/db":      object{"modified": modified},
		"index/modules": []object{{"path": module, "vulns": []object{{"id": id, "modified": modified}}}},
		"index/vulns":   []object{{"id": id, "modified": modified}},
		"ID/" + id: object{
			"schema_version": "1.3.1", "id": id, "modified": modified, "published": modified, "details": "made up", "database_specific": object{"url": "https://vulnerabilities.example/" + id},
			"affected": []object{{
				"package":            object{"name": module, "ecosystem": "Go"},
				"ranges":             []object{{"type": "SEMVER", "events": []object{{"introduced": "0"}}}},
				"ecosystem_specific": object{"imports": []object{{"path": module, "symbols": []string{function}}}},
			}},
		},
	} {
		encoded, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, name+".json")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, encoded, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "file://" + folder
}
