{{- define "type" -}}
{{- $type := . -}}
{{- if markdownShouldRenderType $type }}
{{ if $type.GVK }}## {{ else }}### {{ end }}{{ $type.Name }}

{{ $type.Doc }}
{{ if $type.References }}
Part of{{ range $i, $r := $type.SortedReferences }}{{ if $i }},{{ end }} {{ markdownRenderTypeLink $r }}{{ end }}.
{{ end }}
{{- if $type.Members }}
| field | type | default | meaning | limits |
|---|---|---|---|---|
{{ range $type.Members -}}
| `{{ .Name }}` | {{ regexReplaceAll "\\[([^]]+)\\]\\(https[^)]*\\)" (markdownRenderType .Type) "${1}" }} | {{ with .Default }}{{ if not (contains "{" .) }}`{{ . }}`{{ end }}{{ end }} | {{ template "type_members" . }} | {{ template "limits" .Validation }} |
{{ end -}}
{{ end -}}
{{ if $type.EnumValues }}
| value | meaning |
|---|---|
{{ range $type.EnumValues -}}
| `{{ .Name }}` | {{ regexReplaceAll "^[A-Z][A-Za-z]+ " (markdownRenderFieldDoc .Doc | replace "<br />" " " | trim) "" }} |
{{ end -}}
{{ end -}}
{{- end -}}
{{- end -}}

{{- define "limits" -}}
{{- $shown := list -}}
{{- range . -}}
{{- if not (or (hasPrefix "Optional" .) (hasPrefix "Type:" .) (hasPrefix "XIntOrString" .)) -}}
{{- $shown = append $shown (. | replace ": {}" "" | replace "|" "\\|") -}}
{{- end -}}
{{- end -}}
{{ join "; " $shown }}
{{- end -}}
