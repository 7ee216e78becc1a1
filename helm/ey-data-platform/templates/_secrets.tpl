{{/* Not empty when a component has secret files to mount. */}}
{{- define "eydp.hasSecrets" -}}
{{- if ne .root.Values.secrets.mode "none" -}}
{{- range .root.Values.secrets.files -}}
{{- if has $.component .components -}}yes{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The name of the Secret or SecretProviderClass that a component mounts. */}}
{{- define "eydp.secretName" -}}
{{- if eq .root.Values.secrets.mode "existingSecret" -}}
{{- .root.Values.secrets.existingSecret -}}
{{- else -}}
{{- printf "%s-%s" (include "eydp.fullname" .root) .component -}}
{{- end -}}
{{- end -}}

{{/* The volume of a component's secret files; each component sees its own files alone. */}}
{{- define "eydp.secretVolume" -}}
{{- if include "eydp.hasSecrets" . -}}
- name: secrets
{{- if eq .root.Values.secrets.mode "secretManager" }}
  csi:
    driver: secrets-store-gke.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ include "eydp.secretName" . }}
{{- else }}
  secret:
    secretName: {{ include "eydp.secretName" . }}
    defaultMode: 0440
    items:
      {{- range .root.Values.secrets.files }}
      {{- if has $.component .components }}
      - key: {{ .file }}
        path: {{ .file }}
      {{- end }}
      {{- end }}
{{- end }}
{{- end -}}
{{- end -}}
