"""The receipt of a run: all its records are in the bucket, in these objects, and this is what was found in them.

It is written once, after everything that it lists. Later tries of the same run, guards and loads go by it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from isal import igzip

from batch_ingest.entities import Entity
from batch_ingest.findings import Findings
from batch_ingest.identity import Run, receipts
from batch_ingest.index import ENTRY_BYTES, Index
from batch_ingest.parts import Part
from dataplatform.clock import rfc3339
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is in the bucket of one run."""

    run: Run
    findings: Findings
    parts: Sequence[Part]
    quarantined: Sequence[tuple[str, int]]
    """Names and sizes in bytes of the objects of quarantined records."""
    baseline: str | None
    """The run that the parts were compared with: those that are not `changed` hold what it held too."""

    @property
    def bytes(self) -> int:
        """Return the compressed bytes of the parts and of the quarantine."""
        return sum(part.bytes for part in self.parts) + sum(size for _, size in self.quarantined)

    def described(self) -> dict[str, Any]:
        """Return it as JSON takes it; the manifest says the same and more."""
        run = self.run
        return {
            "entity": run.entity.name,
            "run_id": run.run_id,
            "logical_date": run.day.isoformat(),
            "source": run.source,
            "received_at": rfc3339(run.received_at),
            **self.findings.described(),
            "baseline": self.baseline,
            "index": run.index,
            "parts": [part.described() for part in self.parts],
            "quarantine": [{"name": name, "bytes": size} for name, size in self.quarantined],
        }

    @classmethod
    def read(cls, entity: Entity, state: dict[str, Any]) -> Self:
        """Return what `described` said. Raises KeyError, TypeError or ValueError when it did not."""
        run = Run(
            entity,
            date.fromisoformat(state["logical_date"]),
            str(state["run_id"]),
            str(state["source"]),
            datetime.fromisoformat(state["received_at"]),
        )
        return cls(
            run,
            Findings.read(state),
            [Part.read(part) for part in state["parts"]],
            [(str(each["name"]), int(each["bytes"])) for each in state["quarantine"]],
            state["baseline"],
        )


async def find(zone: RawZone, entity: Entity, name: str) -> Receipt | None:
    """Return the receipt, or manifest, of an object name; None when there is none.

    Raises:
        InvalidDataError: the object can't be read.
        UnavailableError: the bucket did not answer within the retry deadline.
    """
    found = await zone.read(name)
    if found is None:
        return None
    try:
        return Receipt.read(entity, json.loads(found.data))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidDataError(f"{zone.uri(name)} is not the receipt of a run: {error!r}") from error


async def of_day(zone: RawZone, entity: Entity, day: date) -> Receipt | None:
    """Return the receipt of the day's run that was received last; None when there is none. Raises as `find`."""
    names = [name for name in await zone.names(receipts(entity, day)) if name.endswith(".json")]
    found = [receipt for name in names if (receipt := await find(zone, entity, name))]
    return max(found, key=lambda receipt: receipt.run.received_at, default=None)


async def settle(zone: RawZone, receipt: Receipt) -> Receipt:
    """Write a receipt, unless the run has one already; return the one that counts. Raises as `find`."""
    name = receipt.run.receipt
    if await zone.replace(name, json.dumps(receipt.described()).encode(), generation=0) is not None:
        return receipt
    return await find(zone, receipt.run.entity, name) or receipt


async def read_index(zone: RawZone, name: str) -> Index | None:
    """Return the index of a run, or None when there is none.

    Raises:
        InvalidDataError: the object can't be read.
        UnavailableError: the bucket did not answer within the retry deadline.
    """
    found = await zone.read(name)
    if found is None:
        return None
    try:
        index = Index(igzip.decompress(found.data))
    except (OSError, EOFError) as error:
        raise InvalidDataError(f"{zone.uri(name)} is not the index of a run: {error}") from error
    if len(index.data) % ENTRY_BYTES:
        raise InvalidDataError(f"{zone.uri(name)} is not the index of a run: it is cut off")
    return index
