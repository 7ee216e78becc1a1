"""For each alert, series that make it fire: the last minute without it, and the minute after.

Minutes are counted from the first sample, which is at Unix time 0; each series has a sample a minute. Words of the
release are those that `alerts.promtool` puts into the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """`labels` are those that the expression leaves; `summary` is what a person reads when it fires."""

    alert: str
    series: Mapping[str, str]
    fires: int
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def silent(self) -> int:
        return self.fires - 1


def of(component: str, metric: str, more: str = "", pod: str = "0") -> str:
    extra = f",{more}" if more else ""
    return f'{metric}{{namespace="shop",pod="eydp-{component}-{pod}"{extra}}}'


def pubsub(metric: str, subscription: str) -> str:
    return (
        f'pubsub_googleapis_com:subscription_{metric}{{monitored_resource="pubsub_subscription",'
        f'subscription_id="{subscription}"}}'
    )


def cronjob(metric: str, name: str) -> str:
    return f'{metric}{{namespace="shop",cronjob="eydp-{name}"}}'


def job(metric: str, name: str, more: str = "") -> str:
    return f'{metric}{{namespace="shop",job_name="eydp-{name}-29731800"{more}}}'


def failed(name: str, reason: str = "BackoffLimitExceeded", *, known: bool = True) -> dict[str, str]:
    """A Job that began after its CronJob's last good run and fails at minute 5, for a reason that is known or not."""
    return {
        cronjob("kube_cronjob_status_last_successful_time", name): "0x30",
        job("kube_job_created", name): "60x30",
        job("kube_job_failed", name, ',condition="true"'): "_x5 1x30",
        job("kube_job_status_failed", name, f',reason="{reason}"'): f"_x5 {int(known)}x30",
    }


def failed_labels(name: str) -> dict[str, str]:
    return {"namespace": "shop", "job_name": f"eydp-{name}-29731800", "condition": "true"}


SHOP = {"namespace": "shop"}
POD = {"namespace": "shop", "pod": "eydp-consumer-0"}
LAST = "kube_cronjob_status_last_successful_time"

POLLER = [
    Case(
        "PollerNoPolls",
        {
            of("poller", "poller_last_success_timestamp_seconds"): "0x60",
            of("poller", "poller_interval_seconds"): "60x60",
        },
        11,
        "No good poll of the shop's API for 11m 0s",
        SHOP,
    ),
    Case(
        "PollerWithoutLeader",
        {of("poller", "poller_leader"): "1x3 0x20", of("poller", "poller_leader", pod="1"): "0x30"},
        9,
        "No poller in shop holds the lease: 0 of its pods poll",
        SHOP,
    ),
    Case(
        "PollerWithoutLeader",
        {of("consumer", "consumer_circuit_open"): "0x20"},
        5,
        "No poller in shop holds the lease: 0 of its pods poll",
        SHOP,
    ),
    Case(
        "PollerSourceFailing",
        {
            of("poller", "poller_polls_total", 'outcome="ok"'): "0+1x20 20x40",
            of("poller", "poller_polls_total", 'outcome="failed"'): "0x20 1+1x40",
            of("poller", "poller_polls_total", 'outcome="skipped"'): "0+9x60",
        },
        33,
        "86.67% of the polls of the last 15 minutes failed",
        SHOP,
    ),
    Case(
        "PollerSuspiciousAnswers",
        {of("poller", "poller_suspicious_answers_total"): "0x5 1+1x10"},
        9,
        "4 answers of the last 30 minutes missed so many carts that none was deleted",
        SHOP,
    ),
]

