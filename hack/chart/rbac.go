package main

import (
	"errors"
	"strings"
)

// rbac makes the templates of rights.
func rbac(o object) (file, text string, err error) {
	name := o.name()
	if kind, _ := o["kind"].(string); strings.HasSuffix(kind, "Binding") {
		reference := o.in("roleRef")
		role, _ := reference["name"].(string)
		reference["name"] = fullname + strings.TrimPrefix(role, prefix)
		for _, subject := range o.list("subjects") {
			account, _ := subject["name"].(string)
			subject["name"], subject["namespace"] = fullname+strings.TrimPrefix(account, prefix), release
		}
	}
	switch {
	case name == "manager-role":
		return "rbac_manager", managerRole(o), nil
	case name == "manager-rolebinding":
		return "rbac_manager", managerBinding(o), nil
	case strings.HasPrefix(name, "leader-election-"):
		return "rbac_leader_election", o.text(), nil
	case strings.HasPrefix(name, "metrics-"):
		return "rbac_metrics", when("and .Values.metrics.enabled .Values.metrics.secure", o.text()), nil
	case o["kind"] == "ClusterRole" && isForUsers(o):
		return "rbac_users", when(".Values.userRoles.create", o.text()), nil
	default:
		return "", "", errors.New("the chart knows no such right: say in hack/chart/rbac.go whose it is")
	}
}

func isForUsers(o object) bool {
	for label := range o.in("metadata", "labels") {
		if strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-") {
			return true
		}
	}
	return false
}

// managerRole gives what the manager needs in the cluster, or in some namespaces by a Role in each. What is not
// in a namespace it needs in any case: whether a kind is going.
func managerRole(o object) string {
	var namespaced, cluster []any
	for _, rule := range o.list("rules") {
		if groups, ok := rule["apiGroups"].([]any); ok && len(groups) == 1 && groups[0] == "apiextensions.k8s.io" {
			cluster = append(cluster, rule)
		} else {
			namespaced = append(namespaced, rule)
		}
	}
	o["rules"] = append([]any{itemsWhen("not .Values.watchNamespaces", namespaced...)}, cluster...)
	metadata := map[string]any{"name": o.in("metadata")["name"], "namespace": watched}
	role := object{"apiVersion": o["apiVersion"], "kind": "Role", "metadata": metadata, "rules": namespaced}
	return o.text() + perNamespace(role)
}

// managerBinding binds the ClusterRole, and the Role of each namespace.
func managerBinding(o object) string {
	metadata := map[string]any{"name": o.in("metadata")["name"], "namespace": watched}
	role := map[string]any{"apiGroup": o.in("roleRef")["apiGroup"], "kind": "Role", "name": o.in("roleRef")["name"]}
	binding := object{"apiVersion": o["apiVersion"], "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": o["subjects"]}
	return o.text() + perNamespace(binding)
}

// perNamespace repeats an object for each namespace that is watched.
func perNamespace(o object) string {
	return "{{- range .Values.watchNamespaces }}\n---\n" + o.text() + "{{- end }}\n"
}
