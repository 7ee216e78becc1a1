"""Alerts on all pods, by what cAdvisor and kube-state-metrics say of them."""

from eydp.alerts.model import NAMESPACE, SHORT, Alert, Group

_PODS = f'namespace="{NAMESPACE}",pod=~"{SHORT}.*"'

ALERTS = Group(
    "pods",
    "alerts",
    [
        Alert(
            "PodRestarting",
            "warning",
            "sum by (namespace, pod, container)"
            f" (increase(kube_pod_container_status_restarts_total{{{_PODS}}}[1h])) > 3",
            "0m",
            "{{ $labels.container }} in {{ $labels.pod }} restarted {{ $value | humanize }} times within an hour",
            "It crashes, runs out of memory, or its liveness probe finds its loop stalled.",
        ),
        Alert(
            "MemoryNearLimit",
            "warning",
            f'max by (namespace, pod, container) (container_memory_working_set_bytes{{{_PODS},container!=""}})'
            " / on (namespace, pod, container) max by (namespace, pod, container)"
            f' (kube_pod_container_resource_limits{{{_PODS},resource="memory"}}) > 0.9',
            "10m",
            "{{ $labels.container }} in {{ $labels.pod }} uses {{ $value | humanizePercentage }} of its memory",
            "At the limit the kernel kills it. A killed consumer's messages come again; nothing is lost.",
        ),
    ],
)
