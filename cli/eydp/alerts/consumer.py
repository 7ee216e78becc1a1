"""Alerts on the consumers, by their own metrics."""

from eydp.alerts.model import Alert, Group
from eydp.alerts.selectors import pods

_C = pods("consumer")


def _retries(what: str) -> str:
    return f"sum by (namespace) (increase(consumer_retries_total{pods('consumer', f'what="{what}"')}[10m])) > 20"


ALERTS = Group(
    "consumer",
    "alerts",
    [
        Alert(
            "ConsumerMissing",
            "critical",
            f"absent(consumer_messages_received_total{_C})",
            "5m",
            "0 consumers in {{ $labels.namespace }} can be seen",
            "No consumer pod is scraped: none runs, or monitoring can't reach them. Messages wait in Pub/Sub.",
        ),
        Alert(
            "ConsumerCircuitOpen",
            "critical",
            f"max by (namespace, pod) (consumer_circuit_open{_C}) == 1",
            "1m",
            "Too many invalid messages have stopped the intake of {{ $labels.pod }} (circuit is {{ $value }})",
            "The consumer pulls nothing, so that a bad deploy does not send everything to quarantine.",
        ),
        Alert(
            "ConsumerSaturated",
            "warning",
            f"avg by (namespace) (consumer_buffer_saturation_ratio{_C}) > 0.9",
            "15m",
            "The consumers' buffers are {{ $value | humanizePercentage }} full",
            "Cloud Storage or BigQuery takes less than arrives, or the autoscaler is at its maximum.",
        ),
        Alert(
            "ConsumerHoldsOldMessages",
            "critical",
            f"max by (namespace, pod) (consumer_oldest_message_age_seconds{_C}) > 300",
            "2m",
            "{{ $labels.pod }} has held a message for {{ $value | humanizeDuration }}",
            "It can neither write nor acknowledge it. A flush should settle within seconds.",
        ),
        Alert(
            "EventsLate",
            "warning",
            "histogram_quantile(0.95, sum by (namespace, le)"
            f" (rate(consumer_event_lateness_seconds_bucket{_C}[10m]))) > 300",
            "10m",
            "Events reach BigQuery {{ $value | humanizeDuration }} after the change (95th percentile)",
            "Measured from the poller's observation to the append, of the oldest event of each flush.",
        ),
        Alert(
            "ConsumerQuarantineRate",
            "warning",
            f"(sum by (namespace) (increase(consumer_messages_quarantined_total{_C}[15m])) > 10)"
            f" / sum by (namespace) (increase(consumer_messages_received_total{_C}[15m])) > 0.01",
            "0m",
            "{{ $value | humanizePercentage }} of the messages of the last 15 minutes went to quarantine",
            "They could not become rows. Their bytes and the reason are kept.",
        ),
        Alert(
            "ConsumerAppendErrors",
            "warning",
            _retries("bigquery"),
            "5m",
            "BigQuery refused or failed {{ $value | humanize }} calls of the consumers in 10 minutes",
            "Each call was tried again; messages are held until it succeeds.",
        ),
        Alert(
            "ConsumerArchiveErrors",
            "warning",
            _retries("storage"),
            "5m",
            "Cloud Storage refused or failed {{ $value | humanize }} calls of the consumers in 10 minutes",
            "Each call was tried again; nothing is appended before its line is in the bucket.",
        ),
    ],
)
