"""Records as the source client reads them, and what the loader makes of them."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from batch_ingest.entities import ENTITIES
from batch_ingest.findings import Findings
from batch_ingest.identity import Run
from batch_ingest.index import Index
from batch_ingest.intake import Intake, Taken
from batch_ingest.parts import Part
from batch_ingest.personal import Protect
from batch_ingest.progress import Progress
from batch_ingest.receipt import Receipt
from batch_ingest.records import Invalid, Reader, Valid
from dataplatform.clock import SystemClock
from dataplatform.envelope import Line, read_lines
from dataplatform.rawzone import Versioned
from dataplatform.source import RawRecord
from localcloud.fakestore.data import real_records

DAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


def raw(value: Any, text: str | None = None) -> RawRecord:
    return RawRecord(value, json.dumps(value) if text is None else text)


def raw_text(text: str) -> RawRecord:
    return RawRecord(json.loads(text), text)


def product(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "title": "Chair", "price": 12.5, "category": "seats", **changes}


def user(**changes: Any) -> dict[str, Any]:
    return {**real_records("users")[0], **changes}


def run(entity: str = "products", run_id: str = "20261124-ab", day: date = DAY) -> Run:
    return Run(ENTITIES[entity], day, run_id, "fakestore", NOW)


def receipt(findings: Findings, parts: Iterable[Part] = (), **of_run: Any) -> Receipt:
    return Receipt(run(**of_run), findings, list(parts), [], None)


@dataclass
class Answer:
    """What a reader made of records."""

    valid: list[Valid]
    invalid: list[Invalid]


def read(entity: str, *received: RawRecord, source: str = "fakestore", protect: Protect | None = None) -> Answer:
    reader = Reader(ENTITIES[entity], source, protect)
    found = [reader.read(each) for each in received]
    return Answer(
        [each for each in found if isinstance(each, Valid)], [each for each in found if isinstance(each, Invalid)]
    )


def line(answer: Answer, number: int = 0) -> Line:
    (found,) = read_lines(b"{" + answer.valid[number].line)
    return found


class Bucket:
    """A bucket in memory, which takes what it is given."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.counts: dict[str, str] = {}

    def uri(self, name: str) -> str:
        return f"gs://bucket/{name}"

    async def create(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None, **_: Any) -> bool:
        new = name not in self.objects
        self.objects[name] = data
        self.counts[name] = (metadata or {}).get("count", "")
        return new

    async def read(self, name: str) -> Versioned | None:
        return Versioned(self.objects[name], 1) if name in self.objects else None


def intake(
    bucket: Any, entity: str = "products", *, max_bytes: int = 1 << 20, earlier: Index | None = None, at_once: int = 2
) -> Intake:
    return Intake(
        ENTITIES[entity],
        DAY,
        Reader(ENTITIES[entity], "fakestore"),
        bucket,
        max_bytes,
        at_once,
        lambda: Progress(entity, SystemClock(), every_seconds=60),
        earlier,
    )


async def chunks(*groups: Iterable[RawRecord]) -> AsyncIterator[list[RawRecord]]:
    for group in groups:
        yield list(group)


async def take(bucket: Any, *records: RawRecord, **options: Any) -> Taken:
    return await intake(bucket, **options).take(chunks(records))
