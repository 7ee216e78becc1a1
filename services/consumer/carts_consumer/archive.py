"""The archive: a batch's messages as one immutable object, the bytes received kept as they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from isal import igzip

from carts_consumer.decode import moment, stamp
from dataplatform import rawzone
from dataplatform.models import SCHEMA_VERSION

#: isal's fastest level: a quarter of zlib's time for a few per cent more bytes.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Archive:
    """An object ready to be written."""

    name: str
    data: bytes
    metadata: dict[str, str]


def build(consumer: str, sequence: int, lines: Sequence[bytes], published: Sequence[int]) -> Archive:
    """Return the object of at least one line; `published` tells each message's time in microseconds since 1970.

    The name follows from the content, so that writing the same batch again is a no-op.
    """
    first, last = min(published), max(published)
    data = igzip.compress(b"".join(lines), _LEVEL, mtime=0)
    return Archive(
        name=rawzone.events_object(consumer, moment(first), sequence, rawzone.digest(data)),
        data=data,
        metadata={
            "count": str(len(lines)),
            "first_publish_time": stamp(first),
            "last_publish_time": stamp(last),
            "schema_version": str(SCHEMA_VERSION),
        },
    )
