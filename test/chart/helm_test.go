// Package chart_test tries the Helm chart with the real helm: what it renders, what it refuses, and what happens
// to a cluster and to the people in an organization when it is installed, upgraded and uninstalled.
package chart_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	apiyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	root      = "../.."
	chart     = root + "/dist/chart"
	release   = "rollcall"
	namespace = "rollcall-system"
)

// program is helm, as pinned below hack/tools. The first use builds it.
var program = sync.OnceValues(func() (string, error) {
	output, err := exec.Command(root+"/hack/tool.sh", "helm").Output()
	return strings.TrimSpace(string(output)), withOutput(err, nil)
})

// helm runs helm with folders of its own and returns what it prints.
func helm(ctx context.Context, folder string, arguments ...string) (string, error) {
	path, err := program()
	if err != nil {
		return "", fmt.Errorf("build helm: %w", err)
	}
	command := exec.CommandContext(ctx, path, arguments...)
	for _, kind := range []string{"CACHE", "CONFIG", "DATA"} {
		command.Env = append(command.Environ(), "HELM_"+kind+"_HOME="+filepath.Join(folder, kind))
	}
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("helm %s: %w", strings.Join(arguments, " "), withOutput(err, output))
	}
	return string(output), err
}

func withOutput(err error, output []byte) error {
	if err == nil {
		return nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		output = append(output, exit.Stderr...)
	}
	return fmt.Errorf("%w: %s", err, output)
}

// render is what the chart makes of some values.
func render(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := helm(t.Context(), t.TempDir(), append([]string{"template", release, chart, "--namespace=" + namespace}, arguments...)...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

type object = map[string]any

// objects are those in a file of manifests, by kind and name.
func objects(t *testing.T, manifests string) map[string]object {
	t.Helper()
	found := map[string]object{}
	decoder := apiyaml.NewYAMLToJSONDecoder(bytes.NewBufferString(manifests))
	for {
		var o object
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if len(o) == 0 {
			continue
		}
		metadata, _ := o["metadata"].(object)
		name := fmt.Sprintf("%s %s", o["kind"], metadata["name"])
		if inside, ok := metadata["namespace"]; ok && inside != namespace {
			name += fmt.Sprintf(" in %s", inside)
		}
		if _, twice := found[name]; twice {
			t.Fatalf("%s is there twice", name)
		}
		found[name] = o
	}
}

// parsed is a file of YAML or JSON.
func parsed(t *testing.T, content []byte) object {
	t.Helper()
	var o object
	if err := yaml.UnmarshalStrict(content, &o); err != nil {
		t.Fatal(err)
	}
	return o
}
