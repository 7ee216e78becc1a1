"""The raw tables are ones that BigQuery takes, and say what they hold."""

import re
from collections.abc import Iterator

import pytest
from google.cloud.bigquery import SchemaField

from dataplatform.schemas import CART_EVENTS, RAW_TABLES, Column, Table, api_fields

TABLES = pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)


def walk(columns: tuple[Column, ...]) -> Iterator[Column]:
    for column in columns:
        yield column
        yield from walk(column.fields)


def repeated_names(columns: tuple[Column, ...]) -> set[str]:
    """Names that BigQuery would find twice: it does not tell case apart."""
    names = [column.name.lower() for column in columns]
    return {name for name in names if names.count(name) > 1}


def test_no_two_tables_have_one_name() -> None:
    assert not repeated_names(tuple(Column(table.name, "STRING", "") for table in RAW_TABLES))


@TABLES
def test_no_two_columns_of_a_table_have_one_name(table: Table) -> None:
    assert not repeated_names(table.columns)
    for column in walk(table.columns):
        assert not repeated_names(column.fields)


@TABLES
def test_every_name_is_one_that_bigquery_takes(table: Table) -> None:
    for name in (table.name, *(column.name for column in walk(table.columns))):
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,299}", name)


@TABLES
def test_a_table_is_partitioned_by_a_time_that_every_row_has(table: Table) -> None:
    if table.partition_by:
        column = table.column(table.partition_by)
        assert column.type in {"TIMESTAMP", "DATE"}
        assert column.mode == "REQUIRED"


@TABLES
def test_a_table_is_clustered_by_at_most_four_plain_columns(table: Table) -> None:
    assert 0 < len(table.cluster_by) <= 4
    for name in table.cluster_by:
        assert table.column(name).mode != "REPEATED"
        assert table.column(name).type not in {"JSON", "STRUCT", "FLOAT64"}


@TABLES
def test_only_a_struct_has_fields_and_every_struct_has_some(table: Table) -> None:
    for column in walk(table.columns):
        assert (column.type == "STRUCT") is bool(column.fields), column.name


@TABLES
def test_every_table_and_column_says_what_it_holds(table: Table) -> None:
    for description in (table.description, *(column.description for column in walk(table.columns))):
        assert re.fullmatch(r"[A-Z0-9a-z].{2,1022}\.", description), description


@TABLES
def test_a_table_never_has_a_column_for_a_password(table: Table) -> None:
    assert not [column.name for column in walk(table.columns) if "pass" in column.name.lower()]


def test_columns_take_the_form_of_the_rest_api_with_its_names_of_types() -> None:
    columns = (
        Column("a", "INT64", "A number.", "REQUIRED"),
        Column("b", "STRUCT", "Lines.", "REPEATED", fields=(Column("c", "FLOAT64", "A share."),)),
        Column("d", "BOOL", "A flag."),
        Column("e", "NUMERIC", "Money."),
    )
    assert api_fields(columns) == [
        {"name": "a", "type": "INTEGER", "mode": "REQUIRED", "description": "A number."},
        {
            "name": "b",
            "type": "RECORD",
            "mode": "REPEATED",
            "description": "Lines.",
            "fields": [{"name": "c", "type": "FLOAT", "mode": "NULLABLE", "description": "A share."}],
        },
        {"name": "d", "type": "BOOLEAN", "mode": "NULLABLE", "description": "A flag."},
        {"name": "e", "type": "NUMERIC", "mode": "NULLABLE", "description": "Money."},
    ]


@TABLES
def test_googles_client_reads_the_columns_as_they_are_written(table: Table) -> None:
    fields = api_fields(table.columns)
    assert [SchemaField.from_api_repr(field).to_api_repr() for field in fields] == fields


def test_a_column_is_found_by_name_and_missing_ones_are_named() -> None:
    assert CART_EVENTS.column("cart_id").type == "INT64"
    with pytest.raises(KeyError, match="no_such"):
        CART_EVENTS.column("no_such")
