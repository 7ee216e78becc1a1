{{/*
The spec of every pod of the chart. Takes a dict:
  root       the root context
  component  its service account
  image      key below images
  pod        the component's values: resources, nodeSelector, tolerations, affinity, priorityClassName
  command, args
  config     name of the ConfigMap
  grace      terminationGracePeriodSeconds
  serving    true for programs with /livez, /readyz and /metrics
  port       a port called http, for those that take requests
  preStop    seconds between the call to stop and SIGTERM
  restart    restartPolicy; empty for Deployments
  spread     true to spread the pods over zones and nodes
*/}}
{{- define "eydp.podSpec" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "eydp.serviceAccountName" (dict "root" $root "component" (default .component .account)) }}
# Google's clients ask the metadata server; the Kubernetes API is never called.
automountServiceAccountToken: false
# The addresses of services would come as variables, and one that begins with EYDP_ would be refused as unknown.
enableServiceLinks: false
{{- with $root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .restart }}
restartPolicy: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ .grace }}
{{- with default $root.Values.priorityClassName .pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with default $root.Values.nodeSelector .pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with default $root.Values.tolerations .pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .spread }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $.pod.topologySpread }}
    labelSelector:
      matchLabels:
        {{- include "eydp.selector" (dict "root" $root "component" $.component) | nindent 8 }}
    # Each version of the Deployment is spread by itself.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
containers:
  - name: {{ .container }}
    image: {{ include "eydp.image" (dict "root" $root "image" .image) | quote }}
    imagePullPolicy: {{ $root.Values.images.pullPolicy }}
    command: {{ toJson .command }}
    {{- with .args }}
    args: {{ toJson . }}
    {{- end }}
    envFrom:
      - configMapRef:
          name: {{ .config }}
    env:
      # The user has no home, and the root file system is read-only: what a library writes goes to the empty volume.
      - name: HOME
        value: /tmp
      - name: TMPDIR
        value: /tmp
      {{- with include "eydp.secretEnvironment" (dict "root" $root "component" .component) }}
      {{- . | trim | nindent 6 }}
      {{- end }}
    {{- if .serving }}
    ports:
      {{- with .port }}
      - name: http
        containerPort: {{ . }}
        protocol: TCP
      {{- end }}
      - name: metrics
        containerPort: 9090
        protocol: TCP
    {{- include "eydp.probes" $root | nindent 4 }}
    {{- end }}
    {{- with .preStop }}
    # The program closes its port at once, and load balancers learn of that some seconds later.
    lifecycle:
      preStop:
        sleep:
          seconds: {{ . }}
    {{- end }}
    resources:
      {{- toYaml .pod.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      runAsNonRoot: true
      capabilities:
        drop: [ALL]
    volumeMounts:
      - name: tmp
        mountPath: /tmp
      {{- if include "eydp.hasSecrets" (dict "root" $root "component" .component) }}
      # A whole folder, never a subPath: only so does a rotated secret arrive without a restart.
      - name: secrets
        mountPath: {{ include "eydp.secretRoot" . }}
        readOnly: true
      {{- end }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: {{ .pod.tmpSizeLimit }}
  {{- include "eydp.secretVolume" (dict "root" $root "component" .component) | nindent 2 }}
{{- end -}}

{{/* The programs check everything they need before they serve, and give up by themselves after the retry deadline. */}}
{{- define "eydp.probes" -}}
startupProbe:
  httpGet:
    path: /livez
    port: metrics
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div (add (ceil (index .Values.config "EYDP_RETRY_DEADLINE_SECONDS") | int) 61) 2 }}
livenessProbe:
  httpGet:
    path: /livez
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: /readyz
    port: metrics
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/*
What a failed pod means, by the platform's exit codes: 65 data is wrong, 70 a fault of the platform, 64 and 2 a wrong
argument: another try changes nothing. 69 a dependency is away, 75 another run is at it: another try may help. 78 a
person must mend something: no other try, but for provisioning, whose grants may be minutes old.
*/}}
{{- define "eydp.podFailurePolicy" -}}
rules:
  - action: Ignore
    onPodConditions:
      - type: DisruptionTarget
        status: "True"
  - action: FailJob
    onExitCodes:
      containerName: {{ .container }}
      operator: In
      values: {{ if .patient }}[2, 64, 65, 70]{{ else }}[2, 64, 65, 70, 78]{{ end }}
  - action: Count
    onExitCodes:
      containerName: {{ .container }}
      operator: In
      values: {{ if .patient }}[69, 75, 78]{{ else }}[69, 75]{{ end }}
{{- end -}}

{{/* The grace period: what the component asks for, or its drain timeout, what comes before it and what comes after. */}}
{{- define "eydp.grace" -}}
{{- $before := default 0 .preStop | int -}}
{{- $least := add (ceil (index .root.Values.config .variable) | int) 15 $before -}}
{{- $given := (index .root.Values .component).terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{- $least -}}
{{- else -}}
{{- if lt (int $given) (int $least) -}}
{{- $more := ternary (printf " after %d s of %s.preStopSeconds" $before .component) "" (gt $before 0) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d, but draining takes up to %s s (config.%s)%s and closing 15 s more: give at least %d, or null to derive it." .component (int $given) (include "eydp.text" (index .root.Values.config .variable)) .variable $more (int $least)) -}}
{{- end -}}
{{- int $given -}}
{{- end -}}
{{- end -}}
