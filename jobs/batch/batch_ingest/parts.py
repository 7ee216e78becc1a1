"""Parts: the lines of a run as immutable objects of bounded size. The same run always makes the same bytes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from isal import igzip

from batch_ingest.identity import Run
from batch_ingest.records import Valid
from dataplatform.clock import rfc3339
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone, digest

#: isal's fastest level that still compresses well: a quarter of zlib's time for a few per cent more bytes.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One object ready to be written; `digest` is of its lines before compression."""

    name: str
    data: bytes
    count: int
    digest: str

    @property
    def described(self) -> "Part":
        """Return the part without its bytes, so that a long run does not keep them all."""
        return replace(self, data=b"")


def build(run: Run, records: Iterable[Valid], zone: RawZone, *, max_bytes: int) -> Iterator[Part]:
    """Yield the parts of a run, one at a time, each with at least one line and `max_bytes` of lines at most."""
    overhead = len(_head(run, zone.uri(run.part(0))))
    for number, lines in enumerate(groups((record.line for record in records), max_bytes, overhead=overhead)):
        name = run.part(number)
        head = _head(run, zone.uri(name))
        yield compressed(name, [head + line[1:] for line in lines])


def compressed(name: str, lines: Sequence[bytes]) -> Part:
    """Return lines as a gzip'd part that holds no time of its own."""
    text = b"".join(lines)
    return Part(name, igzip.compress(text, _LEVEL, mtime=0), len(lines), digest(text))


async def store(zone: RawZone, part: Part) -> bool:
    """Create the object; return False when it was there already with the same lines.

    Raises:
        InvalidDataError: an object of that name holds other lines.
        UnavailableError: the bucket did not answer within the retry deadline.
    """
    try:
        return await zone.create(part.name, part.data, metadata={"count": str(part.count)})
    except InvalidDataError:
        # Perhaps the same lines, compressed to other bytes by another version of the library.
        found = await zone.read(part.name)
        if found is None or digest(igzip.decompress(found.data)) != part.digest:
            raise
        return False


def groups(lines: Iterable[bytes], max_bytes: int, *, overhead: int = 0) -> Iterator[list[bytes]]:
    """Yield lines in groups of `max_bytes` at most; each line counts `overhead` bytes more, a longer one is alone."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        added = len(line) + overhead
        if group and size + added > max_bytes:
            yield group
            group, size = [], 0
        group.append(line)
        size += added
    if group:
        yield group


def _head(run: Run, uri: str) -> bytes:
    """Return the start of a line up to the record's own columns; joining bytes spares encoding each line anew."""
    fields = {
        "source": run.source,
        "run_id": run.run_id,
        "ingested_at": rfc3339(run.received_at),
        "raw_uri": uri,
    }
    return json.dumps(fields, separators=(",", ":"))[:-1].encode() + b","
