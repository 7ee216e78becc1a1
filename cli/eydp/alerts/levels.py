"""Service levels: what is promised over 30 days, recorded error ratios, and alerts when the budget burns too fast.

Each alert asks two windows: the long one says that much was burnt, the short one that it still burns, so that the
alert ends soon after the trouble does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from eydp.alerts.model import Alert, Group, Recording, Severity
from eydp.alerts.selectors import pods


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast a budget may burn: `factor` 1 uses up the 30 days' budget in 30 days."""

    long: str
    short: str
    factor: float
    severity: Severity
    lasts: str


BURNS = (
    Burn("1h", "5m", 14.4, "critical", "2m"),
    Burn("6h", "30m", 6, "critical", "15m"),
    Burn("1d", "2h", 3, "warning", "1h"),
    Burn("3d", "6h", 1, "warning", "3h"),
)
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """A promise. `error_ratio` gives the expression of the bad share within a window."""

    name: str
    component: str
    objective: float
    alert: str
    what: str
    error_ratio: Callable[[str], str]

    @property
    def budget(self) -> float:
        """Return the share that may be bad."""
        return round(1 - self.objective, 6)

    def ratio(self, window: str) -> str:
        """Return the name of the recorded error ratio within a window."""
        return f"eydp:{self.name}:error_ratio_rate{window}"

    def group(self) -> Group:
        """Return the recordings and the alerts."""
        recordings = [Recording(self.ratio(window), self.error_ratio(window)) for window in WINDOWS]
        left = Recording(f"eydp:{self.name}:budget_left_ratio", f"1 - {self.ratio('30d')} / {self.budget:g}")
        return Group(self.component, self.name, [*recordings, left, *self._alerts()])

    def _alerts(self) -> Iterator[Alert]:
        for burn in BURNS:
            limit = f"{burn.factor * self.budget:g}"
            yield Alert(
                self.alert,
                burn.severity,
                f"{self.ratio(burn.long)} > {limit} and {self.ratio(burn.short)} > {limit}",
                burn.lasts,
                f"{{{{ $value | humanizePercentage }}}} of the last {burn.long} was bad: {self.what}",
                f"The budget of 30 days, {self.budget * 100:g} %, burns {burn.factor:g} times too fast or more."
                if burn.factor > 1
                else f"At this pace more than the budget of 30 days, {self.budget * 100:g} %, is used.",
                {"window": burn.long},
            )


def _late(window: str) -> str:
    soon = pods("consumer", 'le=~"60([.]0)?"')
    return (
        f"1 - sum by (namespace) (rate(consumer_event_lateness_seconds_bucket{soon}[{window}]))"
        f" / sum by (namespace) (rate(consumer_event_lateness_seconds_count{pods('consumer')}[{window}]))"
    )


def _not_rows(window: str) -> str:
    of = pods("consumer")
    received = f"sum by (namespace) (rate(consumer_messages_received_total{of}[{window}]))"
    return (
        f"(sum by (namespace) (rate(consumer_messages_quarantined_total{of}[{window}])) or 0 * {received}) / {received}"
    )


def _failed_polls(window: str) -> str:
    failed, ended = pods("poller", 'outcome="failed"'), pods("poller", 'outcome!="skipped"')
    every = f"sum by (namespace) (rate(poller_polls_total{ended}[{window}]))"
    return f"(sum by (namespace) (rate(poller_polls_total{failed}[{window}])) or 0 * {every}) / {every}"


def _failed_pushes(window: str) -> str:
    failed, ended = pods("push", 'status=~"5.."'), pods("push")
    every = f"sum by (namespace) (rate(push_requests_total{ended}[{window}]))"
    return f"(sum by (namespace) (rate(push_requests_total{failed}[{window}])) or 0 * {every}) / {every}"


LEVELS = (
    ServiceLevel(
        "freshness", "consumer", 0.99, "FreshnessBudgetBurn", "events took over 60 s to reach BigQuery", _late
    ),
    ServiceLevel("completeness", "consumer", 0.999, "CompletenessBudgetBurn", "messages went to quarantine", _not_rows),
    ServiceLevel("polls", "poller", 0.99, "PollsBudgetBurn", "polls failed", _failed_polls),
    ServiceLevel("pushes", "push", 0.999, "PushesBudgetBurn", "push requests were answered with 5xx", _failed_pushes),
)
