{{- define "gvList" -}}
<!-- Made by `make reference` from the comments in api/; edit those. -->
# Field reference
{{ range . }}
{{ template "gvDetails" . }}
{{- end }}
{{- end -}}
