"""The verdict on an invocation, from what dbt reports of its nodes."""

import json

import pytest

from dbt_job.summary import NodeResult, Summary, Verdict, summarise, verdict_of_message

MODEL = NodeResult("dim_users", "model", "success", "CREATE TABLE", 1.0)
FAILED_TEST = NodeResult("unique_key", "test", "fail", "Got 3 results", 0.2, failures=3)
FAILED_UNIT_TEST = NodeResult("latest_counts", "unit_test", "fail", "actual differs from expected")
BROKEN_MODEL = NodeResult("fact_orders", "model", "error", "Syntax error: Unexpected keyword FROM")
SKIPPED = NodeResult("mart", "model", "skipped", "")


def summary_of(*nodes: NodeResult, success: bool = False) -> Summary:
    return summarise(nodes, command="build", target="local", seconds=1.5, success=success)


def test_a_run_without_failures_is_ok_with_warnings_and_skips_counted() -> None:
    warned = NodeResult("rare", "test", "warn", "Got 1 result", failures=1)
    summary = summary_of(MODEL, warned, MODEL, success=True)
    assert summary.verdict is Verdict.OK
    assert summary.counts == {"success": 2, "warn": 1}
    assert not summary.failed


@pytest.mark.parametrize(
    ("node", "verdict", "exit_code"),
    [
        (FAILED_TEST, Verdict.DATA_WRONG, 65),
        (NodeResult("products", "source", "error"), Verdict.DATA_WRONG, 65),
        (FAILED_UNIT_TEST, Verdict.CODE_WRONG, 70),
        (BROKEN_MODEL, Verdict.CODE_WRONG, 70),
        (NodeResult("unique_key", "test", "error", "Unrecognized name: kye"), Verdict.CODE_WRONG, 70),
        (NodeResult("m", "model", "error", "Access Denied: Table x"), Verdict.MISCONFIGURED, 78),
        (NodeResult("m", "model", "error", "Not found: Dataset p:d was not found"), Verdict.MISCONFIGURED, 78),
        (NodeResult("m", "model", "error", "503 Service Unavailable"), Verdict.WAREHOUSE_AWAY, 69),
        (NodeResult("m", "model", "error", "Timeout of 300.0s exceeded"), Verdict.WAREHOUSE_AWAY, 69),
    ],
)
def test_a_failed_node_tells_what_is_wrong(node: NodeResult, verdict: Verdict, exit_code: int) -> None:
    summary = summary_of(MODEL, node, SKIPPED)
    assert summary.verdict is verdict
    assert summary.as_json()["exit_code"] == exit_code
    assert summary.failed == (node,)
    assert node.name in summary.sentence()


def test_broken_code_counts_over_wrong_data_and_an_absent_warehouse_over_both() -> None:
    away = NodeResult("m", "model", "error", "Connection refused")
    assert summary_of(FAILED_TEST, BROKEN_MODEL).verdict is Verdict.CODE_WRONG
    assert summary_of(FAILED_TEST, BROKEN_MODEL, away).verdict is Verdict.WAREHOUSE_AWAY


def test_a_failure_that_no_node_explains_is_never_taken_for_success() -> None:
    assert summary_of(MODEL, success=False).verdict is Verdict.CODE_WRONG


def test_a_summary_goes_through_json_unchanged() -> None:
    value = summary_of(MODEL, FAILED_TEST).as_json()
    assert json.loads(json.dumps(value)) == value
    assert value["failed"][0]["failures"] == 3


def test_a_long_list_of_failures_is_cut_in_the_sentence() -> None:
    nodes = [NodeResult(f"t{number}", "test", "fail") for number in range(7)]
    assert summary_of(*nodes).sentence().endswith("t0, t1, t2, t3, t4, and 2 more")


def test_a_message_without_a_sign_of_the_environment_speaks_of_the_code() -> None:
    assert verdict_of_message("Compilation Error in model x") is Verdict.CODE_WRONG
    assert verdict_of_message("Env var required but not provided: 'EYDP_PROJECT'") is Verdict.MISCONFIGURED
