"""Alerts on the push service."""

from eydp.alerts.model import Alert, Group
from eydp.alerts.selectors import pods


def _share(statuses: str) -> str:
    some, every = pods("push", f'status=~"{statuses}"'), pods("push")
    return (
        f"sum by (namespace) (rate(push_requests_total{some}[10m]))"
        f" / sum by (namespace) (rate(push_requests_total{every}[10m]))"
    )


ALERTS = Group(
    "push",
    "alerts",
    [
        Alert(
            "PushServerErrors",
            "critical",
            f"{_share('5..')} > 0.01",
            "5m",
            "{{ $value | humanizePercentage }} of the push requests were answered with 5xx",
            "Clients send again what was not taken; Pub/Sub is away, or a permission is missing.",
        ),
        Alert(
            "PushThrottled",
            "warning",
            f"{_share('429')} > 0.05",
            "15m",
            "{{ $value | humanizePercentage }} of the push requests were answered with 429",
            "Clients send more than the pods may take, or one client sends in a loop.",
        ),
    ],
)
