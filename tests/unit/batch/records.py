"""Records as the source client reads them, and what the loader makes of them."""

import json
from typing import Any

from batch_ingest import records
from batch_ingest.entities import ENTITIES
from batch_ingest.records import Answer
from dataplatform.envelope import Line, read_lines
from dataplatform.source import RawRecord
from localcloud.fakestore.data import real_records


def raw(value: Any, text: str | None = None) -> RawRecord:
    return RawRecord(value, json.dumps(value) if text is None else text)


def raw_text(text: str) -> RawRecord:
    return RawRecord(json.loads(text), text)


def product(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "title": "Chair", "price": 12.5, "category": "seats", **changes}


def user(**changes: Any) -> dict[str, Any]:
    return {**real_records("users")[0], **changes}


def read(entity: str, *received: RawRecord) -> Answer:
    return records.read(ENTITIES[entity], received)


def line(answer: Answer, number: int = 0) -> Line:
    (found,) = read_lines(answer.valid[number].line)
    return found
