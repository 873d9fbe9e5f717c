package main

import "errors"

// serviceMonitor makes the template of the ServiceMonitor. Prometheus instances choose theirs by labels.
func serviceMonitor(o object) string {
	o.labelsFrom(".Values.prometheus.serviceMonitor")
	spec := o.in("spec")
	spec.in("selector", "matchLabels").mergeLabels()
	for _, endpoint := range spec.list("endpoints") {
		endpoint["scheme"] = value(`ternary "https" "http" .Values.metrics.secure`)
		endpoint["interval"] = token("{{- with .Values.prometheus.serviceMonitor.interval }}", "KEY: {{ . }}", "{{- end }}")
		for _, key := range []string{"bearerTokenFile", "tlsConfig"} {
			endpoint[key] = valueWhen(".Values.metrics.secure", endpoint[key])
		}
	}
	return when("and .Values.metrics.enabled .Values.prometheus.serviceMonitor.enabled", o.text())
}

// prometheusRule makes the template of the alert rules.
func prometheusRule(o object) string {
	o.labelsFrom(".Values.prometheus.rules")
	return when("and .Values.metrics.enabled .Values.prometheus.rules.enabled", o.text())
}

// dashboard makes the template of the ConfigMap with the dashboard, which Grafana's sidecar finds by a label.
func dashboard(o object) (file, text string, err error) {
	if o.name() != "dashboard" {
		return "", "", errors.New("the chart knows the ConfigMap rollcall-dashboard only")
	}
	o.labelsFrom(".Values.grafana.dashboard")
	return "grafana_dashboard", when("and .Values.metrics.enabled .Values.grafana.dashboard.enabled", o.text()), nil
}

func (o object) labelsFrom(values string) {
	o.in("metadata", "labels").merge("{{- with "+values+".labels }}", "{{- toYaml . | nindent INDENT }}", "{{- end }}")
}
