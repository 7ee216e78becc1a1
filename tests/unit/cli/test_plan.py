"""Provisioning decides before it acts: what is added, what is refused."""

from typing import Any

import pytest

from dataplatform.errors import ConfigurationError
from dataplatform.schemas import CART_EVENTS, RAW_TABLES, Table, api_fields
from eydp.provision.plan import Step, columns_to_add, partitioning_agrees, summary


def _without(table: Table, *names: str) -> list[dict[str, Any]]:
    return [field for field in api_fields(table.columns) if field["name"] not in names]


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_a_table_as_it_should_be_needs_nothing(table: Table) -> None:
    assert columns_to_add(table, table.name, api_fields(table.columns)) == []


def test_a_missing_nullable_column_is_added() -> None:
    found = _without(CART_EVENTS, "user_id")
    assert [column.name for column in columns_to_add(CART_EVENTS, "t", found)] == ["user_id"]


def test_a_column_of_somebody_else_is_left_alone() -> None:
    found = [*api_fields(CART_EVENTS.columns), {"name": "extra", "type": "STRING", "mode": "NULLABLE"}]
    assert columns_to_add(CART_EVENTS, "t", found) == []


def test_a_missing_required_column_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"column event_id of t is missing and required.*rebuild"):
        columns_to_add(CART_EVENTS, "t", _without(CART_EVENTS, "event_id"))


def _with_changed(name: str, **change: str) -> list[dict[str, Any]]:
    return [{**field, **(change if field["name"] == name else {})} for field in api_fields(CART_EVENTS.columns)]


def test_a_changed_type_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"column cart_id of t is REQUIRED STRING but should be REQUIRED INTEGER"
    ):
        columns_to_add(CART_EVENTS, "t", _with_changed("cart_id", type="STRING"))


def test_a_tightened_mode_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="column user_id of t is REQUIRED INTEGER"):
        columns_to_add(CART_EVENTS, "t", _with_changed("user_id", mode="REQUIRED"))


def test_a_relaxed_column_is_accepted_because_it_takes_every_row() -> None:
    assert columns_to_add(CART_EVENTS, "t", _with_changed("cart_id", mode="NULLABLE")) == []


def test_a_changed_type_inside_a_record_is_refused() -> None:
    fields = [{"name": "product_id", "type": "STRING", "mode": "NULLABLE"}]
    found = [{**f, **({"fields": fields} if f["name"] == "products" else {})} for f in api_fields(CART_EVENTS.columns)]
    with pytest.raises(ConfigurationError, match=r"column products\.product_id"):
        columns_to_add(CART_EVENTS, "t", found)


def test_other_partitioning_is_refused() -> None:
    partitioning_agrees(CART_EVENTS, "t", "observed_at")
    with pytest.raises(ConfigurationError, match="partitioned by nothing but should be by observed_at"):
        partitioning_agrees(CART_EVENTS, "t", None)


def test_the_summary_counts_changes_only() -> None:
    assert summary([Step("unchanged", "a")]) == "nothing to change"
    assert summary([Step("unchanged", "a"), Step("create", "b")]) == "1 to change"
