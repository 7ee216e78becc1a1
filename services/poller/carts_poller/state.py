"""What the poller remembers: the version and digest of every cart it ever saw, and the events not yet confirmed."""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple, TypedDict

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, with_config

from carts_poller.event import Event, read

FORMAT: Final = 1
#: A quarter of the time of gzip's default level, for a few per cent more bytes.
_LEVEL = 1

DELETED = ""


class Known(NamedTuple):
    """The last known state of a cart. A deleted one has the digest `DELETED` and keeps its version."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class State:
    """One source's state. `epoch` is when it began, in ms since 1970; versions count within it.

    `pending` are events that were saved to be published and whose publishing is not confirmed, oldest first, at most
    one a cart. `carts` already contains their effect.
    """

    source: str
    epoch: int
    carts: Mapping[int, Known] = field(default_factory=lambda: MappingProxyType({}))
    pending: tuple[Event, ...] = ()

    def confirmed(self, left: tuple[Event, ...] = ()) -> "State":
        """Return the state after publishing: `left` are the events that are still to be published."""
        return replace(self, pending=left)


_Version = Annotated[int, Field(ge=1, lt=2**63)]
_Digest = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{16})?$")]


@with_config(ConfigDict(strict=True, extra="forbid"))
class _File(TypedDict):
    format: Literal[1]
    source: str
    epoch: Annotated[int, Field(ge=0, lt=2**63)]
    carts: dict[Annotated[int, Field(ge=0, lt=2**63)], tuple[_Version, _Digest]]
    pending: list[str]


_FILE: TypeAdapter[_File] = TypeAdapter(_File)


def encode(state: State) -> bytes:
    """Return the compressed bytes of a state; the same state always has the same bytes."""
    file = _File(
        format=FORMAT,
        source=state.source,
        epoch=state.epoch,
        carts={number: (known.version, known.digest) for number, known in state.carts.items()},
        pending=[event.data.decode() for event in state.pending],
    )
    return gzip.compress(_FILE.dump_json(file), _LEVEL, mtime=0)


def decode(data: bytes) -> State:
    """Return the state that `encode` made the bytes of.

    Raises:
        ValueError: the bytes are no state, or one of another format.
    """
    try:
        file = _FILE.validate_json(gzip.decompress(data))
        pending = tuple([read(event.encode()) for event in file["pending"]])
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it is not whole gzip: {error}") from error
    if any(event.source != file["source"] for event in pending):
        raise ValueError("it holds events of another source")
    carts = {number: Known(*known) for number, known in file["carts"].items()}
    return State(file["source"], file["epoch"], MappingProxyType(carts), pending)