CONSUMER = [
    Case(
        "ConsumerMissing",
        {of("poller", "poller_leader"): "1x20"},
        5,
        "0 consumers in shop can be seen",
        SHOP,
    ),
    Case(
        "ConsumerCircuitOpen",
        {of("consumer", "consumer_circuit_open"): "0x3 1x20", of("consumer", "consumer_circuit_open", pod="1"): "0x30"},
        5,
        "Too many invalid messages have stopped the intake of eydp-consumer-0 (circuit is 1)",
        POD,
    ),
    Case(
        "ConsumerSaturated",
        {
            of("consumer", "consumer_buffer_saturation_ratio"): "0.5x3 0.9x40",
            of("consumer", "consumer_buffer_saturation_ratio", pod="1"): "1x50",
        },
        19,
        "The consumers' buffers are 95% full",
        SHOP,
    ),
    Case(
        "ConsumerHoldsOldMessages",
        {of("consumer", "consumer_oldest_message_age_seconds"): "0+60x20"},
        8,
        "eydp-consumer-0 has held a message for 8m 0s",
        POD,
    ),
    Case(
        "EventsLate",
        {
            of("consumer", "consumer_event_lateness_seconds_bucket", 'le="300.0"'): "0x60",
            of("consumer", "consumer_event_lateness_seconds_bucket", 'le="900.0"'): "0+10x60",
            of("consumer", "consumer_event_lateness_seconds_bucket", 'le="+Inf"'): "0+10x60",
        },
        11,
        "Events reach BigQuery 14m 30s after the change (95th percentile)",
        SHOP,
    ),
    Case(
        "ConsumerQuarantineRate",
        {
            of("consumer", "consumer_messages_quarantined_total", 'reason="not_json"'): "0x5 1+1x40",
            of("consumer", "consumer_messages_received_total"): "0+50x60",
        },
        16,
        "1.467% of the messages of the last 15 minutes went to quarantine",
        SHOP,
    ),
    Case(
        "ConsumerAppendErrors",
        {
            of("consumer", "consumer_retries_total", 'what="bigquery"'): "0x5 5+5x40",
            of("consumer", "consumer_retries_total", 'what="storage"'): "0x60",
        },
        15,
        "BigQuery refused or failed 50 calls of the consumers in 10 minutes",
        SHOP,
    ),
    Case(
        "ConsumerArchiveErrors",
        {
            of("consumer", "consumer_retries_total", 'what="storage"'): "0x5 5+5x40",
            of("consumer", "consumer_retries_total", 'what="bigquery"'): "0x60",
        },
        15,
        "Cloud Storage refused or failed 50 calls of the consumers in 10 minutes",
        SHOP,
    ),
]

PUBSUB = [
    Case(
        "BacklogGrowing",
        {
            pubsub("num_undelivered_messages", "carts-events-sub"): "50000+10000x100",
            pubsub("num_undelivered_messages", "other-sub"): "1000000x100",
        },
        45,
        "500k messages wait in the subscription, over a fifth more than half an hour ago",
    ),
    Case(
        "OldestMessageOld",
        {pubsub("oldest_unacked_message_age", "carts-events-sub"): "0+60x30"},
        16,
        "The oldest message has waited 16m 0s",
    ),
    Case(
        "DeadLetters",
        {pubsub("num_undelivered_messages", "carts-events-dlq-sub"): "0x3 2x20"},
        9,
        "2 messages were given up by Pub/Sub and are kept for seven days",
    ),
]

PUSH = [
    Case(
        "PushServerErrors",
        {
            of("push", "push_requests_total", 'status="200"'): "0+10x40",
            of("push", "push_requests_total", 'status="503"'): "0x3 1+1x40",
        },
        9,
        "6.25% of the push requests were answered with 5xx",
        SHOP,
    ),
    Case(
        "PushThrottled",
        {
            of("push", "push_requests_total", 'status="200"'): "0+10x40",
            of("push", "push_requests_total", 'status="429"'): "0x3 1+1x40",
        },
        22,
        "9.091% of the push requests were answered with 429",
        SHOP,
    ),
]

