{{/* The settings of all programs. What the chart itself decides is not in values.config, and its schema refuses it there. */}}
{{- define "eydp.config" -}}
EYDP_PROJECT: {{ .Values.project | quote }}
# A pod is reached by its address; the containers' ports and probes hold this number too.
EYDP_METRICS_HOST: "0.0.0.0"
EYDP_METRICS_PORT: "9090"
EYDP_DBT_TARGET_PATH: /tmp/dbt
{{- if .Values.push.enabled }}
EYDP_PUSH_HOST: "0.0.0.0"
EYDP_PUSH_PORT: "8080"
{{- /* Who takes pushed carts wants them in the history of carts; _validate.tpl refuses the contrary. */}}
{{- if not (hasKey .Values.config "EYDP_POLLER_PUSHES") }}
EYDP_POLLER_PUSHES: "true"
{{- end }}
{{- end }}
{{- range $name, $value := .Values.config }}
{{- if not (kindIs "invalid" $value) }}
{{ $name }}: {{ include "eydp.text" $value | quote }}
{{- end }}
{{- end }}
{{- if .Values.emulators.enabled }}
PUBSUB_EMULATOR_HOST: {{ .Values.emulators.pubsub | quote }}
STORAGE_EMULATOR_HOST: {{ .Values.emulators.storage | quote }}
BIGQUERY_EMULATOR_HOST: {{ .Values.emulators.bigquery | quote }}
BIGQUERY_STORAGE_EMULATOR_HOST: {{ .Values.emulators.bigqueryStorage | quote }}
{{- end }}
{{- end -}}

{{/* Rolls the pods when a setting changes. */}}
{{- define "eydp.podAnnotations" -}}
checksum/config: {{ include "eydp.config" .root | sha256sum }}
{{- with .root.Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}
