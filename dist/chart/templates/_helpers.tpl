{{- define "rollcall.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end }}

{{- /* What all names begin with. A Service's name has 63 characters at most, and 35 of them are the chart's. */ -}}
{{- define "rollcall.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $name = contains (include "rollcall.name" .) .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name (include "rollcall.name" .)) -}}
{{- end -}}
{{- if gt (len $name) 28 -}}
{{- fail (printf "%q has more than 28 characters, which makes names too long: set fullnameOverride to a shorter one" $name) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "rollcall.selectorLabels" -}}
app.kubernetes.io/name: {{ include "rollcall.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rollcall.labels" -}}
{{ include "rollcall.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "rollcall.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}
