"""The poller's files, as bytes: the head, the segments of the journal, and the shards of a base. Pure.

The journal is what makes the promise: a segment is written before any of its events is published, under the next
number, by whoever is first. A base is the table of carts as of one number, so that the journal need not be read from
its beginning. The head says who may write, where the base is, and up to where everything is published.
"""

import gzip
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, TypedDict

from pydantic import ConfigDict, Field, TypeAdapter, with_config

from carts_poller.changes import Change
from carts_poller.event import read
from carts_poller.state import State
from carts_poller.table import Known

FORMAT: Final = 2
#: A quarter of the time of gzip's default level, for a few per cent more bytes.
_LEVEL = 1
SHARD_CARTS = 500_000

_Count = Annotated[int, Field(ge=0, lt=2**63)]


@with_config(ConfigDict(strict=True, extra="forbid"))
class _HeadFile(TypedDict):
    format: Literal[2]
    source: str
    epoch: _Count
    holder: str
    expires_at: _Count
    base: _Count
    shards: list[str]
    confirmed: _Count


@with_config(ConfigDict(strict=True, extra="forbid"))
class _SegmentHeader(TypedDict):
    format: Literal[2]
    source: str
    epoch: _Count
    sequence: _Count
    holder: str
    requests: list[tuple[str, _Count]]


@with_config(ConfigDict(strict=True, extra="forbid"))
class _ShardHeader(TypedDict):
    format: Literal[2]
    source: str
    epoch: _Count
    sequence: _Count
    carts: _Count
    requests: list[tuple[str, _Count]]


_HEAD: TypeAdapter[_HeadFile] = TypeAdapter(_HeadFile)
_SEGMENT: TypeAdapter[_SegmentHeader] = TypeAdapter(_SegmentHeader)
_SHARD: TypeAdapter[_ShardHeader] = TypeAdapter(_ShardHeader)


@dataclass(frozen=True, slots=True)
class Head:
    """Who may write, until when (ms since 1970), and where to begin to read.

    `base` is the number as of which the objects `shards` hold all carts, 0 without any. Every segment up to `confirmed`
    is published.
    """

    source: str
    epoch: int
    holder: str = ""
    expires_at: int = 0
    base: int = 0
    shards: tuple[str, ...] = ()
    confirmed: int = 0

    def held(self, holder: str, expires_at: int) -> "Head":
        """Return the head as the holder writes it."""
        return replace(self, holder=holder, expires_at=expires_at)


def encode_head(head: Head) -> bytes:
    """Return the bytes of a head."""
    return _HEAD.dump_json(
        _HeadFile(
            format=FORMAT,
            source=head.source,
            epoch=head.epoch,
            holder=head.holder,
            expires_at=head.expires_at,
            base=head.base,
            shards=list(head.shards),
            confirmed=head.confirmed,
        )
    )


def decode_head(data: bytes, source: str) -> Head:
    """Return the head of a source.

    Raises:
        ValueError: the bytes are no head, one of another format or of another source.
    """
    file = _HEAD.validate_json(data)
    if file["source"] != source:
        raise ValueError(f"it belongs to the source {file['source']!r}")
    shards = tuple(file["shards"])
    return Head(source, file["epoch"], file["holder"], file["expires_at"], file["base"], shards, file["confirmed"])


def encode_segment(
    state: State, sequence: int, holder: str, changes: Iterable[Change], requests: Iterable[tuple[str, int]]
) -> bytes:
    """Return the bytes of a segment: a header, then a line for each change with the bytes that will be published."""
    header = _SegmentHeader(
        format=FORMAT,
        source=state.source,
        epoch=state.epoch,
        sequence=sequence,
        holder=holder,
        requests=list(requests),
    )
    lines = [_SEGMENT.dump_json(header)]
    lines += [b"%016x %d %b" % (change.known.digest, change.known.seen_at, change.event.data) for change in changes]
    return gzip.compress(b"\n".join(lines), _LEVEL, mtime=0)


def decode_segment(data: bytes, state: State, sequence: int) -> tuple[list[Change], list[tuple[str, int]]]:
    """Return the changes and the requests of a segment of this state.

    Raises:
        ValueError: the bytes are no segment, or another one.
    """
    first, *lines = _decompressed(data).split(b"\n")
    header = _SEGMENT.validate_json(first)
    if (header["source"], header["epoch"], header["sequence"]) != (state.source, state.epoch, sequence):
        raise ValueError("it belongs to another source, epoch or place")
    return [_change(line, state) for line in lines], header["requests"]


def encode_shards(state: State) -> list[bytes]:
    """Return the bytes of the base as of the state, one for each 500,000 carts and at least one."""
    shards = list(state.carts.shards(SHARD_CARTS)) or [(0, b"")]
    made = []
    for number, (count, columns) in enumerate(shards):
        header = _ShardHeader(
            format=FORMAT,
            source=state.source,
            epoch=state.epoch,
            sequence=state.sequence,
            carts=count,
            requests=[] if number else state.requests.items(),
        )
        made.append(gzip.compress(_SHARD.dump_json(header) + b"\n" + columns, _LEVEL, mtime=0))
    return made


def add_shard(data: bytes, state: State) -> None:
    """Put the carts and requests of a shard into the state, whose sequence is that of the base.

    Raises:
        ValueError: the bytes are no shard, or one of another base.
    """
    first, _, columns = _decompressed(data).partition(b"\n")
    header = _SHARD.validate_json(first)
    if (header["source"], header["epoch"], header["sequence"]) != (state.source, state.epoch, state.sequence):
        raise ValueError("it belongs to another source, epoch or base")
    state.carts.add_shard(header["carts"], columns)
    for request, accepted_at in header["requests"]:
        state.requests.add(request, accepted_at)


def _change(line: bytes, state: State) -> Change:
    digest, seen_at, data = line.split(b" ", 2)
    event = read(data)
    if event.source != state.source or json.loads(data)["epoch"] != state.epoch:
        raise ValueError("it holds an event of another source or epoch")
    return Change(event, Known(event.version, int(digest, 16), int(seen_at)))


def _decompressed(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it is not whole gzip: {error}") from error
