{{/* Up fast: a backlog costs more than a pod. Down slowly: the backlog's metric is minutes late. */}}
{{- define "eydp.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - type: Percent
      value: {{ .Values.autoscaling.scaleUpPercent }}
      periodSeconds: 60
    - type: Pods
      value: {{ .Values.autoscaling.scaleUpPods }}
      periodSeconds: 60
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownSeconds }}
  selectPolicy: Max
  policies:
    - type: Percent
      value: {{ .Values.autoscaling.scaleDownPercent }}
      periodSeconds: 60
{{- end -}}
