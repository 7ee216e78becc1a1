"""What a failing run says, and with which exit code."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dataplatform.schemas import RAW_TABLES
from dataplatform.settings import EmulatorSettings, PlatformSettings
from dbt_job.settings import DbtSettings, dbt_environment

from .conftest import PROJECT, Built, NewWarehouse
from .warehouse import Warehouse

#: A fault for each rule, planted in copies of the golden marts.
FAULTS = (
    # Another event states the same version of cart 1.
    """
    insert into {marts}.stg_cart_events
    select * replace ('another' as event_id) from {marts}.stg_cart_events where cart_id = 1
    """,
    "update {marts}.stg_cart_events set event_type = 'cart_moved' where cart_id = 2",
    "update {marts}.int_carts_latest set is_deleted = true where cart_id = 3",
    "update {marts}.int_carts_latest set total_items = total_items + 1 where cart_id = 4",
    "update {marts}.fact_orders set amount = amount + 0.01 where order_key = 'fakestore:1:1'",
    "update {marts}.fact_orders set product_key = 'fakestore:404' where order_key = 'fakestore:1:2'",
    "update {marts}.fact_orders set user_key = 'fakestore:404' where order_key = 'fakestore:1:3'",
    "update {marts}.fact_orders set event_id = 'no such event' where order_key = 'fakestore:2:1'",
    "update {marts}.fact_orders set order_date = '1999-12-31' where order_key = 'fakestore:2:2'",
    "insert into {marts}.fact_orders select * from {marts}.fact_orders where order_key = 'fakestore:5:7'",
    "update {marts}.mart_product_performance set revenue = -1 where product_id = 1",
    # Another shop, with the same day again and again, and then one that is not like the others.
    """
    insert into {marts}.fact_cart_events
    select facts.* replace (
        concat(event_id, cast(n as string)) as event_id, 'other' as source,
        date_sub(observed_date, interval case when n <= 10 then n + 1 when n = 11 then 0 else 1 end day)
            as observed_date,
        case when n > 11 then 3 else 0 end as lines_without_price
    )
    from {marts}.fact_cart_events as facts cross join unnest(generate_array(1, 40)) as n
    where cart_id = 1
    """,
    """
    insert into {marts}.mart_sales_daily
    select days.* replace (
        concat(day_key, cast(n as string)) as day_key, 'other' as source,
        date_sub(order_date, interval n day) as order_date, if(n = 1, 10, 1) * revenue as revenue
    )
    from {marts}.mart_sales_daily as days cross join unnest(generate_array(0, 10)) as n
    where order_date = '2020-03-02'
    """,
    """
    insert into {marts}.stg_quarantine (quarantine_id, message_id, entity, stage, reason)
    select 'q', message_id, 'carts_events', 'append', 'invalid' from {marts}.stg_cart_events where cart_id = 5
    """,
    """
    insert into {raw}.load_audit (run_id, entity, logical_date, started_at, finished_at, loaded_count, outcome)
    values ('r', 'products', '2026-11-24', '2026-11-24 02:00:00', '2026-11-24 02:01:00', 21, 'loaded')
    """,
)


ERRORS = (
    "assert_one_event_for_each_version_of_a_cart",
    "assert_amount_is_quantity_times_unit_price",
    "assert_no_order_of_a_deleted_cart",
    "assert_lines_sum_to_the_total_of_their_cart",
    "accepted_values_stg_cart_events_event_type__cart_created__cart_updated__cart_deleted",
    "unique_fact_orders_order_key",
    "relationships_fact_orders_product_key__product_key__ref_dim_products_",
    "relationships_fact_orders_user_key__user_key__ref_dim_users_",
    "relationships_fact_orders_order_date__date_day__ref_dim_dates_",
    "relationships_fact_orders_event_id__event_id__ref_fact_cart_events_",
    "assert_every_event_is_in_the_facts_exactly_once",
    "assert_rows_are_those_of_the_last_load",
    "not_negative_mart_product_performance_revenue",
)
WARNINGS = (
    "assert_no_event_is_both_loaded_and_quarantined",
    "volume_of_events_is_as_usual",
    "share_of_lines_without_price_is_as_usual",
    "revenue_of_a_day_is_as_usual",
)
COPIED = (
    *("stg_cart_events", "stg_products", "stg_users", "stg_quarantine", "int_carts_latest"),
    *("dim_products", "dim_users", "dim_dates", "fact_cart_events", "fact_orders"),
    *("mart_product_performance", "mart_sales_daily"),
)


@pytest.fixture(scope="module")
def faulty(new_warehouse: NewWarehouse) -> Warehouse:
    return new_warehouse()


@pytest.fixture(scope="module")
def tested(faulty: Warehouse, golden_build: Built) -> dict[str, Any]:
    """Return the summary of `dbt test` on marts in which faults were planted."""
    warehouse, good = faulty, golden_build.warehouse.analytics
    for name in COPIED:
        warehouse.query(f"create table {{marts}}.{name} as select * from {good}.{name}")  # noqa: S608 - our own names
    for fault in FAULTS:
        warehouse.query(fault)
    done = warehouse.dbt("--json", "test", "--select", *ERRORS, *WARNINGS)
    assert done.returncode == 65, done.stdout + done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.fixture(scope="module")
def empty(new_warehouse: NewWarehouse) -> Warehouse:
    return new_warehouse()


def test_a_failed_test_says_that_the_data_is_wrong(tested: dict[str, Any]) -> None:
    assert tested["verdict"] == "data_wrong"
    assert {(node["resource_type"], node["status"]) for node in tested["failed"]} == {("test", "fail")}
    assert all(node["failures"] >= 1 and node["message"] for node in tested["failed"])


@pytest.mark.parametrize("rule", ERRORS)
def test_a_planted_fault_trips_its_rule(tested: dict[str, Any], rule: str) -> None:
    assert rule in {node["name"] for node in tested["failed"]}


@pytest.mark.parametrize("rule", WARNINGS)
def test_what_is_unusual_warns_and_stops_nothing(tested: dict[str, Any], rule: str) -> None:
    assert rule in {node["name"] for node in tested["warned"]}
    assert rule not in {node["name"] for node in tested["failed"]}


def test_rows_that_fail_an_invariant_stay_where_a_person_can_look(tested: dict[str, Any], faulty: Warehouse) -> None:
    del tested
    [kept] = faulty.query(
        "select * from {marts}.assert_lines_sum_to_the_total_of_their_cart where cart_key = 'fakestore:4'"
    )
    assert kept["total_items"] - kept["items"] == 1


@pytest.mark.long
def test_a_model_that_cannot_be_parsed_exits_70_and_names_the_file(empty: Warehouse) -> None:
    broken = empty.folder / "broken"
    shutil.copytree(PROJECT, broken, ignore=shutil.ignore_patterns("dbt_job", "staging", "intermediate", "tests"))
    (broken / "models" / "marts" / "dim_users.sql").write_text("select * from {{ ref('stg_users' }}")
    done = empty.dbt(
        "parse", EYDP_DBT_PROJECT_DIR=str(broken), EYDP_DBT_TARGET_PATH=str(empty.folder / "broken-target")
    )
    assert done.returncode == 70, done.stdout + done.stderr
    assert "dim_users" in done.stderr


def test_a_warehouse_that_is_away_exits_69_at_once(empty: Warehouse, unused_tcp_port: int) -> None:
    done = empty.dbt("build", BIGQUERY_EMULATOR_HOST=f"http://127.0.0.1:{unused_tcp_port}")
    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
    assert f"127.0.0.1:{unused_tcp_port}" in done.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"EYDP_PROJECT": ""}, "EYDP_PROJECT is required"),
        ({"EYDP_DBT_TARGET": "local", "BIGQUERY_EMULATOR_HOST": ""}, "BIGQUERY_EMULATOR_HOST"),
        ({"EYDP_DBT_TARGET": "prod"}, "EYDP_DBT_TARGET"),
        ({"EYDP_DBT_PROJECT_DIR": "/nowhere"}, "no dbt_project.yml"),
        ({"EYDP_DBT_TARGET_PATH": str(PROJECT / "target")}, "inside the dbt project"),
        ({"EYDP_DBT_TARGT": "local"}, "EYDP_DBT_TARGET"),
    ],
)
def test_a_wrong_setting_exits_78_with_one_sentence(empty: Warehouse, variables: dict[str, str], words: str) -> None:
    done = empty.dbt("parse", **variables)
    assert done.returncode == 78, done.stdout + done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["127.0.0.1:9050", "http://127.0.0.1:9050", "http://127.0.0.1:9050/"])
def test_the_emulators_address_may_come_with_or_without_a_scheme(host: str, tmp_path: Path) -> None:
    emulators = EmulatorSettings(bigquery_emulator_host=host)
    own = DbtSettings(target_path=str(tmp_path))
    variables = dbt_environment(PlatformSettings(project="p", location="US"), emulators, own, "local")
    assert variables["BIGQUERY_EMULATOR_HOST"] == "http://127.0.0.1:9050"


def test_every_source_is_a_raw_table() -> None:
    text = (PROJECT / "models" / "staging" / "sources.yml").read_text()
    names = {line.split(": ")[-1] for line in text.splitlines() if "identifier: " in line}
    names |= {"carts_events"}
    assert names <= {table.name for table in RAW_TABLES}
