{{/* A component's account. In mode annotation it acts as a Google service account; in mode direct it is granted roles itself. */}}
{{- define "eydp.serviceAccount" -}}
{{- $name := include "eydp.serviceAccountName" . -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "eydp.labels" . | nindent 4 }}
  {{- $annotated := eq .root.Values.serviceAccounts.workloadIdentity "annotation" }}
  {{- if or .hook $annotated }}
  annotations:
    {{- if .hook }}
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: "-10"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    {{- end }}
    {{- if $annotated }}
    iam.gke.io/gcp-service-account: {{ include "eydp.googleAccount" . }}
    {{- end }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "eydp.googleAccount" -}}
{{- $account := index .root.Values.serviceAccounts .component -}}
{{- if $account.googleServiceAccount -}}
{{- $account.googleServiceAccount -}}
{{- else -}}
{{- printf "eydp-%s@%s.iam.gserviceaccount.com" .component .root.Values.project -}}
{{- end -}}
{{- end -}}
