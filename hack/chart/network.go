package main

import "errors"

// networkPolicy makes the template of the NetworkPolicy. DNS and the kubelet's probes are no values.
func networkPolicy(o object) (string, error) {
	spec := o.in("spec")
	spec.in("podSelector", "matchLabels").mergeLabels()

	var ingress []any
	metrics := false
	for _, rule := range spec.list("ingress") {
		if opens(rule, "metrics") {
			metrics = true
			rule["from"] = whole(".Values.networkPolicy.metricsFrom")
			ingress = append(ingress, itemsWhen(".Values.metrics.enabled", map[string]any(rule)))
		} else {
			ingress = append(ingress, map[string]any(rule))
		}
	}
	spec["ingress"] = ingress

	var egress []any
	https := false
	for _, rule := range spec.list("egress") {
		if opens(rule, float64(443)) {
			https = true
			rule["ports"] = []any{token("{{- range .Values.networkPolicy.egressPorts }}", "- port: {{ . }}", "  protocol: TCP", "{{- end }}")}
		}
		egress = append(egress, map[string]any(rule))
	}
	spec["egress"] = append(egress, token("{{- with .Values.networkPolicy.extraEgress }}", "{{- toYaml . | nindent INDENT }}", "{{- end }}"))

	if !metrics || !https {
		return "", errors.New("no rule for metrics, or none for HTTPS; the chart's values for them would do nothing")
	}
	return when(".Values.networkPolicy.enabled", o.text()), nil
}

func opens(rule object, port any) bool {
	for _, p := range rule.list("ports") {
		if p["port"] == port {
			return true
		}
	}
	return false
}
