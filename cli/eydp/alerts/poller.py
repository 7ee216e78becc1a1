"""Alerts on the poller."""

from eydp.alerts.model import Alert, Group
from eydp.alerts.selectors import pods

_P = pods("poller")

ALERTS = Group(
    "poller",
    "alerts",
    [
        Alert(
            "PollerNoPolls",
            "critical",
            f"clamp_max(time() - max by (namespace) (poller_last_success_timestamp_seconds{_P}), 604800)"
            f" > 5 * max by (namespace) (poller_interval_seconds{_P})",
            "5m",
            "No good poll of the shop's API for {{ $value | humanizeDuration }}",
            "No new cart becomes an event. A week also stands for: none since the poller's start.",
        ),
        Alert(
            "PollerWithoutLeader",
            "critical",
            f"max by (namespace) (poller_leader{_P}) == 0 or absent(poller_leader{_P})",
            "5m",
            "No poller in {{ $labels.namespace }} holds the lease: 0 of its pods poll",
            "Either no poller pod is scraped, or each stands by for another that is not there.",
        ),
        Alert(
            "PollerSourceFailing",
            "warning",
            f"sum by (namespace) (increase(poller_polls_total{pods('poller', 'outcome="failed"')}[15m]))"
            f" / sum by (namespace) (increase(poller_polls_total{pods('poller', 'outcome!="skipped"')}[15m])) > 0.5",
            "5m",
            "{{ $value | humanizePercentage }} of the polls of the last 15 minutes failed",
            "The shop's API, the bucket of the poller's state or Pub/Sub fails; the poller's log names the step.",
        ),
        Alert(
            "PollerSuspiciousAnswers",
            "warning",
            f"sum by (namespace) (increase(poller_suspicious_answers_total{_P}[30m])) > 3",
            "0m",
            "{{ $value | humanize }} answers of the last 30 minutes missed so many carts that none was deleted",
            "Either the shop's API answers in part, or many carts were really deleted and a person must say so.",
        ),
    ],
)
