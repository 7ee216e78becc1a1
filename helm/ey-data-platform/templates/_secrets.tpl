{{/* Where the secret files of a container are. */}}
{{- define "eydp.secretRoot" -}}
/var/run/secrets/ey-data-platform
{{- end -}}

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

{{/* Where one of `secrets.files` lies, below the root. */}}
{{- define "eydp.secretPath" -}}
{{- if .folder -}}{{- .folder -}}/{{- end -}}{{- .file -}}
{{- end -}}

{{/* The key of one of `secrets.files` in the Secret: chosen in an existing one, else made of its place. */}}
{{- define "eydp.secretKey" -}}
{{- if eq .mode "existingSecret" -}}
{{- default .entry.file .entry.key -}}
{{- else -}}
{{- include "eydp.secretPath" .entry | replace "/" "." -}}
{{- end -}}
{{- end -}}

{{/* The volume of a component's secret files; each component sees its own files alone. */}}
{{- define "eydp.secretVolume" -}}
{{- if include "eydp.hasSecrets" . -}}
{{- $mode := .root.Values.secrets.mode -}}
- name: secrets
{{- if eq $mode "secretManager" }}
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
      - key: {{ include "eydp.secretKey" (dict "mode" $mode "entry" .) }}
        path: {{ include "eydp.secretPath" . }}
      {{- end }}
      {{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The folders that programs know: the components that read them, the variable that leads there, the most files. */}}
{{- define "eydp.secretFolders" -}}
push-keys:
  components: [push]
  variable: EYDP_PUSH_KEYS_DIR
  most: 2
source-headers:
  components: [poller, batch, verify]
  variable: EYDP_SOURCE_HEADERS_DIR
  most: 32
salt:
  components: [batch]
  variable: EYDP_BATCH_SALT_FILE
  most: 1
{{- end -}}

{{/* The variables that lead a component to its secret files; the files' contents are never in the environment. */}}
{{- define "eydp.secretEnvironment" -}}
{{- if ne .root.Values.secrets.mode "none" -}}
{{- $known := include "eydp.secretFolders" . | fromYaml -}}
{{- $led := dict -}}
{{- range .root.Values.secrets.files -}}
{{- if and (has $.component .components) (hasKey $known (default "" .folder)) -}}
{{- $about := index $known .folder -}}
{{- $place := printf "%s/%s" (include "eydp.secretRoot" $) .folder -}}
{{- if hasSuffix "_FILE" $about.variable -}}
{{- $place = printf "%s/%s" $place .file -}}
{{- end -}}
{{- $_ := set $led $about.variable $place -}}
{{- end -}}
{{- end -}}
{{- range $variable, $place := $led }}
- name: {{ $variable }}
  value: {{ $place }}
{{- end -}}
{{- end -}}
{{- end -}}
