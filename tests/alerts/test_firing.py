"""Each alert is silent just before, and fires just after; promtool evaluates the rules as Prometheus would."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from alerts.burns import burning
from alerts.cases import ALERTS, QUIET, Case
from alerts.promtool import at, complaints, filled, promtool, series
from eydp.alerts.model import Alert, Group
from eydp.alerts.rules import FILES, document, every_alert

CASES = [*ALERTS, *burning()]
NAMES = sorted({alert.name for _, alert in every_alert()})


def found(case: Case) -> tuple[Group, Alert]:
    """The group and the alert of a case; alerts of one name differ in their labels."""
    (only,) = (
        (group, alert)
        for group, alert in every_alert()
        if alert.name == case.alert and alert.labels.items() <= case.labels.items()
    )
    return only


def questions(case: Case) -> dict[str, Any]:
    group, alert = found(case)
    fired = {
        "exp_labels": {**case.labels, "severity": alert.severity, "component": group.component},
        "exp_annotations": {
            "summary": case.summary,
            "description": alert.description,
            "runbook_url": f"docs/runbooks/{alert.name}.md",
        },
    }
    return {
        "name": f"{case.alert} at minute {case.fires}",
        "interval": "1m",
        "input_series": series(case.series),
        "alert_rule_test": [at(case.silent, case.alert, []), at(case.fires, case.alert, [fired])],
    }


def group_of(alert: str) -> Group:
    (group,) = {group.name: group for group, one in every_alert() if one.name == alert}.values()
    return group


def is_quick(case: Case) -> bool:
    """Slow burns take hours of evaluations: the short suite takes those of one service level; all share their code."""
    return case.labels.get("window") not in {"1d", "3d"} or case.alert == "FreshnessBudgetBurn"


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_silent_just_before_and_fires_just_after(name: str, tmp_path: Path) -> None:
    tests = [questions(case) for case in CASES if case.alert == name and is_quick(case)]

    assert tests
    assert complaints([group_of(name)], tests, tmp_path) == ""


@pytest.mark.long
@pytest.mark.parametrize(
    "case", [case for case in CASES if not is_quick(case)], ids=lambda case: questions(case)["name"]
)
def test_a_slow_burn_is_silent_just_before_and_fires_just_after(case: Case, tmp_path: Path) -> None:
    assert complaints([group_of(case.alert)], [questions(case)], tmp_path) == ""


@pytest.mark.parametrize(("alert", "why", "given", "minute"), QUIET, ids=[why for _, why, _, _ in QUIET])
def test_an_alert_is_silent_where_nothing_is_wrong(
    alert: str, why: str, given: Mapping[str, str], minute: int, tmp_path: Path
) -> None:
    asked = {
        "name": why,
        "interval": "1m",
        "input_series": series(given),
        "alert_rule_test": [at(minute, alert, [])],
    }

    assert complaints([group_of(alert)], [asked], tmp_path) == ""


def test_every_alert_has_its_case_and_each_of_its_windows_too() -> None:
    cased = {(found(case)[1].name, case.labels.get("window")) for case in CASES}

    assert cased == {(alert.name, alert.labels.get("window")) for _, alert in every_alert()}


def test_a_summary_that_is_wrong_would_be_noticed(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.alert == "DeadLetters")
    asked = questions(Case(case.alert, case.series, case.fires, "something else", case.labels))

    assert "something else" in complaints([group_of(case.alert)], [asked], tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_promtool_finds_nothing_wrong_with_the_rules(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(filled(document(FILES[name])))

    assert promtool("check", "rules", name, folder=tmp_path) == ""
