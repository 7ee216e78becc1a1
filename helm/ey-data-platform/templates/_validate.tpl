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
{{- if not (or $values.poller.enabled $values.consumer.enabled $values.batch.enabled $values.dbt.enabled) -}}
{{- fail "poller, consumer, batch and dbt are all switched off: there is nothing to install." -}}
{{- end -}}
{{- end -}}