JOBS = [
    Case(
        "BatchLate",
        {cronjob(LAST, "batch-products"): "-78900x400", cronjob(LAST, "batch-users"): "7800x400"},
        360,
        "eydp-batch-products is not done at 06:00 UTC: its last good run ended 1969-12-31 02:05:00 +0000 UTC",
        {"namespace": "shop", "cronjob": "eydp-batch-products"},
    ),
    Case(
        "BatchRefused",
        failed("batch-users", known=False),
        5,
        "eydp-batch-users-29731800 refused to load and will not be tried again (1 Job failed)",
        failed_labels("batch-users"),
    ),
    Case(
        "DbtFailed",
        failed("dbt"),
        5,
        "eydp-dbt-29731800 failed (1 Job), so the marts were not renewed",
        failed_labels("dbt"),
    ),
    Case(
        "MartStale",
        {cronjob(LAST, "dbt"): "-93000x20"},
        11,
        "The marts are 1d 2h 1m 0s old",
        {"namespace": "shop", "cronjob": "eydp-dbt"},
    ),
    Case(
        "ReplayFailed",
        failed("replay-carts"),
        5,
        "eydp-replay-carts-29731800 failed (1 Job): nobody compared raw zone and BigQuery today",
        failed_labels("replay-carts"),
    ),
    Case(
        "CompactFailed",
        failed("compact"),
        5,
        "eydp-compact-29731800 failed (1 Job): yesterday's small objects were not joined",
        failed_labels("compact"),
    ),
]

_CONTAINER = 'namespace="shop",pod="eydp-consumer-0",container="consumer"'
PODS = [
    Case(
        "PodRestarting",
        {f"kube_pod_container_status_restarts_total{{{_CONTAINER}}}": "0x5 1+1x20"},
        9,
        "consumer in eydp-consumer-0 restarted 4 times within an hour",
        {**POD, "container": "consumer"},
    ),
    Case(
        "MemoryNearLimit",
        {
            f"container_memory_working_set_bytes{{{_CONTAINER}}}": "80x3 95x30",
            f'kube_pod_container_resource_limits{{{_CONTAINER},resource="memory",unit="byte"}}': "100x40",
        },
        14,
        "consumer in eydp-consumer-0 uses 95% of its memory",
        {**POD, "container": "consumer"},
    ),
]

ALERTS = [*POLLER, *CONSUMER, *PUBSUB, *PUSH, *JOBS, *PODS]

#: Series and a minute at which the named alert must be silent, and why.
QUIET: list[tuple[str, str, Mapping[str, str], int]] = [
    (
        "BatchLate",
        "a CronJob that is suspended is not late",
        {
            cronjob(LAST, "batch-products"): "-78900x400",
            cronjob("kube_cronjob_spec_suspend", "batch-products"): "1x400",
        },
        370,
    ),
    (
        "BatchLate",
        "an installation of today is not late before its first night",
        {cronjob("kube_cronjob_created", "batch-products"): "60x400"},
        370,
    ),
    (
        "BatchRefused",
        "a Job that was tried to its last retry was not refused",
        failed("batch-users"),
        10,
    ),
    (
        "DbtFailed",
        "a failure is over when a later run ended well",
        {**failed("dbt"), cronjob(LAST, "dbt"): "0x7 120x30"},
        10,
    ),
    (
        "PollerNoPolls",
        "a poller that polls once an hour may be quiet for one",
        {
            of("poller", "poller_last_success_timestamp_seconds"): "0x90",
            of("poller", "poller_interval_seconds"): "3600x90",
        },
        80,
    ),
    (
        "ConsumerQuarantineRate",
        "ten bad messages among few are no rate",
        {
            of("consumer", "consumer_messages_quarantined_total", 'reason="not_json"'): "0+1x10 10x40",
            of("consumer", "consumer_messages_received_total"): "0+2x60",
        },
        14,
    ),
    (
        "BacklogGrowing",
        "a large backlog that shrinks is being worked off",
        {pubsub("num_undelivered_messages", "carts-events-sub"): "5000000-10000x100"},
        90,
    ),
    (
        "FreshnessBudgetBurn",
        "a short trouble that is over calls nobody, though the hour was bad",
        {
            of("consumer", "consumer_event_lateness_seconds_bucket", 'le="60.0"'): "0+100x60 6000x9 6100+100x60",
            of("consumer", "consumer_event_lateness_seconds_count"): "0+100x130",
        },
        76,
    ),
]
