"""Alerts on Pub/Sub's own metrics, by the names that Managed Prometheus gives those of Cloud Monitoring."""

from eydp.alerts.model import DEAD_LETTERS, SUBSCRIPTION, Alert, Group

_OF = 'monitored_resource="pubsub_subscription",subscription_id='
_WAITING = "pubsub_googleapis_com:subscription_num_undelivered_messages"
_BACKLOG = f'sum({_WAITING}{{{_OF}"{SUBSCRIPTION}"}}'
_OLDEST = f'pubsub_googleapis_com:subscription_oldest_unacked_message_age{{{_OF}"{SUBSCRIPTION}"}}'

ALERTS = Group(
    "pubsub",
    "alerts",
    [
        Alert(
            "BacklogGrowing",
            "warning",
            f"{_BACKLOG}) > 100000 and {_BACKLOG}) > 1.2 * {_BACKLOG} offset 30m)",
            "15m",
            "{{ $value | humanize }} messages wait in the subscription, over a fifth more than half an hour ago",
            "The consumers take less than is published. The figure is two to three minutes old.",
        ),
        Alert(
            "OldestMessageOld",
            "critical",
            f"max({_OLDEST}) > 600",
            "5m",
            "The oldest message has waited {{ $value | humanizeDuration }}",
            "Messages are dropped by Pub/Sub when they are older than the subscription keeps them.",
        ),
        Alert(
            "DeadLetters",
            "warning",
            f'sum({_WAITING}{{{_OF}"{DEAD_LETTERS}"}}) > 0',
            "5m",
            "{{ $value | humanize }} messages were given up by Pub/Sub and are kept for seven days",
            "Nobody acknowledged them in ten deliveries. After seven days they are gone.",
        ),
    ],
)
