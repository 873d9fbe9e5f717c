package main

// kind makes the template of a CustomResourceDefinition. It is a template and no file of the folder crds/, which
// Helm installs but never upgrades; the annotation keeps an uninstall from deleting it, and every object with it.
func kind(o object) string {
	o.in("metadata", "annotations").merge(
		"{{- if .Values.crds.keep }}",
		"helm.sh/resource-policy: keep",
		"{{- end }}",
	)
	return when(".Values.crds.enabled", o.text())
}
