// Command chart makes the templates of the Helm chart from the manifests that kustomize renders from config/, so
// that kinds, rights and the Deployment cannot differ between the two. What is not in a manifest, such as
// values.yaml and the named templates in _helpers.tpl, is kept by hand.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: chart FOLDER <MANIFESTS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run(folder string, manifests io.Reader) error {
	files := map[string]*bytes.Buffer{}
	decoder := yaml.NewYAMLToJSONDecoder(manifests)
	for {
		var o object
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if len(o) == 0 {
			continue // between two separators
		}
		file, text, err := template(o)
		if err != nil {
			return fmt.Errorf("%s %s: %w", o["kind"], o.name(), err)
		}
		if file == "" {
			continue
		}
		if files[file] == nil {
			files[file] = bytes.NewBufferString("{{- /* Made from config/ by make chart. */ -}}\n")
		} else {
			files[file].WriteString("---\n")
		}
		files[file].WriteString(text)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name+".yaml"), content.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// template returns the template that an object becomes and the file that it stands in; "" for none.
func template(o object) (file, text string, err error) {
	switch o["kind"] {
	case "Namespace":
		return "", "", nil // helm install --create-namespace
	case "CustomResourceDefinition":
		file, _, _ = strings.Cut(o.name(), ".")
		return "crd_" + file, kind(o), nil
	case "ServiceAccount":
		o.in("metadata")["annotations"] = optional(".Values.serviceAccount.annotations")
		return "service_account", o.text(), nil
	case "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
		return rbac(o)
	case "Deployment":
		text, err = deployment(o)
		return "deployment", text, err
	case "Service":
		o.in("spec", "selector").mergeLabels()
		return "metrics_service", when(".Values.metrics.enabled", o.text()), nil
	case "PodDisruptionBudget":
		spec := o.in("spec")
		spec["maxUnavailable"] = value(".Values.podDisruptionBudget.maxUnavailable")
		spec.in("selector", "matchLabels").mergeLabels()
		return "pod_disruption_budget", when(".Values.podDisruptionBudget.enabled", o.text()), nil
	case "NetworkPolicy":
		text, err = networkPolicy(o)
		return "network_policy", text, err
	case "ServiceMonitor":
		return "service_monitor", serviceMonitor(o), nil
	case "PrometheusRule":
		return "prometheus_rule", prometheusRule(o), nil
	case "ConfigMap":
		return dashboard(o)
	default:
		return "", "", errors.New("the chart knows no such object: say in hack/chart what becomes of it")
	}
}

// when makes a template that is empty where the condition is false.
func when(condition, text string) string {
	return "{{- if " + condition + " }}\n" + text + "{{- end }}\n"
}
