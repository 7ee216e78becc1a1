"""What is wanted against what is found. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dataplatform.errors import ConfigurationError
from dataplatform.schemas import Column, Table, api_fields

Verb = Literal["create", "add column", "describe", "update", "unchanged"]

_SAME_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the plan."""

    verb: Verb
    resource: str
    detail: str = ""


def columns_to_add(table: Table, name: str, found: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return the columns that a table lacks.

    `found` are the table's columns in the REST API's form.

    Raises:
        ConfigurationError: a column has another type or mode, or a missing one is not nullable.
    """
    there = {field["name"]: field for field in found}
    missing = []
    for column, wanted in zip(table.columns, api_fields(table.columns), strict=True):
        field = there.get(column.name)
        if field is None:
            if column.mode == "REQUIRED":
                raise ConfigurationError(
                    f"column {column.name} of {name} is missing and required, and BigQuery adds only nullable "
                    "columns: move the table away and provision again, then rebuild it from the raw zone"
                )
            missing.append(column)
        else:
            _compare(name, column.name, wanted, field)
    return missing


def _compare(table: str, path: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    kind = _SAME_TYPES.get(found["type"], found["type"])
    mode = found.get("mode") or "NULLABLE"
    # A required column that was relaxed takes every row that it took before, and BigQuery can't tighten it again.
    relaxed = mode == "NULLABLE" and wanted["mode"] == "REQUIRED"
    if kind != wanted["type"] or (mode != wanted["mode"] and not relaxed):
        raise ConfigurationError(
            f"column {path} of {table} is {mode} {kind} but should be {wanted['mode']} {wanted['type']}; BigQuery "
            "can't change that in place: move the table away and provision again, then rebuild it from the raw zone"
        )
    inner = {field["name"]: field for field in found.get("fields", ())}
    for field in wanted.get("fields", ()):
        if field["name"] in inner:
            _compare(table, f"{path}.{field['name']}", field, inner[field["name"]])


def partitioning_agrees(table: Table, name: str, found: str | None) -> None:
    """Refuse a table that is partitioned by another column than it should be.

    Raises:
        ConfigurationError: with a sentence that names both.
    """
    if found != table.partition_by:
        raise ConfigurationError(
            f"{name} is partitioned by {found or 'nothing'} but should be by {table.partition_by or 'nothing'}; "
            "BigQuery can't change that in place: move the table away and provision again"
        )


def summary(steps: Iterable[Step]) -> str:
    """Return one sentence about a plan."""
    changes = [step for step in steps if step.verb != "unchanged"]
    return f"{len(changes)} to change" if changes else "nothing to change"
