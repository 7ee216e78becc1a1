"""A bucket, tables and a shop in memory, for runs by the hundred. The tables follow the MERGE that `merge.py` writes.

An integration test compares these tables with what the statement does in BigQuery's emulator.
"""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from prometheus_client import CollectorRegistry

from batch_ingest.entities import ENTITIES, Entity
from batch_ingest.identity import Run
from batch_ingest.report import Report
from batch_ingest.run import Batch
from batch_ingest.settings import BatchSettings
from dataplatform.clock import rfc3339
from dataplatform.envelope import read_lines
from dataplatform.errors import InvalidDataError
from dataplatform.metrics import BatchMetrics
from dataplatform.rawzone import Versioned
from dataplatform.source import RawRecord
from support.clock import FakeClock

from .records import DAY, raw

type Row = dict[str, Any]


class StillClock(FakeClock):
    """Time passes only between runs: a lease is never renewed, so that two worlds have the same times."""

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the length of a sleep that never ends
        await asyncio.Event().wait()


class DeathError(BaseException):
    """The process ends here."""


class Steps:
    """Counts what a run does to the world outside; at step `dies_at` it dies, before or after it is done."""

    def __init__(self) -> None:
        self.taken = 0
        self.dies_at: int | None = None
        self.after = False

    def begin(self) -> None:
        self.taken += 1
        if self.taken == self.dies_at and not self.after:
            raise DeathError

    def end(self) -> None:
        if self.taken == self.dies_at and self.after:
            raise DeathError


class Zone:
    """A bucket with generations."""

    def __init__(self, steps: Steps) -> None:
        self.objects: dict[str, Versioned] = {}
        self._steps = steps
        self._writes = 0

    def uri(self, name: str) -> str:
        return f"gs://bucket/{name}"

    async def create(self, name: str, data: bytes, **_: Any) -> bool:
        if (found := self.objects.get(name)) is None:
            return await self.replace(name, data, generation=0) is not None
        if found.data != data:
            raise InvalidDataError(f"{name} exists with other content")
        return False

    async def read(self, name: str) -> Versioned | None:
        return self.objects.get(name)

    async def replace(self, name: str, data: bytes, *, generation: int) -> int | None:
        if name.endswith("/lease.json"):
            return self._write(name, data, generation)
        self._steps.begin()
        written = self._write(name, data, generation)
        self._steps.end()
        return written

    def _write(self, name: str, data: bytes, generation: int) -> int | None:
        found = self.objects.get(name)
        if (found.generation if found else 0) != generation:
            return None
        self._writes += 1
        self.objects[name] = Versioned(data, self._writes)
        return self._writes

    async def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.objects if name.startswith(prefix))


class Tables:
    """What the loader fills: the table by id, quarantine by object, the audit."""

    def __init__(self, zone: Zone, steps: Steps) -> None:
        self._zone = zone
        self._steps = steps
        self.table: dict[int, Row] = {}
        self.quarantined: dict[str, list[Row]] = {}
        self.audits: list[Row] = []
        self.loaded_bytes = 0
        self.merges = 0

    async def rows(self, _: Entity) -> int:
        return sum(not row["_deleted"] for row in self.table.values())

    async def merge(
        self, run: Run, uris: Sequence[str], count: int, *, key: str, removed: Sequence[int] | None = None
    ) -> list[str]:
        self._steps.begin()
        came: dict[int, Row] = {}
        lines = 0
        for uri in uris:
            data = self._zone.objects[uri.removeprefix("gs://bucket/")].data
            self.loaded_bytes += len(data)
            for line in read_lines(gzip.decompress(data)):
                lines += 1
                row = {**line.fields, "payload": json.loads(line.payload)}
                if row["id"] not in came or row["_digest"] < came[row["id"]]["_digest"]:
                    came[row["id"]] = row
        assert lines == count
        at = rfc3339(run.received_at)
        for number, row in came.items():
            held = self.table.get(number)
            if held is None or held["_deleted"] or held["_digest"] != row["_digest"]:
                stamp = {"run_id": run.run_id, "ingested_at": at, "valid_from": at, "_deleted": False}
                self.table[number] = {**row, **stamp}
        for number, row in self.table.items():
            if number not in came and not row["_deleted"] and (removed is None or number in removed):
                row.update(_deleted=True, valid_from=at)
        self.merges += 1
        self._steps.end()
        return [f"merge_{key}"]

    async def clear(self, _: Entity) -> None:
        self._steps.begin()
        self._steps.end()

    async def quarantine(self, _: Run, uri: str, rows: Sequence[Row]) -> list[str]:
        self._steps.begin()
        new = uri not in self.quarantined
        self.quarantined[uri] = list(rows)
        self._steps.end()
        return ["quarantine"] * new

    async def audit(self, row: Row, key: str) -> None:
        self._steps.begin()
        self.audits.append({**row, "key": key})
        self._steps.end()


class Shop:
    """Answers with its records, a few at a time."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    async def stream(self, _: str, take: Callable[[AsyncIterator[list[RawRecord]]], Any]) -> Any:
        async def chunks() -> AsyncIterator[list[RawRecord]]:
            for at in range(0, len(self.records), 3):
                yield [raw(record) for record in self.records[at : at + 3]]

        return await take(chunks())


@dataclass
class World:
    """All of it. The clock moves by a minute with each run."""

    steps: Steps = field(default_factory=Steps)
    shop: Shop = field(default_factory=Shop)
    clock: StillClock = field(default_factory=StillClock)

    def __post_init__(self) -> None:
        self.zone = Zone(self.steps)
        self.tables = Tables(self.zone, self.steps)

    def batch(self, allowed: Sequence[str] = (), **settings: Any) -> Batch:
        outside: Any = self
        return Batch(
            source=outside.shop,
            source_name="fakestore",
            zone=outside.zone,
            loader=outside.tables,
            settings=BatchSettings(**{"part_max_bytes": 700, "lease_seconds": 1e6, "min_last_share": 0, **settings}),
            clock=self.clock,
            metrics=BatchMetrics(CollectorRegistry()),
            allowed=allowed,
        )

    runs: list[date] = field(default_factory=list)
    """The days of all runs that began."""

    async def load(self, records: Sequence[Any], day: date = DAY, **settings: Any) -> Report:
        """Run once over what the shop has; nobody else holds the lease."""
        self.runs.append(day)
        self.shop.records = list(records)
        self.clock.advance(60)
        self.zone.objects.pop("_state/batch/products/lease.json", None)
        return await self.batch(**settings).run(ENTITIES["products"], day)

    @property
    def content(self) -> Mapping[int, Row]:
        """Return the table without what depends on which parts records are in."""
        return {number: {**row, "raw_uri": ""} for number, row in sorted(self.tables.table.items())}
