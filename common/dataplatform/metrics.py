"""Every metric of the platform, declared once with its meaning. `docs/metrics.md` is generated from here.

Label values are bounded: enumerations in code, never ids, names or messages from data.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LATENESS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 21600, 86400)
_SIZES = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000)


class PollerMetrics:
    """What the poller says of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.polls = Counter("poller_polls", "Polls by outcome: ok, failed, skipped.", ["outcome"], registry=registry)
        self.poll_seconds = Histogram(
            "poller_poll_seconds", "Seconds from request to published events.", buckets=_LATENCY, registry=registry
        )
        self.carts_seen = Gauge("poller_carts_seen", "Carts in the last good answer.", registry=registry)
        self.events = Counter("poller_events", "Events published, by type.", ["type"], registry=registry)
        self.pending = Gauge("poller_pending_events", "Events saved but not yet confirmed.", registry=registry)
        self.invalid = Counter(
            "poller_invalid_carts", "Carts put in quarantine, by reason.", ["reason"], registry=registry
        )
        self.suspicious = Counter(
            "poller_suspicious_answers",
            "Answers that missed carts and were not believed: nothing was deleted.",
            registry=registry,
        )
        self.duplicates = Counter(
            "poller_duplicate_carts",
            "Carts that came more than once in an answer, by kind: repeated, conflicting.",
            ["kind"],
            registry=registry,
        )
        self.stale = Counter(
            "poller_stale_carts",
            "Carts polled or pushed that were known to be different later, and were left out.",
            registry=registry,
        )
        self.unchanged = Counter(
            "poller_answers_unchanged", "Polls that the source answered with 304 Not Modified.", registry=registry
        )
        self.pushed = Counter(
            "poller_pushed_carts",
            "Pushed carts taken in, by outcome: recorded, repeated, invalid.",
            ["outcome"],
            registry=registry,
        )
        self.leader = Gauge(
            "poller_leader", "1 while this process holds the lease, 0 while it stands by.", registry=registry
        )
        self.carts_known = Gauge("poller_carts_known", "Carts ever seen, deleted ones included.", registry=registry)
        self.retries = Counter("poller_source_retries", "Requests to the source tried again.", registry=registry)
        self.last_success = Gauge(
            "poller_last_success_timestamp_seconds", "Unix time of the last good poll.", registry=registry
        )
        self.interval = Gauge(
            "poller_interval_seconds", "Seconds from one poll to the next, as configured.", registry=registry
        )


