"""The objects of the raw zone in which a user is: found, written anew without the user, and the old ones deleted.

What is written anew is named by its content, like every object, so doing it twice makes the same objects.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from datetime import date, datetime

from batch_ingest import receipt
from batch_ingest.entities import ENTITIES
from batch_ingest.parts import compressed, store
from dataplatform.envelope import read_lines
from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.rawzone import RawZone, batch_object, digest, quarantine_object
from eydp.archive.bucket import Bucket, Stored
from eydp.forget.person import Person
from eydp.forget.receipts import Moved, index_without, without
from eydp.replay.feeds import Counts, Progress
from eydp.replay.quarantined import day_of

_USERS = ENTITIES["users"]
QUARANTINED = f"quarantine/{_USERS.name}/"
#: Where the loader keeps what it knows of its runs, and where it says which were loaded.
_KNOWN = (f"_state/batch/{_USERS.name}/dt=", f"_manifests/{_USERS.name}/")


class Objects:
    """The users' part of one bucket. Hold the loader's lease while it is at work."""

    def __init__(self, zone: RawZone, bucket: Bucket, person: Person, progress: Progress) -> None:
        self._zone = zone
        self._bucket = bucket
        self._person = person
        self._progress = progress
        self.counts = Counts()
        """What was read."""
        self._old: list[Stored] = []

    async def parts(self) -> dict[str, Moved]:
        """Write anew every part that has a line of the user's; return old names with what they became.

        Raises:
            InvalidDataError: an object can't be read.
        """
        moved: dict[str, Moved] = {}
        for stored in await self._bucket.objects(f"{_USERS.name}/dt="):
            text = await self._text(stored.name)
            lines = text.splitlines(keepends=True)
            if self._person.needle in text:
                try:
                    kept = [line for line in lines if not self._person.has_line(line)]
                    if len(kept) < len(lines):
                        moved[stored.name] = await self._part(stored.name, kept, len(lines) - len(kept))
                        self._old.append(stored)
                except (ValueError, KeyError, TypeError) as error:
                    raise InvalidDataError(f"{self._zone.uri(stored.name)} is no part: {error}") from error
            self._read(len(lines))
        return moved

    async def _part(self, name: str, lines: Sequence[bytes], removed: int) -> Moved:
        if not lines:
            return Moved(removed)
        old = _head(self._zone, name)
        if not all(line.startswith(old) for line in lines):
            raise ValueError("a line does not begin with the object's address")
        key = digest(b"".join(bytes.fromhex(json.loads(line)["_digest"]) for line in lines))
        new = batch_object(_USERS.name, date.fromisoformat(name.split("/")[1].removeprefix("dt=")), key)
        head = _head(self._zone, new)
        text = b"".join(head + line.removeprefix(old) for line in lines)
        data = await store(self._zone, new, compressed(text), count=len(lines))
        return Moved(removed, new, len(data), len(lines), key, _md5(data))

    async def quarantined(self) -> dict[str, set[str]]:
        """Return the names of the objects of quarantine with a record of the user's, and the ids of those records.

        Call it after `parts`, which learns what tells the user. Raises what `parts` raises.
        """
        found: dict[str, set[str]] = {}
        for stored in await self._bucket.objects(QUARANTINED):
            count = 0
            try:
                for line in read_lines(await self._text(stored.name)):
                    count += 1
                    key = line.fields["quarantine_id"]
                    if self._person.has_quarantined(key, line.fields.get("source"), line.payload):
                        found.setdefault(stored.name, set()).add(key)
            except (ValueError, KeyError) as error:
                raise InvalidDataError(f"{self._zone.uri(stored.name)} can't be read: {error}") from error
            self._read(count)
        return found

    async def without(self, name: str, ids: set[str]) -> Moved:
        """Write an object of quarantine anew without some records; return what it became."""
        lines = (await self._text(name)).splitlines(keepends=True)
        kept = [line for line in lines if json.loads(line)["quarantine_id"] not in ids]
        self._old += [each for each in await self._bucket.objects(name) if each.name == name]
        removed = len(lines) - len(kept)
        if not kept:
            return Moved(removed)
        text = b"".join(kept)
        day = datetime.fromisoformat(f"{day_of(name).isoformat()}T00:00:00+00:00")
        new = quarantine_object(_USERS.name, day, digest(text))
        return Moved(removed, new, len(await store(self._zone, new, compressed(text), count=len(kept))), len(kept))

    async def tell_runs(self, moved: dict[str, Moved]) -> int:
        """Let receipts, manifests and indexes of runs say what is there now; return how many changed.

        Raises:
            BusyError: another process changed one at the same moment.
            InvalidDataError: one can't be read.
        """
        changed = 0
        for name in [name for prefix in _KNOWN for name in await self._zone.names(prefix)]:
            found = await self._zone.read(name)
            if found is None:
                continue
            if name.endswith(".digests"):
                index = await receipt.read_index(self._zone, name)
                entries = index_without(index, self._person.id) if index else None
                data = compressed(entries) if entries is not None else None
            else:
                try:
                    told = without(json.loads(found.data), moved, self._person.id)
                except (ValueError, KeyError, TypeError) as error:
                    raise InvalidDataError(f"{self._zone.uri(name)} is not of a run: {error!r}") from error
                data = json.dumps(told).encode() if told is not None else None
            if data is not None:
                changed += 1
                if await self._zone.replace(name, data, generation=found.generation) is None:
                    again = await self._zone.read(name)
                    if again is None or again.data != data:
                        raise BusyError(f"{self._zone.uri(name)} changed at the same moment: run it again")
        return changed

    async def delete_old(self) -> int:
        """Delete what was written anew; return how many objects that were. Those of quarantine go first."""
        # The parts last: until then a run that is repeated learns from them what tells the user.
        ordered = sorted(self._old, key=lambda stored: not stored.name.startswith(QUARANTINED))
        return sum([await self._bucket.delete(stored) for stored in ordered])

    def _read(self, lines: int) -> None:
        self.counts.objects += 1
        self.counts.lines += lines
        self._progress(self.counts)

    async def _text(self, name: str) -> bytes:
        stored = await self._zone.read(name)
        if stored is None:
            raise InvalidDataError(f"{self._zone.uri(name)} was listed and is not there")
        try:
            return gzip.decompress(stored.data)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidDataError(f"{self._zone.uri(name)} can't be read: {error}") from error


def _head(zone: RawZone, name: str) -> bytes:
    return b'{"raw_uri":' + json.dumps(zone.uri(name)).encode() + b","


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
