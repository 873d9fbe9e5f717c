package main

import (
	"errors"
	"fmt"
	"strings"
)

// deployment makes the template of the manager's Deployment. What keeps the pod to the Pod Security level
// restricted is no value: there is no reason to run it with more.
func deployment(o object) (string, error) {
	spec := o.in("spec")
	spec["replicas"] = value(".Values.replicas")
	spec.in("selector", "matchLabels").mergeLabels()

	metadata := spec.in("template", "metadata")
	metadata.in("annotations").merge("{{- with .Values.podAnnotations }}", "{{- toYaml . | nindent INDENT }}", "{{- end }}")
	labels := metadata.in("labels")
	delete(labels, "app.kubernetes.io/name")
	labels.merge(`{{- include "rollcall.selectorLabels" . | nindent INDENT }}`,
		"{{- with .Values.podLabels }}", "{{- toYaml . | nindent INDENT }}", "{{- end }}")

	pod := spec.in("template", "spec")
	account, _ := pod["serviceAccountName"].(string)
	pod["serviceAccountName"] = fullname + strings.TrimPrefix(account, prefix)
	pod["imagePullSecrets"] = optional(".Values.image.pullSecrets")
	pod["volumes"] = optional(".Values.volumes")
	pod["nodeSelector"] = optional(".Values.nodeSelector")
	pod["tolerations"] = optional(".Values.tolerations")
	pod["affinity"] = optional(".Values.affinity")
	pod["priorityClassName"] = token("{{- with .Values.priorityClassName }}", "KEY: {{ . }}", "{{- end }}")
	for _, constraint := range pod.list("topologySpreadConstraints") {
		constraint.in("labelSelector", "matchLabels").mergeLabels()
	}
	pod["topologySpreadConstraints"] = otherwise(".Values.topologySpreadConstraints", pod["topologySpreadConstraints"])

	containers := pod.list("containers")
	if len(containers) != 1 {
		return "", fmt.Errorf("the pod has %d containers; the chart knows one", len(containers))
	}
	if err := container(containers[0]); err != nil {
		return "", err
	}
	return o.text(), nil
}

func container(c object) error {
	c["image"] = value(`include "rollcall.image" .`)
	c["imagePullPolicy"] = value(".Values.image.pullPolicy")
	c["resources"] = whole(".Values.resources")
	c["env"] = optional(".Values.env")
	c["volumeMounts"] = optional(".Values.volumeMounts")

	var arguments []any
	metrics := false
	given, _ := c["args"].([]any)
	for _, argument := range given {
		text, _ := argument.(string)
		if strings.HasPrefix(text, "--metrics-bind-address=") {
			metrics = true
			argument = itemsWhen(".Values.metrics.enabled", argument)
		}
		arguments = append(arguments, argument)
	}
	c["args"] = append(arguments,
		itemsWhen("and .Values.metrics.enabled (not .Values.metrics.secure)", "--metrics-insecure"),
		token("{{- with .Values.watchNamespaces }}", `- --watch-namespaces={{ join "," . }}`, "{{- end }}"),
		token(`{{- if ne .Values.logLevel "info" }}`, "- --log-level={{ .Values.logLevel }}", "{{- end }}"),
		token("{{- range .Values.extraArgs }}", "- {{ . | quote }}", "{{- end }}"))

	var ports []any
	for _, port := range c.list("ports") {
		if port["name"] == "metrics" {
			ports = append(ports, itemsWhen(".Values.metrics.enabled", map[string]any(port)))
		} else {
			ports = append(ports, map[string]any(port))
		}
	}
	c["ports"] = ports
	if !metrics || len(ports) == 0 {
		return errors.New("the manager serves no metrics; the chart's value metrics.enabled would do nothing")
	}
	return nil
}
