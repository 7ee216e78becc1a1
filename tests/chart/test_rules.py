"""The alerts of an installation are those of its components, about its own namespace, names and subscriptions."""

import json
import re
from typing import Any

import pytest

from eydp.alerts.model import DEAD_LETTERS, NAME, NAMESPACE, RUNBOOKS, SHORT, SUBSCRIPTION
from eydp.alerts.rules import CLOUD, PLATFORM, every_alert
from support.chart import rendered

KINDS = {"PrometheusRule", "Rules", "GlobalRules"}
EVERYTHING = {alert.name for _, alert in every_alert()}
PUSH = {"PushServerErrors", "PushThrottled", "PushesBudgetBurn"}


def groups(*sets: str) -> list[dict[str, Any]]:
    return [group for m in rendered(*sets) if m["kind"] in KINDS for group in m["spec"]["groups"]]


def alerts(*sets: str) -> set[str]:
    return {rule["alert"] for group in groups(*sets) for rule in group["rules"] if "alert" in rule}


@pytest.mark.parametrize("mode", ["gmp", "operator"])
def test_both_kinds_of_monitoring_get_the_same_rules(mode: str) -> None:
    expected = [
        group.document() for group in (*PLATFORM, *CLOUD) if group.component != "push"
    ]  # push is off by default
    words = {
        NAMESPACE: "shop",
        NAME: "ey-data-platform",
        SHORT: "ey-data-platform",
        SUBSCRIPTION: "carts-events-sub",
        DEAD_LETTERS: "carts-events-dlq-sub",
        RUNBOOKS: "docs/runbooks",
    }
    text = json.dumps(expected)
    for word, meaning in words.items():
        text = text.replace(word, meaning)

    made = sorted(groups(f"monitoring.mode={mode}"), key=lambda group: group["name"])
    assert made == sorted(json.loads(text), key=lambda group: group["name"])


@pytest.mark.parametrize(
    ("component", "gone"),
    [
        ("poller", {"PollerNoPolls", "PollerWithoutLeader", "PollerSourceFailing", "PollerSuspiciousAnswers"}),
        ("consumer", {"ConsumerMissing", "BacklogGrowing", "DeadLetters", "FreshnessBudgetBurn"}),
        ("batch", {"BatchLate", "BatchRefused"}),
        ("dbt", {"DbtFailed", "MartStale"}),
        ("replay", {"ReplayFailed"}),
        ("compact", {"CompactFailed"}),
    ],
)
@pytest.mark.parametrize("mode", ["gmp", "operator"])
def test_a_component_that_is_off_raises_no_alert(mode: str, component: str, gone: set[str]) -> None:
    left = alerts(f"monitoring.mode={mode}", f"{component}.enabled=false")

    assert gone & left == set()
    assert {"PodRestarting", "MemoryNearLimit"} <= left


def test_an_alert_that_is_not_wanted_is_left_out_and_no_other() -> None:
    left = alerts("monitoring.mode=operator", "monitoring.alerts.disabled={BatchLate,MartStale}")

    assert left == EVERYTHING - PUSH - {"BatchLate", "MartStale"}


def test_rules_ask_for_the_names_of_the_release() -> None:
    text = json.dumps(
        groups(
            "monitoring.mode=operator",
            "fullnameOverride=other",
            "config.EYDP_SUBSCRIPTION=other-sub",
            "config.EYDP_DEAD_LETTER_SUBSCRIPTION=other-dead",
            "monitoring.alerts.runbooks=https://wiki.example/runbooks/",
        )
    )

    assert "other-poller-.+" in text
    assert 'subscription_id=\\"other-sub\\"' in text
    assert 'subscription_id=\\"other-dead\\"' in text
    assert "https://wiki.example/runbooks/PollerNoPolls.md" in text
    assert "ey-data-platform" not in text
    assert re.search(r"__[A-Z_]+__", text) is None
