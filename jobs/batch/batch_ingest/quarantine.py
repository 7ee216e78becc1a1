"""Quarantine: records that can't become rows, kept with reason and bytes in the bucket and in BigQuery."""

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, Any

from isal import igzip

from batch_ingest.identity import Run
from batch_ingest.parts import compressed
from batch_ingest.records import MAX_RECORD_BYTES, Invalid
from dataplatform.clock import rfc3339
from dataplatform.envelope import opaque_line, read_lines
from dataplatform.rawzone import RawZone, digest, quarantine_object

STAGE = "parse"

#: The rows of one object go with their load job; base64 makes them larger by a half.
_MAX_BYTES = 4 << 20
_IN_MEMORY_BYTES = 8 << 20


class Spool:
    """Holds the invalid records of an answer until the run has a name; many of them go to a temporary file."""

    def __init__(self) -> None:
        self._file: IO[bytes] = BytesIO()
        self._spilled = False
        self._sum = 0

    def add(self, item: Invalid) -> None:
        """Take a record."""
        entry = [item.reason, item.detail, base64.b64encode(item.payload).decode()]
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._sum += int.from_bytes(blake2b(item.payload, digest_size=8).digest())
        if not self._spilled and self._file.tell() > _IN_MEMORY_BYTES:
            self._spill()

    def _spill(self) -> None:
        self._file.seek(0)
        file = TemporaryFile()  # noqa: SIM115 - closed with the spool
        shutil.copyfileobj(self._file, file)
        self._file, self._spilled = file, True

    @property
    def digest(self) -> bytes:
        """Return a digest of the payloads, whatever their order was: equal to eight zeros when there is none."""
        return (self._sum % 2**64).to_bytes(8)

    def items(self) -> Iterator[Invalid]:
        """Yield the records in the order of the answer."""
        self._file.seek(0)
        for line in self._file:
            reason, detail, payload = json.loads(line)
            yield Invalid(base64.b64decode(payload), reason, detail)

    def close(self) -> None:
        """Forget the records."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Set:
    """An object of quarantined records, ready to be written."""

    name: str
    data: bytes
    count: int


def build(run: Run, spool: Spool) -> Iterator[Set]:
    """Yield the records in sets of a few megabytes. The same run in the same order makes the same sets."""
    lines: list[bytes] = []
    size = 0
    for item in spool.items():
        line = _line(run, item)
        if lines and size + len(line) > _MAX_BYTES:
            yield _set(run, lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield _set(run, lines)


def quarantine_id(source: str, entity: str, payload: bytes) -> str:
    """Return the stable id of a record: the same bytes from the same place."""
    return digest(f"{source}/{entity}".encode() + b"\0" + payload)


def rows(entity: str, data: bytes, uri: str) -> list[dict[str, Any]]:
    """Return the rows of `bq_raw.quarantine` of an object of quarantined records, read back from `uri`.

    Raises:
        ValueError: it is no such object.
        KeyError: likewise.
        OSError: it can't be decompressed.
    """
    return [
        {
            **{name: line.fields[name] for name in ("quarantine_id", "stage", "reason", "detail", "source")},
            "entity": entity,
            # What is too large for a row of the entity's table is too large here: the object alone holds it.
            "original": base64.b64encode(b"" if len(line.payload) > MAX_RECORD_BYTES else line.payload).decode(),
            "quarantined_at": line.fields["quarantined_at"],
            "raw_uri": uri,
        }
        for line in read_lines(igzip.decompress(data))
    ]


async def store(zone: RawZone, run: Run, spool: Spool) -> list[tuple[str, int]]:
    """Write all sets of a run; return their names and sizes in bytes. Raises what `RawZone.create` raises."""
    stored = []
    for each in build(run, spool):
        await zone.create(each.name, each.data, metadata={"count": str(each.count)})
        stored.append((each.name, len(each.data)))
    return stored


def _set(run: Run, lines: list[bytes]) -> Set:
    text = b"".join(lines)
    name = quarantine_object(run.entity.name, run.received_at, digest(text))
    return Set(name, compressed(text), len(lines))


def _line(run: Run, item: Invalid) -> bytes:
    fields = {
        "quarantine_id": quarantine_id(run.source, run.entity.name, item.payload),
        "stage": STAGE,
        "reason": item.reason,
        "detail": item.detail,
        "source": run.source,
        "run_id": run.run_id,
        "quarantined_at": rfc3339(run.received_at),
    }
    return opaque_line(fields, item.payload)
