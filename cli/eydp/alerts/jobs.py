"""Alerts on what runs once a day, by what kube-state-metrics says of CronJobs and Jobs."""

from eydp.alerts.model import Alert, Group, Recording
from eydp.alerts.selectors import cron, failed_jobs, last_success

_BATCH = "batch-(products|users)"
_LATE = f"{last_success(_BATCH)} < time() - time() % 86400 and on () (hour() >= 6)"
_GAVE_UP = cron("job_name", f"{_BATCH}-[^-]+", 'reason=~"BackoffLimitExceeded|DeadlineExceeded|Evicted"')

BATCH = Group(
    "batch",
    "alerts",
    [
        Alert(
            "BatchLate",
            "critical",
            _LATE,
            "0m",
            "{{ $labels.cronjob }} is not done at 06:00 UTC: its last good run ended {{ $value | humanizeTimestamp }}",
            "The day's products or users are not in BigQuery; the marts show those of the last good run.",
        ),
        Alert(
            "BatchRefused",
            "critical",
            f"{failed_jobs(_BATCH)} unless on (namespace, job_name) kube_job_status_failed{_GAVE_UP} == 1",
            "0m",
            "{{ $labels.job_name }} refused to load and will not be tried again ({{ $value }} Job failed)",
            "A guard found the data wrong (exit 65), or set-up or code is (78, 64, 70). The former rows stay.",
        ),
        Recording(
            "eydp:batch_on_time:bool",
            f"1 - max by (namespace) ({last_success(_BATCH)} < bool time() - time() % 86400)"
            " * on () group_left () (hour() >= bool 6)",
        ),
        Recording("eydp:batch_on_time:ratio30d", "avg_over_time(eydp:batch_on_time:bool[30d])"),
    ],
)

DBT = Group(
    "dbt",
    "alerts",
    [
        Alert(
            "DbtFailed",
            "critical",
            failed_jobs("dbt"),
            "0m",
            "{{ $labels.job_name }} failed ({{ $value }} Job), so the marts were not renewed",
            "A test of the data failed (exit 65), the models are wrong (70), or BigQuery was away (69).",
        ),
        Alert(
            "MartStale",
            "warning",
            f"time() - {last_success('dbt')} > 93600",
            "0m",
            "The marts are {{ $value | humanizeDuration }} old",
            "dbt had no good run for over 26 hours. What the marts show is right, but old.",
        ),
    ],
)

REPLAY = Group(
    "replay",
    "alerts",
    [
        Alert(
            "ReplayFailed",
            "warning",
            failed_jobs("replay-(carts|quarantine)"),
            "0m",
            "{{ $labels.job_name }} failed ({{ $value }} Job): nobody compared raw zone and BigQuery today",
            "Events may be missing in BigQuery. They are safe in the raw zone.",
        ),
    ],
)

COMPACT = Group(
    "compact",
    "alerts",
    [
        Alert(
            "CompactFailed",
            "warning",
            failed_jobs("compact"),
            "0m",
            "{{ $labels.job_name }} failed ({{ $value }} Job): yesterday's small objects were not joined",
            "Reading the raw zone costs more until it is done. No object is retired before its copy was checked.",
        ),
    ],
)
