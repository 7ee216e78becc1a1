"""`eydp sql`, `doctor`, `verify` and the programs, against the embedded stack."""

import json
from pathlib import Path
from typing import Any

import pytest

from dataplatform import clients
from dataplatform.schemas import RAW_TABLES
from dataplatform.settings import PlatformSettings
from support import golden
from support.programs import run
from support.pubsub import emulators


def test_the_doctor_names_what_is_missing_and_then_finds_nothing(environment: dict[str, str], cwd: str) -> None:
    before = json.loads(run(environment, "eydp", "doctor", "--json", code=78, cwd=cwd).stdout)
    run(environment, "eydp", "provision", cwd=cwd)
    after = json.loads(run(environment, "eydp", "doctor", "--json", cwd=cwd).stdout)

    missing = [finding["what"].split()[0] for finding in before if "eydp provision" in finding["mend"]]
    assert missing.count("table") == len(RAW_TABLES)
    assert {"bucket", "dataset", "table", "topic", "subscription"} <= set(missing)
    passed = [finding["what"] for finding in before if finding["ok"]]
    assert "settings: Consumer" in passed
    assert "BigQuery jobs" in passed
    assert [finding for finding in after if not finding["ok"]] == []
    assert [finding["what"] for finding in after] == [finding["what"] for finding in before]


@pytest.mark.long
def test_the_doctor_tells_which_dependency_is_away_and_which_is_not(environment: dict[str, str], cwd: str) -> None:
    run(environment, "eydp", "provision", cwd=cwd)
    away = {**environment, "PUBSUB_EMULATOR_HOST": "127.0.0.1:9", "EYDP_SOURCE_URL": "http://127.0.0.1:9"}
    lines = run(away, "eydp", "doctor", code=78, cwd=cwd).stdout.splitlines()

    failed = {line.split()[1] for line in lines if line.startswith("FAIL")}
    assert failed == {"source", "topic", "subscription"}
    assert {line.split()[1] for line in lines if line.startswith("ok")} >= {"bucket", "dataset", "table"}


def test_the_doctor_names_a_wrong_setting_of_another_program(environment: dict[str, str], cwd: str) -> None:
    wrong = {**environment, "EYDP_CONSUMER_STREAMS": "0"}
    findings = json.loads(run(wrong, "eydp", "doctor", "--json", code=78, cwd=cwd).stdout)
    assert [finding["what"] for finding in findings if not finding["ok"]] == ["settings: Consumer"]


def test_a_query_is_answered_as_json_csv_and_a_table(environment: dict[str, str], cwd: str) -> None:
    query = "select 1 as one, 'x' as letter, numeric '1.25' as price"
    assert json.loads(run(environment, "eydp", "sql", "--json", query, cwd=cwd).stdout) == [
        {"one": 1, "letter": "x", "price": "1.25"}
    ]
    assert run(environment, "eydp", "sql", "--csv", query, cwd=cwd).stdout == "one,letter,price\n1,x,1.25\n"
    assert "letter" in run(environment, "eydp", "sql", query, cwd=cwd).stdout


def test_no_more_rows_are_fetched_than_asked_for_and_the_rest_is_told(environment: dict[str, str], cwd: str) -> None:
    query = "select n from unnest(generate_array(1, 1000)) as n order by n"
    done = run(environment, "eydp", "sql", "--json", "--max-rows", "3", query, cwd=cwd)
    assert json.loads(done.stdout) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert "3 of 1000 rows" in done.stderr


def test_a_result_without_rows_still_has_its_columns_in_csv(environment: dict[str, str], cwd: str) -> None:
    assert (
        run(environment, "eydp", "sql", "--csv", "select 1 as a from (select 1) where false", cwd=cwd).stdout == "a\n"
    )


def test_a_help_of_a_program_needs_no_settings(cwd: str, tmp_path: Path) -> None:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    assert "--until-idle" in run(bare, "eydp", "consume", "--help", cwd=cwd).stdout
    assert "--entity" in run(bare, "eydp", "batch", "--help", cwd=cwd).stdout


_MARTS = """
    create table {marts}.dim_products as select id as product_key, source, price, true as is_active from {raw}.Products;
    create table {marts}.dim_users as select id as user_id, source, true as is_active from {raw}.Users;
    create table {marts}.stg_cart_events as select * from {raw}.carts_events;
    create table {marts}.int_carts_latest as select cart_id, source, false as is_deleted from {raw}.carts_events;
    create table {marts}.fact_orders as
        select e.source, e.cart_id, l.product_id as product_key, l.quantity
        from {raw}.carts_events as e cross join unnest(e.products) as l;
"""


@pytest.mark.long
def test_verify_fails_on_any_difference_and_names_it(environment: dict[str, str], cwd: str) -> None:
    """The marts are made by hand here, so that one of them can be wrong."""
    client = clients.bigquery_client(PlatformSettings(project=environment["EYDP_PROJECT"]), emulators(environment))
    names = {"raw": environment["EYDP_DATASET_RAW"], "marts": environment["EYDP_DATASET_ANALYTICS"]}

    def verify(code: int) -> tuple[dict[str, dict[str, Any]], str]:
        done = run(environment, "eydp", "verify", "--json", code=code, cwd=cwd)
        return {check["figure"]: check for check in json.loads(done.stdout)}, done.stderr

    def sql(query: str) -> None:
        client.query_and_wait(query.format(**names), retry=None)

    run(environment, "eydp", "provision", cwd=cwd)
    missing = run(environment, "eydp", "verify", code=78, cwd=cwd)
    assert "run `eydp provision`, `eydp batch` and `eydp dbt build` first" in missing.stderr
    assert "Traceback" not in missing.stderr
    run(environment, "eydp", "batch", cwd=cwd)
    run(environment, "eydp", "poll", "--once", cwd=cwd)
    run(environment, "eydp", "consume", "--until-idle", "0.5", cwd=cwd)
    sql(_MARTS)

    figures, _ = verify(0)
    assert figures["revenue"] == {
        "figure": "revenue",
        "agrees": True,
        **dict.fromkeys(("source", "bq_raw", "marts"), str(golden.REVENUE)),
    }
    assert figures["cart events"]["raw zone"] == figures["cart events"]["bq_raw"] == str(golden.CARTS)

    sql("update {marts}.fact_orders set quantity = quantity + 1 where cart_id = 7")
    figures, sentence = verify(65)
    assert "4 figures differ: items, revenue, cart 7: items, cart 7: value" in sentence
    assert figures["items"]["source"] == str(golden.ITEMS)
    assert figures["items"]["marts"] == str(golden.ITEMS + 1)

    sql("update {marts}.fact_orders set quantity = quantity - 1 where cart_id = 7")
    sql("delete from {raw}.carts_events where cart_id = 7")
    _, sentence = verify(65)
    client.close()
    assert "cart events" in sentence
