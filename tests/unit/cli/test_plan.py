"""Provisioning decides before it acts: what is added, what is set, what is refused."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from dataplatform.errors import ConfigurationError
from dataplatform.schemas import CART_EVENTS, PRODUCTS, RAW_TABLES, Table, api_fields
from eydp.provision.plan import (
    LABELS,
    Step,
    TablePlan,
    missing_labels,
    plan_table,
    refuse_other_location,
    summary,
    table_resource,
)

_NAME = "p.bq_raw.t"


def _plan(change: Callable[[dict[str, Any]], object], table: Table = CART_EVENTS) -> TablePlan:
    """Plan against a table that is as it should be but for one change."""
    found = copy.deepcopy(table_resource(table, _NAME))
    change(found)
    return plan_table(table, _NAME, found)


def _fields(resource: dict[str, Any], *path: str) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = resource["schema"]["fields"]
    for name in path:
        fields = next(field for field in fields if field["name"] == name)["fields"]
    return fields


def _remove(name: str, *path: str) -> Callable[[dict[str, Any]], object]:
    def change(resource: dict[str, Any]) -> None:
        fields = _fields(resource, *path)
        fields[:] = [field for field in fields if field["name"] != name]

    return change


def _set(name: str, *path: str, **values: str) -> Callable[[dict[str, Any]], object]:
    def change(resource: dict[str, Any]) -> None:
        next(field for field in _fields(resource, *path) if field["name"] == name).update(values)

    return change


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_a_table_as_it_should_be_needs_nothing(table: Table) -> None:
    assert plan_table(table, _NAME, table_resource(table, _NAME)) == TablePlan(
        (Step("unchanged", "table p.bq_raw.t"),), {}
    )


def test_what_the_service_adds_by_itself_is_no_difference() -> None:
    def change(resource: dict[str, Any]) -> None:
        resource.update(
            etag="x", numRows="7", timePartitioning={"field": "observed_at", "type": "DAY", "expirationMs": "1"}
        )
        _fields(resource)[0]["type"] = "STRING"

    assert _plan(change).changes == {}


def test_a_missing_nullable_column_is_added_after_the_others() -> None:
    plan = _plan(_remove("user_id"))
    assert plan.steps == (Step("add column", "table p.bq_raw.t", "user_id INTEGER"),)
    names = [field["name"] for field in plan.changes["schema"]["fields"]]
    assert names[-1] == "user_id"
    assert sorted(names) == sorted(column.name for column in CART_EVENTS.columns)


def test_a_missing_column_inside_a_record_is_added() -> None:
    plan = _plan(_remove("quantity", "products"))
    assert [step.detail for step in plan.steps] == ["products.quantity INTEGER"]
    assert [field["name"] for field in _fields(dict(plan.changes), "products")] == ["product_id", "quantity"]


def test_a_column_of_somebody_else_is_left_alone_and_kept() -> None:
    extra = {"name": "extra", "type": "STRING", "mode": "NULLABLE"}
    assert _plan(lambda resource: _fields(resource).append(extra)).changes == {}

    def one_lacks_too(resource: dict[str, Any]) -> None:
        _remove("user_id")(resource)
        _fields(resource).append(extra)

    assert extra in _plan(one_lacks_too).changes["schema"]["fields"]


def test_a_missing_required_column_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        ConfigurationError, match=r"column event_id of p.bq_raw.t is missing and required.*move the table"
    ):
        _plan(_remove("event_id"))


def test_a_changed_type_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"column cart_id of p.bq_raw.t is REQUIRED STRING but should be REQUIRED INTEGER"
    ):
        _plan(_set("cart_id", type="STRING"))


def test_the_standard_name_of_a_type_is_the_same_type() -> None:
    assert _plan(_set("cart_id", type="INT64")).changes == {}


def test_a_tightened_mode_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"column user_id of p\.bq_raw\.t is REQUIRED INTEGER"):
        _plan(_set("user_id", mode="REQUIRED"))


def test_a_relaxed_column_is_accepted_because_it_takes_every_row() -> None:
    assert _plan(_set("cart_id", mode="NULLABLE")).changes == {}


def test_a_changed_type_inside_a_record_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"column products\.product_id"):
        _plan(_set("product_id", "products", type="STRING"))


def test_an_outdated_description_of_a_column_is_set() -> None:
    plan = _plan(_set("product_id", "products", description="old"))
    assert plan.steps == (Step("update", "table p.bq_raw.t", "descriptions of products.product_id"),)
    assert plan.changes["schema"]["fields"] == api_fields(CART_EVENTS.columns)


@pytest.mark.parametrize(
    ("change", "part", "detail"),
    [
        ({"description": "old"}, "description", "description"),
        ({"clustering": {"fields": ["user_id"]}}, "clustering", "clustering by cart_id"),
        ({"labels": {}}, "labels", "labels"),
    ],
)
def test_a_property_that_differs_is_set_and_nothing_else(change: dict[str, Any], part: str, detail: str) -> None:
    plan = _plan(lambda resource: resource.update(change))
    assert plan.steps == (Step("update", "table p.bq_raw.t", detail),)
    assert plan.changes == {part: table_resource(CART_EVENTS, _NAME)[part]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timePartitioning": None}, "by nothing but should be by day of observed_at"),
        ({"timePartitioning": {"type": "HOUR", "field": "observed_at"}}, "by hour of observed_at"),
        ({"timePartitioning": {"type": "DAY"}}, "by day of arrival"),
        ({"rangePartitioning": {"field": "cart_id"}}, "by ranges of cart_id"),
    ],
)
def test_other_partitioning_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        _plan(lambda resource: resource.update(change))


def test_partitioning_where_there_should_be_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="by day of ingested_at but should be by nothing"):
        _plan(lambda r: r.update(timePartitioning={"type": "DAY", "field": "ingested_at"}), PRODUCTS)


def test_labels_of_somebody_else_are_kept() -> None:
    assert missing_labels({"team": "shop"}, LABELS) == {"team": "shop", **LABELS}
    assert missing_labels({"team": "shop", **LABELS}, LABELS) == {}
    assert missing_labels(None, LABELS) == LABELS


def test_another_location_is_refused_and_the_same_in_other_letters_is_not() -> None:
    refuse_other_location("bucket b", "EU", "eu")
    with pytest.raises(ConfigurationError, match="bucket b is in EU but EYDP_LOCATION is US"):
        refuse_other_location("bucket b", "EU", "US")


def test_the_summary_counts_changes_only() -> None:
    assert summary([Step("unchanged", "a")]) == "nothing to change"
    assert summary([Step("unchanged", "a"), Step("create", "b")]) == "1 to change"
    assert summary([Step("unchanged", "a"), Step("create", "b")], done=True) == "1 changed"
