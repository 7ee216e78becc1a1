"""Quarantine: records that can't become rows, kept with reason and bytes in the bucket and in BigQuery."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from batch_ingest.identity import Run
from batch_ingest.parts import Part, compressed, groups
from batch_ingest.records import MAX_RECORD_BYTES, Invalid
from dataplatform.clock import rfc3339
from dataplatform.envelope import opaque_line
from dataplatform.rawzone import RawZone, digest, quarantine_object

STAGE = "parse"

#: The rows of one object go with their load job; base64 makes them larger by a half.
_MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Set:
    """An object of quarantined records and the rows of `bq_raw.quarantine` that point to it."""

    part: Part
    rows: list[dict[str, Any]]
    key: str
    """Digest of what is in it, the end of its name."""


def build(run: Run, invalid: Sequence[Invalid], zone: RawZone) -> Iterator[Set]:
    """Yield the records in sets of a few megabytes. The same run always makes the same sets."""
    items = sorted(invalid, key=lambda item: (item.payload, item.reason))
    rest = iter(items)
    for group in groups((_line(run, item) for item in items), _MAX_BYTES):
        key = digest(b"".join(group))
        name = quarantine_object(run.entity.name, run.received_at, key)
        rows = [_row(run, item, zone.uri(name)) for item in islice(rest, len(group))]
        yield Set(compressed(name, group), rows, key)


def quarantine_id(run: Run, item: Invalid) -> str:
    """Return the stable id of a record: the same bytes from the same place."""
    return digest(f"{run.source}/{run.entity.name}".encode() + b"\0" + item.payload)


def _line(run: Run, item: Invalid) -> bytes:
    fields = {
        "quarantine_id": quarantine_id(run, item),
        "stage": STAGE,
        "reason": item.reason,
        "detail": item.detail,
        "source": run.source,
        "run_id": run.run_id,
        "quarantined_at": rfc3339(run.received_at),
    }
    return opaque_line(fields, item.payload)


def _row(run: Run, item: Invalid, uri: str) -> dict[str, Any]:
    # What is too large for a row of the entity's table is too large here: the object alone holds it.
    original = b"" if len(item.payload) > MAX_RECORD_BYTES else item.payload
    return {
        "quarantine_id": quarantine_id(run, item),
        "entity": run.entity.name,
        "stage": STAGE,
        "reason": item.reason,
        "detail": item.detail,
        "source": run.source,
        "original": base64.b64encode(original).decode(),
        "quarantined_at": rfc3339(run.received_at),
        "raw_uri": uri,
    }
