{{/*
An object with groups of rules. Takes a dict: root, kind, files (of the folder rules). Groups of components that are
switched off and alerts that are not wanted are left out. What stands in the files as __WORD__ is filled in.
*/}}
{{- define "eydp.rules" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $unwanted := $values.monitoring.alerts.disabled -}}
{{- $groups := list -}}
{{- range $file := .files -}}
{{- range $group := ($root.Files.Get (printf "rules/%s.yaml" $file) | fromYaml).groups -}}
{{- $component := first (splitList "." $group.name) -}}
{{- $component = ternary "consumer" $component (eq $component "pubsub") -}}
{{- if or (eq $component "pods") (index $values $component).enabled -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- if not (has (default "" $rule.alert) $unwanted) -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- $groups = append $groups (set $group "rules" $rules) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $fullname := include "eydp.fullname" $root -}}
{{- $global := eq .kind "GlobalRules" -}}
apiVersion: {{ ternary "monitoring.coreos.com/v1" "monitoring.googleapis.com/v1" (eq .kind "PrometheusRule") }}
kind: {{ .kind }}
metadata:
  {{- if $global }}
  {{- /* It belongs to no namespace, so that its name must say which release it is of. */}}
  name: {{ printf "%s-%s" $fullname $root.Release.Namespace }}
  {{- else }}
  name: {{ $fullname }}
  namespace: {{ $root.Release.Namespace }}
  {{- end }}
  labels:
    {{- include "eydp.labels" (dict "root" $root "component" "monitoring") | nindent 4 }}
    {{- with $values.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  groups:
    {{- toYaml $groups
      | replace "__NAMESPACE__" $root.Release.Namespace
      | replace "__NAME__" $fullname
      | replace "__SHORT__" ($fullname | trunc 33 | trimSuffix "-")
      | replace "__SUBSCRIPTION__" (index $values.config "EYDP_SUBSCRIPTION")
      | replace "__DEAD_LETTERS__" (default "carts-events-dlq-sub" (index $values.config "EYDP_DEAD_LETTER_SUBSCRIPTION"))
      | replace "__RUNBOOKS__" (trimSuffix "/" $values.monitoring.alerts.runbooks)
      | nindent 4 }}
{{- end -}}
