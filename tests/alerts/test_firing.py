"""Each alert is silent just before, and fires just after; promtool evaluates the rules as Prometheus would."""

from pathlib import Path
from typing import Any

import pytest

from alerts.burns import burning
from alerts.cases import ALERTS, LAST, QUIET, Case, cronjob
from alerts.promtool import at, complaints, filled, promtool, series
from eydp.alerts.model import Alert, Group
from eydp.alerts.rules import FILES, document, every_alert

CASES = [*ALERTS, *burning()]
GROUPS = [group for groups in FILES.values() for group in groups]


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
    """Slow burns take hours of evaluations. They share their code with the quick ones, which the short suite takes."""
    return case.labels.get("window") not in {"1d", "3d"}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_each_alert_of_a_group_is_silent_just_before_and_fires_just_after(group: Group, tmp_path: Path) -> None:
    names = {alert.name for alert in group.alerts}
    tests = [questions(case) for case in CASES if case.alert in names and is_quick(case)]

    assert tests
    assert complaints([group], tests, tmp_path) == ""


@pytest.mark.long
@pytest.mark.parametrize(
    "case", [case for case in CASES if not is_quick(case)], ids=lambda case: questions(case)["name"]
)
def test_a_slow_burn_is_silent_just_before_and_fires_just_after(case: Case, tmp_path: Path) -> None:
    assert complaints([group_of(case.alert)], [questions(case)], tmp_path) == ""


@pytest.mark.parametrize("group", sorted({group_of(alert).name for alert, *_ in QUIET}))
def test_no_alert_fires_where_nothing_is_wrong(group: str, tmp_path: Path) -> None:
    tests = [
        {"name": why, "interval": "1m", "input_series": series(given), "alert_rule_test": [at(minute, alert, [])]}
        for alert, why, given, minute in QUIET
        if group_of(alert).name == group
    ]

    assert complaints([one for one in GROUPS if one.name == group], tests, tmp_path) == ""


def test_the_batch_is_on_time_until_six_and_then_only_when_all_of_today_is_loaded(tmp_path: Path) -> None:
    """Yesterday's products and today's users; the products come ten minutes late."""
    late = {cronjob(LAST, "batch-products"): "-78900x370 22200x20", cronjob(LAST, "batch-users"): "7800x400"}
    expected = {359: 1, 360: 0, 370: 0, 371: 1}
    asked = {
        "name": "on time",
        "interval": "1m",
        "input_series": series(late),
        "promql_expr_test": [
            {
                "expr": "eydp:batch_on_time:bool",
                "eval_time": f"{minute}m",
                "exp_samples": [
                    {"labels": 'eydp:batch_on_time:bool{component="batch",namespace="shop"}', "value": value}
                ],
            }
            for minute, value in expected.items()
        ],
    }

    assert complaints([one for one in GROUPS if one.component == "batch"], [asked], tmp_path) == ""


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
