{{/* A CronJob's name has 52 characters at most, for the sake of those that its Jobs add. */}}
{{- define "eydp.cronJobName" -}}
{{- include "eydp.fullname" .root | trunc (sub 51 (len .name) | int) | trimSuffix "-" }}-{{ .name }}
{{- end -}}

{{/*
A CronJob. Takes a dict: root, name (suffix and container), component, image, pod (values of the component), schedule,
suspend, command, args.
*/}}
{{- define "eydp.cronJob" -}}
{{- $root := .root -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "eydp.cronJobName" . }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "eydp.labels" (dict "root" $root "component" .component) | nindent 4 }}
spec:
  schedule: {{ .schedule | quote }}
  timeZone: {{ .pod.timeZone }}
  suspend: {{ .suspend }}
  # A run that is still at work is never joined by the next one.
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {{ .pod.startingDeadlineSeconds }}
  successfulJobsHistoryLimit: {{ .pod.successfulJobsHistoryLimit }}
  failedJobsHistoryLimit: {{ .pod.failedJobsHistoryLimit }}
  jobTemplate:
    metadata:
      labels:
        {{- include "eydp.labels" (dict "root" $root "component" .component) | nindent 8 }}
    spec:
      activeDeadlineSeconds: {{ .pod.activeDeadlineSeconds }}
      backoffLimit: {{ .pod.backoffLimit }}
      ttlSecondsAfterFinished: {{ .pod.ttlSecondsAfterFinished }}
      podFailurePolicy:
        {{- include "eydp.podFailurePolicy" (dict "container" .name) | nindent 8 }}
      template:
        metadata:
          labels:
            {{- include "eydp.podLabels" (dict "root" $root "component" .component) | nindent 12 }}
          annotations:
            {{- include "eydp.podAnnotations" (dict "root" $root) | nindent 12 }}
        spec:
          {{- include "eydp.podSpec" (dict
            "root" $root
            "component" .component
            "container" .name
            "image" .image
            "pod" .pod
            "command" .command
            "args" .args
            "config" (include "eydp.fullname" $root)
            "grace" 30
            "restart" "Never"
          ) | nindent 10 }}
{{- end -}}
