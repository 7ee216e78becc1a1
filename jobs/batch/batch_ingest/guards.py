"""Guards: what must hold before a table is changed. A load that is refused leaves the table as it was."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from batch_ingest.entities import Entity
from batch_ingest.findings import Findings
from batch_ingest.receipt import Receipt
from batch_ingest.settings import BatchSettings
from batch_ingest.tablestate import Loaded
from dataplatform.errors import InvalidDataError
from dataplatform.logs import logger

Guard = Literal["no_records", "older_than_table", "schema_changed", "too_many_invalid", "too_few", "duplicate_ids"]
GUARDS: tuple[Guard, ...] = get_args(Guard)

_SCHEMA_FAULTS = ("missing_field", "wrong_type")
_SHOWN_FIELDS = 10


class RefusedError(InvalidDataError):
    """A guard tripped; the message names it, its numbers and what to do."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the guards judge: what came, what the table holds, and the limits."""

    receipt: Receipt
    held: Loaded | None
    settings: BatchSettings
    intact: bool = True
    """Whether the table still holds what its last load left there."""

    @property
    def entity(self) -> Entity:
        """Return the kind of record."""
        return self.receipt.run.entity

    @property
    def findings(self) -> Findings:
        """Return what was found in the answer."""
        return self.receipt.findings


def check(case: Case, allowed: Collection[str] = ()) -> None:
    """Return when the records may go into the table. A guard in `allowed` only warns.

    Raises:
        RefusedError: with the first guard that trips, in the order of `GUARDS`.
    """
    for guard, why in _tripped(case):
        if guard not in allowed:
            raise RefusedError(
                f"{case.entity.name} were not loaded and the table is as it was (guard {guard}): {why}; "
                f"--allow {guard} loads them nevertheless"
            )
        logger().warning("guard overridden", entity=case.entity.name, guard=guard, why=why)


def new_fields(entity: Entity, findings: Findings, held: Loaded | None) -> list[str]:
    """Return fields that neither the contract nor the last load knows; they are kept in the payload."""
    known = entity.fields | entity.unused | set(held.fields if held else ())
    return sorted(set(findings.fields) - known)[:_SHOWN_FIELDS]


def _tripped(case: Case) -> Iterator[tuple[Guard, str]]:
    for guard in GUARDS:
        if why := _JUDGES[guard](case):
            yield guard, why


def _no_records(case: Case) -> str | None:
    return None if case.findings.count else "the source sent no record"


def _older_than_table(case: Case) -> str | None:
    day = case.receipt.run.day
    if case.held is None or day >= case.held.day or not case.intact:
        return None
    return f"the run is of {day}, and the table holds {case.held.day} already"


def _schema_changed(case: Case) -> str | None:
    """Tell a field that (nearly) all records miss or have in another type.

    A field that the contract requires, or whose type changed, makes records invalid. One that may be missing is
    compared with the last load.
    """
    found, limit = case.findings, case.settings.max_schema_ratio
    allows = f"{case.settings.variable('max_schema_ratio')} allows a share of {limit:g}"
    for where, detail, times in found.faults:
        if where and detail.startswith(_SCHEMA_FAULTS) and times > limit * found.count:
            return f"{times} of {found.count} records have another {where}: {detail}; {allows}"
    if case.held is None or not found.count or not case.held.records:
        return None
    for name in sorted(case.entity.fields & case.held.fields.keys()):
        had, has = case.held.fields[name], found.fields.get(name, 0)
        if had > limit * case.held.records and found.count - has > limit * found.count:
            return (
                f"{found.count - has} of {found.count} records have no {name}, which {had} of {case.held.records} "
                f"had in the last load; {allows}"
            )
    return None


def _too_many_invalid(case: Case) -> str | None:
    found, limit = case.findings, case.settings.max_invalid_ratio
    if not found.count or (found.valid and found.invalid <= limit * found.count):
        return None
    (where, detail, times), *_ = found.faults
    return (
        f"{found.invalid} of {found.count} records are invalid, {times} of them with {detail or where}; "
        f"{case.settings.variable('max_invalid_ratio')} allows a share of {limit:g}, "
        "and at least one record must be valid"
    )


def _too_few(case: Case) -> str | None:
    limit = case.settings.min_last_share
    if case.held is None or case.findings.rows >= limit * case.held.rows:
        return None
    return (
        f"{case.findings.rows} records are less than a share of {limit:g} of the {case.held.rows} that the last load "
        f"had ({case.settings.variable('min_last_share')})"
    )


def _duplicate_ids(case: Case) -> str | None:
    found = case.findings
    if not found.repeated_count:
        return None
    shown = ", ".join(str(number) for number in found.repeated)
    more = ", …" if found.repeated_count > len(found.repeated) else ""
    return f"{found.repeated_count} ids came more than once: {shown}{more}; the source must mend that"


_JUDGES: dict[Guard, Callable[[Case], str | None]] = {
    "no_records": _no_records,
    "older_than_table": _older_than_table,
    "schema_changed": _schema_changed,
    "too_many_invalid": _too_many_invalid,
    "too_few": _too_few,
    "duplicate_ids": _duplicate_ids,
}
