{{/* Values that contradict one another end here, each in one sentence. The schema has refused what is wrong by itself. */}}
{{- define "eydp.validate" -}}
{{- $values := .Values -}}
{{- if not $values.project -}}
{{- fail "project is empty: set it to the Google Cloud project, as in --set project=my-project." -}}
{{- end -}}
{{- $scaling := $values.autoscaling -}}
{{- if and (ne $scaling.mode "none") (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas is %d, above autoscaling.maxReplicas, which is %d." (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if eq $scaling.mode "hpa" -}}
{{- if not (or $scaling.hpa.backlogPerPod $scaling.hpa.oldestAgeSeconds $scaling.hpa.cpuPercent) -}}
{{- fail "autoscaling.mode is hpa, but every target below autoscaling.hpa is 0: set one, or choose mode none." -}}
{{- end -}}
{{- if and $values.emulators.enabled (or $scaling.hpa.backlogPerPod $scaling.hpa.oldestAgeSeconds) -}}
{{- fail "emulators.enabled is true, but no emulator serves Cloud Monitoring's backlog: set autoscaling.hpa.backlogPerPod and autoscaling.hpa.oldestAgeSeconds to 0 and scale on cpuPercent." -}}
{{- end -}}
{{- end -}}
{{- if eq $scaling.mode "keda" -}}
{{- if not $scaling.keda.serverAddress -}}
{{- fail "autoscaling.mode is keda, but autoscaling.keda.serverAddress is empty: set the address of a Prometheus that has the consumer's metrics." -}}
{{- end -}}
{{- if eq $values.monitoring.mode "none" -}}
{{- fail "autoscaling.mode is keda, which asks Prometheus for the consumer's metrics, but monitoring.mode is none, so nobody scrapes them: choose gmp or operator." -}}
{{- end -}}
{{- if not (or $scaling.keda.saturationPerPod $scaling.keda.backlogPerPod) -}}
{{- fail "autoscaling.mode is keda, but autoscaling.keda.saturationPerPod and autoscaling.keda.backlogPerPod are both 0: set one, since the fallback needs it, or choose mode hpa." -}}
{{- end -}}
{{- if gt (int $scaling.keda.fallbackReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "autoscaling.keda.fallbackReplicas is %d, above autoscaling.maxReplicas, which is %d." (int $scaling.keda.fallbackReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if $values.emulators.enabled -}}
{{- range $name := list "pubsub" "storage" "bigquery" "bigqueryStorage" -}}
{{- if not (index $values.emulators $name) -}}
{{- fail (printf "emulators.enabled is true, but emulators.%s is empty: give all four addresses, or the programs would use Google Cloud for the missing one." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.batch.enabled (le (int $values.batch.activeDeadlineSeconds) (int (index $values.config "EYDP_BATCH_JOB_TIMEOUT_SECONDS"))) -}}
{{- fail (printf "batch.activeDeadlineSeconds is %d, not above config.EYDP_BATCH_JOB_TIMEOUT_SECONDS, which is %d: the pod would be killed while it awaits its load job." (int $values.batch.activeDeadlineSeconds) (int (index $values.config "EYDP_BATCH_JOB_TIMEOUT_SECONDS"))) -}}
{{- end -}}
{{- if and $values.replay.enabled (le (int $values.replay.activeDeadlineSeconds) (int (index $values.config "EYDP_REPLAY_JOB_TIMEOUT_SECONDS"))) -}}
{{- fail (printf "replay.activeDeadlineSeconds is %d, not above config.EYDP_REPLAY_JOB_TIMEOUT_SECONDS, which is %d: the pod would be killed while it awaits its job." (int $values.replay.activeDeadlineSeconds) (int (index $values.config "EYDP_REPLAY_JOB_TIMEOUT_SECONDS"))) -}}
{{- end -}}
{{- include "eydp.validatePush" . -}}
{{- $secrets := $values.secrets -}}
{{- if ne $secrets.mode "none" -}}
{{- if not $secrets.files -}}
{{- fail (printf "secrets.mode is %s, but secrets.files is empty: list the files, or choose mode none." $secrets.mode) -}}
{{- end -}}
{{- if and (eq $secrets.mode "existingSecret") (not $secrets.existingSecret) -}}
{{- fail "secrets.mode is existingSecret, but secrets.existingSecret is empty: give the name of the Secret." -}}
{{- end -}}
{{- if and (eq $secrets.mode "externalSecrets") (not $secrets.store.name) -}}
{{- fail "secrets.mode is externalSecrets, but secrets.store.name is empty: give the name of the SecretStore or ClusterSecretStore." -}}
{{- end -}}
{{- range $secrets.files -}}
{{- if and (ne $secrets.mode "existingSecret") (not .remote) -}}
{{- fail (printf "secrets.files: %s has no remote, the name of the secret that mode %s reads." .file $secrets.mode) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "eydp.validateFolders" . -}}
{{- if not (or $values.poller.enabled $values.consumer.enabled $values.batch.enabled $values.dbt.enabled $values.replay.enabled $values.compact.enabled) -}}
{{- fail "poller, consumer, batch, dbt, replay and compact are all switched off: there is nothing to install." -}}
{{- end -}}
{{- end -}}

{{- define "eydp.validatePush" -}}
{{- $push := .Values.push -}}
{{- if not $push.enabled -}}
{{- range $name := list "ingress" "gateway" -}}
{{- if (index $push $name).enabled -}}
{{- fail (printf "push.%s.enabled is true, but push.enabled is false: there is nothing to lead to." $name) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- if not .Values.poller.enabled -}}
{{- fail "push.enabled is true, but poller.enabled is false: only the poller makes events of pushed carts." -}}
{{- end -}}
{{- if and (hasKey .Values.config "EYDP_POLLER_PUSHES") (not (index .Values.config "EYDP_POLLER_PUSHES")) -}}
{{- fail "push.enabled is true, but config.EYDP_POLLER_PUSHES is false: pushed carts would wait in their subscription until they are dropped. Leave it out." -}}
{{- end -}}
{{- if not (contains "EYDP_PUSH_KEYS_DIR" (include "eydp.secretEnvironment" (dict "root" . "component" "push"))) -}}
{{- fail "push.enabled is true, but there are no signing keys: choose secrets.mode and list one or two of secrets.files with folder push-keys and components [push]." -}}
{{- end -}}
{{- if and $push.ingress.enabled (not $push.ingress.host) -}}
{{- fail "push.ingress.enabled is true, but push.ingress.host is empty: give the host name." -}}
{{- end -}}
{{- if $push.gateway.enabled -}}
{{- range $key := list "host" "name" -}}
{{- if not (index $push.gateway $key) -}}
{{- fail (printf "push.gateway.enabled is true, but push.gateway.%s is empty: give the %s." $key (ternary "host name" "name of the Gateway" (eq $key "host"))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $push.googleHealthCheck (not (or $push.ingress.enabled $push.gateway.enabled)) -}}
{{- fail "push.googleHealthCheck is true, but neither push.ingress nor push.gateway is enabled: no load balancer would use it." -}}
{{- end -}}
{{- if and $push.autoscaling.enabled (gt (int $push.autoscaling.minReplicas) (int $push.autoscaling.maxReplicas)) -}}
{{- fail (printf "push.autoscaling.minReplicas is %d, above push.autoscaling.maxReplicas, which is %d." (int $push.autoscaling.minReplicas) (int $push.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Secret files that would not be read, would be too many, or would lie on one another. */}}
{{- define "eydp.validateFolders" -}}
{{- $known := include "eydp.secretFolders" . | fromYaml -}}
{{- $count := dict -}}
{{- $there := dict -}}
{{- range $entry := .Values.secrets.files -}}
{{- $folder := default "" $entry.folder -}}
{{- range $component := $entry.components -}}
{{- $place := printf "%s %s" $component (include "eydp.secretPath" $entry) -}}
{{- if hasKey $there $place -}}
{{- fail (printf "secrets.files: %s gets the file %s twice." $component (include "eydp.secretPath" $entry)) -}}
{{- end -}}
{{- $_ := set $there $place true -}}
{{- if hasKey $known $folder -}}
{{- $about := index $known $folder -}}
{{- if not (has $component $about.components) -}}
{{- fail (printf "secrets.files: %s does not read the folder %s, which is for %s: a secret goes to those alone that need it." $component $folder (join ", " $about.components)) -}}
{{- end -}}
{{- $now := add (default 0 (index $count (printf "%s %s" $component $folder))) 1 -}}
{{- $_ := set $count (printf "%s %s" $component $folder) $now -}}
{{- if gt (int $now) (int $about.most) -}}
{{- fail (printf "secrets.files: %s gets more than %d files in the folder %s, which it would refuse." $component (int $about.most) $folder) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