class PushMetrics:
    """What the push service says of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "push_requests", "Push requests by the answer's status code.", ["status"], registry=registry
        )
        self.request_seconds = Histogram(
            "push_request_seconds",
            "Seconds from a request's headers to its answer.",
            buckets=_LATENCY,
            registry=registry,
        )
        self.in_flight = Gauge("push_requests_in_flight", "Push requests at work.", registry=registry)
        self.records = Counter(
            "push_records", "Records by outcome: accepted, refused, failed.", ["outcome"], registry=registry
        )
        self.groups = Counter(
            "push_publish_requests",
            "Requests to Pub/Sub, each with the records of one or more clients.",
            registry=registry,
        )
        self.retries = Counter("push_publish_retries", "Requests to Pub/Sub tried again.", registry=registry)
        self.keys = Gauge("push_active_keys", "Signing keys that count now, one or two.", registry=registry)
        self.key_faults = Counter(
            "push_key_faults",
            "Looks at the folder of keys that found a fault; the former keys count.",
            registry=registry,
        )


class ConsumerMetrics:
    """What the consumer says of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter("consumer_messages_received", "Messages received.", registry=registry)
        self.redelivered = Counter(
            "consumer_messages_redelivered", "Messages received with a delivery attempt above 1.", registry=registry
        )
        self.acknowledged = Counter("consumer_messages_acknowledged", "Messages acknowledged.", registry=registry)
        self.nacked = Counter("consumer_messages_nacked", "Messages given back unprocessed.", registry=registry)
        self.lost_leases = Counter(
            "consumer_leases_lost", "Messages whose lease ran out before they were acknowledged.", registry=registry
        )
        self.deduplicated = Counter(
            "consumer_messages_deduplicated",
            "Messages not appended again, by what knew them: window or warehouse.",
            ["by"],
            registry=registry,
        )
        self.quarantined = Counter(
            "consumer_messages_quarantined", "Messages put in quarantine, by reason.", ["reason"], registry=registry
        )
        self.flushes = Counter(
            "consumer_flushes", "Flushes by reason: rows, bytes, age, shutdown.", ["reason"], registry=registry
        )
        self.flush_rows = Histogram("consumer_flush_rows", "Messages in a flush.", buckets=_SIZES, registry=registry)
        self.rows_appended = Counter("consumer_rows_appended", "Rows appended to BigQuery.", registry=registry)
        self.unfit_values = Counter(
            "consumer_added_column_values_unfit",
            "Values left null because they do not fit a column that was added to the table.",
            ["column"],
            registry=registry,
        )
        self.bytes_archived = Counter("consumer_bytes_archived", "Compressed bytes archived.", registry=registry)
        self.archive_seconds = Histogram(
            "consumer_archive_seconds", "Seconds to write one object.", buckets=_LATENCY, registry=registry
        )
        self.append_seconds = Histogram(
            "consumer_append_seconds", "Seconds to append one flush.", buckets=_LATENCY, registry=registry
        )
        self.lateness_seconds = Histogram(
            "consumer_event_lateness_seconds",
            "Seconds from observed to appended, of the oldest event of each flush.",
            buckets=_LATENESS,
            registry=registry,
        )
        self.outstanding = Gauge(
            "consumer_outstanding_messages", "Messages held and not yet settled.", registry=registry
        )
        self.outstanding_bytes = Gauge("consumer_outstanding_bytes", "Payload bytes held.", registry=registry)
        self.saturation = Gauge(
            "consumer_buffer_saturation_ratio",
            "How full the consumer is: the fuller of messages and bytes held, as a share of its bound.",
            registry=registry,
        )
        self.oldest_seconds = Gauge(
            "consumer_oldest_message_age_seconds", "Age of the oldest message held.", registry=registry
        )
        self.lease_extensions = Counter("consumer_lease_extensions", "Leases extended.", registry=registry)
        self.stream_ends = Counter(
            "consumer_stream_ends",
            "Streams that ended and were opened again: pull or append.",
            ["stream"],
            registry=registry,
        )
        self.retries = Counter(
            "consumer_retries",
            "Calls that failed or were refused and are tried again, by dependency: pubsub, storage, bigquery.",
            ["what"],
            registry=registry,
        )
        self.circuit_open = Gauge(
            "consumer_circuit_open", "1 while too many invalid messages have stopped the intake.", registry=registry
        )


class BatchMetrics:
    """What one batch run says of itself at its end."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "batch_records", "Records by entity and outcome: valid, invalid.", ["entity", "outcome"], registry=registry
        )
        self.bytes_archived = Counter(
            "batch_bytes_archived", "Compressed bytes written.", ["entity"], registry=registry
        )
        self.run_seconds = Gauge("batch_run_seconds", "Seconds of the last run.", ["entity"], registry=registry)
        self.last_success = Gauge(
            "batch_last_success_timestamp_seconds", "Unix time of the last good run.", ["entity"], registry=registry
        )


class DbtMetrics:
    """What one daily dbt run says of itself at its end."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.nodes = Gauge(
            "dbt_nodes",
            "Models, tests and sources of the last run, by kind and status.",
            ["kind", "status"],
            registry=registry,
        )
        self.step_seconds = Gauge(
            "dbt_step_seconds",
            "Seconds of each step: source freshness, build, docs generate, retry.",
            ["what"],
            registry=registry,
        )
        self.run_seconds = Gauge("dbt_run_seconds", "Seconds of the last run.", registry=registry)
        self.last_success = Gauge(
            "dbt_last_success_timestamp_seconds", "Unix time of the last run that published.", registry=registry
        )


ALL = (PollerMetrics, PushMetrics, ConsumerMetrics, BatchMetrics, DbtMetrics)
