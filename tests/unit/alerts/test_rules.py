"""Rules ask only for metrics that exist, point to runbooks that exist, and are what the chart holds."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dataplatform.metrics import ALL
from eydp.alerts.__main__ import main, stale
from eydp.alerts.levels import LEVELS, WINDOWS
from eydp.alerts.model import Alert, Recording
from eydp.alerts.rules import FILES, every_alert

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "docs" / "runbooks"

#: What others declare: kube-state-metrics, cAdvisor, and Cloud Monitoring by the names of Managed Prometheus.
FOREIGN = {
    "container_memory_working_set_bytes",
    "kube_cronjob_created",
    "kube_cronjob_spec_suspend",
    "kube_cronjob_status_last_successful_time",
    "kube_job_created",
    "kube_job_failed",
    "kube_job_status_failed",
    "kube_pod_container_resource_limits",
    "kube_pod_container_status_restarts_total",
    "pubsub_googleapis_com:subscription_num_undelivered_messages",
    "pubsub_googleapis_com:subscription_oldest_unacked_message_age",
}
#: Pages of procedures, which several alerts point to.
PROCEDURES = {"dead-letters", "forget", "quarantine", "replay"}
#: Words of the language and labels that are grouped or joined by.
WORDS = {
    *("absent", "avg", "avg_over_time", "clamp_max", "histogram_quantile", "hour", "increase", "label_replace", "max"),
    *("rate", "sum", "time", "and", "bool", "by", "group_left", "offset", "on", "or", "unless"),
}
LABELS = {"namespace", "pod", "container", "cronjob", "job_name", "le"}

RULES = [rule for groups in FILES.values() for group in groups for rule in group.rules]
RECORDED = {rule.record for rule in RULES if isinstance(rule, Recording)}


def declared() -> set[str]:
    """The names of all series that the programs serve, as Prometheus reads them."""
    registry = CollectorRegistry()
    for metrics in ALL:
        metrics(registry)
    names = set()
    for family in registry.collect():
        match family.type:
            case "counter":
                names.add(f"{family.name}_total")
            case "histogram":
                names |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
            case _:
                names.add(family.name)
    return names


def metrics_of(expr: str) -> set[str]:
    """The names of metrics in an expression: what is left of its words without matchers, texts, windows and labels."""
    bare = re.sub(r'"[^"]*"', " ", re.sub(r'\{(?:[^}"]|"[^"]*")*\}', " ", expr))
    bare = re.sub(r"\[[^\]]*\]|\b\d+[smhd]\b", " ", bare)
    return set(re.findall(r"[A-Za-z_][\w:]*", bare)) - WORDS - LABELS


def labels_of(expr: str) -> dict[str, set[str]]:
    """The labels that are matched, by metric."""
    matched: dict[str, set[str]] = {}
    for name, inside in re.findall(r'([A-Za-z_][\w:]*)\{((?:[^}"]|"[^"]*")*)\}', expr):
        matched.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", re.sub(r'"[^"]*"', "", inside)))
    return matched


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name if isinstance(rule, Alert) else rule.record)
def test_a_rule_asks_only_for_metrics_that_exist(rule: Alert | Recording) -> None:
    asked = metrics_of(rule.expr)

    assert asked
    assert asked <= declared() | FOREIGN | RECORDED


def test_a_metric_that_does_not_exist_would_be_noticed() -> None:
    assert metrics_of('sum by (pod) (rate(consumer_gone_total{pod=~"a}b"}[5m])) > 5 * x:y') == {
        "consumer_gone_total", "x:y"
    }  # fmt: skip


def test_no_foreign_metric_is_listed_that_no_rule_asks_for() -> None:
    assert set.union(*(metrics_of(rule.expr) for rule in RULES)) & FOREIGN == FOREIGN


def test_a_rule_matches_only_labels_that_the_platforms_metrics_have() -> None:
    registry = CollectorRegistry()
    labels = {
        metric._name: set(metric._labelnames)  # the library has no public way to ask
        for metrics in ALL
        for metric in vars(metrics(registry)).values()
    }
    for rule in RULES:
        for name, matched in labels_of(rule.expr).items():
            if name not in FOREIGN:
                base = re.sub(r"_(total|bucket|count|sum)$", "", name)
                own = labels[base if base in labels else name] | ({"le"} if name.endswith("_bucket") else set())
                assert matched <= own | {"namespace", "pod"}, rule


def test_the_promised_minute_is_a_bucket_of_the_lateness() -> None:
    registry = CollectorRegistry()
    for metrics in ALL:
        metrics(registry)

    assert b'consumer_event_lateness_seconds_bucket{le="60.0"}' in generate_latest(registry)


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")}

    assert pages - PROCEDURES == {alert.name for _, alert in every_alert()}


@pytest.mark.parametrize("name", sorted({alert.name for _, alert in every_alert()}))
def test_a_runbook_says_what_it_means_what_it_costs_what_to_look_at_and_what_to_do(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)

    assert text.startswith(f"# {name}\n")
    assert sections[1::2] == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert all(body.strip() for body in sections[2::2])
    assert re.search(r"^    \w", sections[6], re.MULTILINE), "the diagnosis has no command"


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_every_link_of_a_runbook_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target


def test_every_alert_says_a_number_or_a_name_and_points_to_its_runbook() -> None:
    for _, alert in every_alert():
        assert re.search(r"\{\{|\b0\b", alert.summary), alert.name
        assert alert.rule("x")["annotations"]["runbook_url"].endswith(f"/{alert.name}.md")


def test_names_of_alerts_are_given_once_or_tell_windows_apart() -> None:
    found = [(alert.name, tuple(alert.labels.items())) for _, alert in every_alert()]

    assert len(found) == len(set(found))


def test_every_window_that_an_alert_asks_for_is_recorded() -> None:
    for level in LEVELS:
        recorded = {rule.record for rule in level.group().rules if isinstance(rule, Recording)}
        assert {level.ratio(window) for window in WINDOWS} <= recorded
        for alert in level.group().alerts:
            assert metrics_of(alert.expr) <= recorded


def test_the_chart_and_the_page_hold_what_the_source_says(tmp_path: Path) -> None:
    assert stale(ROOT) == []
    assert main(["--check"]) == 0
    assert len(stale(tmp_path)) == 3
