{{/* The name of the release's objects: cut so that the longest suffix still fits what Kubernetes allows (52 for a CronJob). */}}
{{- define "eydp.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 36 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 36 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What selects a component's pods. Immutable in a Deployment, so it holds no version and no value that may change. */}}
{{- define "eydp.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "eydp.labels" -}}
{{ include "eydp.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ey-data-platform
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* Labels of every pod: without versions of the chart, which would roll pods that did not change. */}}
{{- define "eydp.podLabels" -}}
{{ include "eydp.selector" . }}
app.kubernetes.io/part-of: ey-data-platform
{{- with .root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A component's image: by digest where one is given, else by tag. */}}
{{- define "eydp.image" -}}
{{- $images := .root.Values.images -}}
{{- $image := index $images .image -}}
{{- $repository := $image.repository -}}
{{- if $images.registry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" $images.registry) $repository -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- $tag := default .root.Chart.AppVersion (default $images.tag $image.tag) -}}
{{- if eq $tag "latest" -}}
{{- fail (printf "images.%s has the tag latest, which names another image tomorrow: give a version or a digest." .image) -}}
{{- end -}}
{{- printf "%s:%s" $repository $tag -}}
{{- end -}}
{{- end -}}

{{- define "eydp.serviceAccountName" -}}
{{- $account := index .root.Values.serviceAccounts .component -}}
{{- default (printf "%s-%s" (include "eydp.fullname" .root) .component) $account.name -}}
{{- end -}}

{{/* A number as text. YAML's numbers are floats here, which would print a large one as 3.3554432e+07. */}}
{{- define "eydp.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . -}}{{- printf "%d" (int64 .) -}}{{- else -}}{{- printf "%v" . -}}{{- end -}}
{{- else -}}
{{- . | toString -}}
{{- end -}}
{{- end -}}
