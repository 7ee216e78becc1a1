"""Every metric is declared once, says what it means, and has labels that can't grow with the data."""

import re

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from dataplatform.metrics import ALL

#: Labels whose values are lists in the code. Anything that could name an id, a message or an address is not among them.
BOUNDED_LABELS = {"outcome", "type", "reason", "by", "column", "stream", "what", "entity", "status", "kind"}


def declared() -> list[Metric]:
    """All metrics of all programs in one registry, which refuses a name that is taken."""
    registry = CollectorRegistry()
    for metrics in ALL:
        metrics(registry)
    return list(registry.collect())


def test_every_metric_says_what_it_means_in_a_sentence() -> None:
    for metric in declared():
        assert re.fullmatch(r"[A-Z1].*\.", metric.documentation), metric.name


def test_every_metric_carries_its_programs_name_and_its_unit() -> None:
    for metric in declared():
        assert metric.name.split("_")[0] in {"poller", "push", "consumer", "batch", "dbt"}, metric.name
        if "Seconds" in metric.documentation or "Unix time" in metric.documentation:
            assert metric.name.endswith("_seconds"), metric.name


def test_labels_are_bounded() -> None:
    registry = CollectorRegistry()
    labels = {
        label
        for metrics in ALL
        for metric in vars(metrics(registry)).values()
        for label in metric._labelnames  # the library has no public way to ask
    }
    assert labels <= BOUNDED_LABELS
