"""For each burn rate of each service level, series that trip it and no other."""

from collections.abc import Iterator, Mapping

from alerts.cases import SHOP, Case, of
from eydp.alerts.levels import BURNS, LEVELS

#: What each service level counts as good and bad, as series that grow by so much a minute.
_LATE = "consumer_event_lateness_seconds"
COUNTED: Mapping[str, tuple[str, str]] = {
    "completeness": (
        of("consumer", "consumer_messages_received_total"),
        of("consumer", "consumer_messages_quarantined_total", 'reason="not_json"'),
    ),
    "polls": (
        of("poller", "poller_polls_total", 'outcome="ok"'),
        of("poller", "poller_polls_total", 'outcome="failed"'),
    ),
    "pushes": (of("push", "push_requests_total", 'status="200"'), of("push", "push_requests_total", 'status="503"')),
}


def bad_share(level: str, bad: int, minutes: int) -> dict[str, str]:
    """Series of a service level of which `bad` in 10,000 are bad in each minute."""
    good = 10_000 - bad
    if level == "freshness":
        return {
            of("consumer", f"{_LATE}_bucket", 'le="60.0"'): f"0+{good}x{minutes}",
            of("consumer", f"{_LATE}_bucket", 'le="+Inf"'): f"0+10000x{minutes}",
            of("consumer", f"{_LATE}_count"): f"0+10000x{minutes}",
        }
    every, wrong = COUNTED[level]
    # Received messages hold the bad ones; the outcomes of the others exclude one another.
    growth = 10_000 if level == "completeness" else good
    return {every: f"0+{growth}x{minutes}", wrong: f"0+{bad}x{minutes}"}


#: For each burn rate a share of bad ones, in budgets, that trips this one before any other.
_BUDGETS = {"1h": 20, "6h": 7, "1d": 4, "3d": 2}
_LASTS = {"2m": 2, "15m": 15, "1h": 60, "3h": 180}


def burning() -> Iterator[Case]:
    """Each burn rate of each service level. The ratio is known from minute 1, where the alert begins to wait."""
    for level in LEVELS:
        for burn in BURNS:
            bad = round(_BUDGETS[burn.long] * level.budget * 10_000)
            fires = 1 + _LASTS[burn.lasts]
            summary = f"{bad / 100:g}% of the last {burn.long} was bad: {level.what}"
            yield Case(level.alert, bad_share(level.name, bad, fires), fires, summary, {**SHOP, "window": burn.long})
