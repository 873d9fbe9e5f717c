{{- define "gvDetails" -}}
API group and version `{{ .GroupVersionString }}`. `kubectl explain orguser.spec` says the same. A manifest that breaks
a rule is refused with a message that says how to mend it.

The kinds:
{{- range .SortedKinds }} {{ $.TypeForKind . | markdownRenderTypeLink }}{{ end }}
{{ range .SortedTypes }}
{{- if .GVK }}{{ template "type" . }}{{ end }}
{{- end }}
{{ range .SortedTypes }}
{{- if not .GVK }}{{ template "type" . }}{{ end }}
{{- end }}
{{- end -}}
