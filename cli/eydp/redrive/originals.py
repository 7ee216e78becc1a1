"""The original messages of quarantine entries: from the table, or from the object when a row can't hold them."""

import base64
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataplatform.envelope import read_lines
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone
from eydp.redrive.entries import Entries, Entry

#: Entries whose originals are in memory at once, and what they may weigh together.
MAX_ENTRIES = 500
MAX_BYTES = 9_000_000
#: What an entry is taken for whose row does not hold its original: twenty of the largest are 200 MB.
_UNKNOWN_BYTES = MAX_BYTES // 20


@dataclass(frozen=True, slots=True)
class Original:
    """What was received: the bytes, the attributes, and the Pub/Sub message id when there was one."""

    data: bytes
    attributes: Mapping[str, str]
    message_id: str
    raw_uri: str


def batches(entries: Iterable[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield the entries in order, in groups whose originals may be held in memory together."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        weight = entry.encoded * 3 // 4 or _UNKNOWN_BYTES
        if batch and (len(batch) == MAX_ENTRIES or size + weight > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += weight
    if batch:
        yield batch


class Originals:
    """Reads originals back."""

    def __init__(self, entries: Entries, zone: RawZone) -> None:
        self._entries = entries
        self._zone = zone

    async def of(self, batch: Sequence[Entry]) -> dict[str, Original]:
        """Return the originals of a few entries by id.

        Raises:
            InvalidDataError: an object of quarantine is missing or does not hold its entry.
        """
        since = min(entry.quarantined_at for entry in batch)
        rows: dict[str, dict[str, Any]] = {}
        for row in await self._entries.rows([entry.id for entry in batch], since=since):
            rows.setdefault(row["quarantine_id"], row)  # the latest stands first
        return {entry_id: await self.of_row(row) for entry_id, row in rows.items()}

    async def of_row(self, row: Mapping[str, Any]) -> Original:
        """Return the original of one row of `bq_raw.quarantine`. Raises what `of` raises."""
        data = base64.b64decode(row["original"])
        if not data:
            data = await self._from_object(row["raw_uri"], row["quarantine_id"])
        return Original(data, attributes_of(row), row["message_id"] or "", row["raw_uri"])

    async def _from_object(self, uri: str, entry_id: str) -> bytes:
        prefix = self._zone.uri("")
        found = await self._zone.read(uri.removeprefix(prefix)) if uri.startswith(prefix) else None
        if found is None:
            raise InvalidDataError(f"{uri}, which holds the bytes of entry {entry_id}, is not there")
        for line in read_lines(gzip.decompress(found.data)):
            if line.fields.get("quarantine_id") == entry_id:
                return line.payload
        raise InvalidDataError(f"{uri} does not hold entry {entry_id}")


def attributes_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes of a quarantine row; records of a batch have none."""
    found = row["attributes"]
    if isinstance(found, str):
        found = json.loads(found)
    return {str(name): str(value) for name, value in (found or {}).items()}
