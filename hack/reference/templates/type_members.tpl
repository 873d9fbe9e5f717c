{{- define "type_members" -}}
{{- if eq .Name "metadata" -}}
name, namespace, labels and annotations
{{- else -}}
{{ regexReplaceAll " *---.*$" (markdownRenderFieldDoc .Doc | replace "<br />" " " | trim) "" }}
{{- end -}}
{{- end -}}
