package main

// serviceMonitor makes the template of the ServiceMonitor. Prometheus instances choose theirs by labels.
func serviceMonitor(o object) string {
	o.in("metadata").in("labels").merge("{{- with .Values.prometheus.serviceMonitor.labels }}", "{{- toYaml . | nindent INDENT }}", "{{- end }}")
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
