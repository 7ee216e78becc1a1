"""What is wanted against what is found. Pure: resources in the REST API's form go in, steps come out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dataplatform.errors import ConfigurationError
from dataplatform.schemas import Table, api_fields

Verb = Literal["create", "add column", "update", "grant", "unchanged"]

LABELS = {"managed-by": "ey-data-platform"}

_SAME_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
_WAY_OUT = "BigQuery can't change that in place: move the table away and provision again"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the plan."""

    verb: Verb
    resource: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a table needs: the steps, and the parts of its resource to send, by their names in the REST API."""

    steps: tuple[Step, ...]
    changes: Mapping[str, Any]


def table_resource(table: Table, name: str) -> dict[str, Any]:
    """Return a table to create, as the REST API takes it; `name` is `project.dataset.table`."""
    project, dataset, table_id = name.rsplit(".", 2)
    resource: dict[str, Any] = {
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table_id},
        "schema": {"fields": api_fields(table.columns)},
        "description": table.description,
        "labels": _labels(table),
    }
    if table.partition_by:
        resource["timePartitioning"] = {"type": "DAY", "field": table.partition_by}
    if table.cluster_by:
        resource["clustering"] = {"fields": list(table.cluster_by)}
    return resource


def plan_table(table: Table, name: str, found: Mapping[str, Any]) -> TablePlan:
    """Compare a table that exists with what it should be.

    Columns, labels and table properties that somebody else added are left alone.

    Raises:
        ConfigurationError: partitioning, a column's type or its mode differ, or a missing column is required.
    """
    _refuse_other_partitioning(table, name, found)
    merge = _Merge(name)
    fields = merge.fields("", api_fields(table.columns), found.get("schema", {}).get("fields", ()))
    steps = [Step("add column", f"table {name}", added) for added in merge.added]
    changes: dict[str, Any] = {}
    differing = []
    if merge.added or merge.described:
        changes["schema"] = {"fields": fields}
    if merge.described:
        differing.append(f"descriptions of {', '.join(merge.described)}")
    if found.get("description", "") != table.description:
        changes["description"] = table.description
        differing.append("description")
    if tuple(found.get("clustering", {}).get("fields", ())) != table.cluster_by:
        changes["clustering"] = {"fields": list(table.cluster_by)}
        differing.append(f"clustering by {', '.join(table.cluster_by)}")
    if labels := missing_labels(found.get("labels"), _labels(table)):
        changes["labels"] = labels
        differing.append("labels")
    if differing:
        steps.append(Step("update", f"table {name}", "; ".join(differing)))
    return TablePlan(tuple(steps) or (Step("unchanged", f"table {name}"),), changes)


def missing_labels(found: Mapping[str, str] | None, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return all labels to set, those of others included, or nothing when the wanted ones are there."""
    there = dict(found or {})
    return {} if there | dict(wanted) == there else there | dict(wanted)


def refuse_other_location(resource: str, found: str | None, wanted: str) -> None:
    """Refuse a dataset or bucket that lies elsewhere; loads and queries across locations fail.

    Raises:
        ConfigurationError: with a sentence that names both places.
    """
    if found and found.upper() != wanted.upper():
        raise ConfigurationError(
            f"{resource} is in {found} but EYDP_LOCATION is {wanted}, and a location can't be changed: set "
            f"EYDP_LOCATION to {found}, or choose another name for it"
        )


def summary(steps: Iterable[Step], *, done: bool = False) -> str:
    """Return one sentence about a plan."""
    changes = sum(step.verb != "unchanged" for step in steps)
    if not changes:
        return "nothing to change"
    return f"{changes} changed" if done else f"{changes} to change"


@dataclass(slots=True)
class _Merge:
    """The columns of one table, found and wanted, made into one list."""

    table: str
    added: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)

    def fields(
        self, prefix: str, wanted: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Return the found columns in their order, with our descriptions, and the missing ones after them."""
        ours = {column["name"]: column for column in wanted}
        result = []
        for there in found:
            column = ours.pop(there["name"], None)
            result.append(dict(there) if column is None else self._column(prefix + there["name"], column, there))
        for name, column in ours.items():
            if column["mode"] == "REQUIRED":
                raise ConfigurationError(
                    f"column {prefix}{name} of {self.table} is missing and required, and BigQuery adds only nullable "
                    "columns: move the table away and provision again"
                )
            self.added.append(f"{prefix}{name} {column['type']}")
            result.append(dict(column))
        return result

    def _column(self, path: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
        kind = _SAME_TYPES.get(found["type"], found["type"])
        mode = found.get("mode") or "NULLABLE"
        # A required column that was relaxed takes every row that it took before, and BigQuery can't tighten it again.
        relaxed = mode == "NULLABLE" and wanted["mode"] == "REQUIRED"
        if kind != wanted["type"] or (mode != wanted["mode"] and not relaxed):
            raise ConfigurationError(
                f"column {path} of {self.table} is {mode} {kind} but should be {wanted['mode']} {wanted['type']}; "
                f"{_WAY_OUT}"
            )
        merged = dict(found)
        if found.get("description", "") != wanted["description"]:
            merged["description"] = wanted["description"]
            self.described.append(path)
        if "fields" in wanted:
            merged["fields"] = self.fields(f"{path}.", wanted["fields"], found.get("fields", ()))
        return merged


def _labels(table: Table) -> dict[str, str]:
    return {**LABELS, **(table.labels or {})}


def _refuse_other_partitioning(table: Table, name: str, found: Mapping[str, Any]) -> None:
    by = found.get("timePartitioning")
    there = f"{by.get('type', 'DAY').lower()} of {by.get('field', 'arrival')}" if by else "nothing"
    if "rangePartitioning" in found:
        there = f"ranges of {found['rangePartitioning'].get('field')}"
    wanted = f"day of {table.partition_by}" if table.partition_by else "nothing"
    if there != wanted:
        raise ConfigurationError(f"{name} is partitioned by {there} but should be by {wanted}; {_WAY_OUT}")
