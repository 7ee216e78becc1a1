"""A group of objects whose lines become one joined object. Pure."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from dataplatform.envelope import read_lines
from dataplatform.errors import InvalidDataError
from dataplatform.models import SCHEMA_VERSION
from dataplatform.rawzone import digest
from eydp.archive.bucket import Stored
from eydp.archive.joined import Manifest, Original, joined_name

#: zlib's level for what is written once and kept for years: a third smaller than the consumer's fastest one.
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Member:
    """An original and its lines."""

    stored: Stored
    text: bytes


@dataclass(slots=True)
class Group:
    """Objects of one folder `carts_events/dt=…/hr=…/`, in the order in which their lines are joined."""

    hour: str
    members: list[Member] = field(default_factory=list)
    size: int = 0

    def add(self, member: Member) -> None:
        """Put an object behind the others."""
        self.members.append(member)
        self.size += len(member.text)

    def joined(self) -> "Joined":
        """Return what the group becomes.

        Raises:
            InvalidDataError: a line is not an envelope, or an object has another number of lines than it tells.
        """
        text = b"".join(member.text for member in self.members)
        originals = []
        times: list[str] = []
        for member in self.members:
            published = _publish_times(member)
            times += published
            stored = member.stored
            originals.append(Original(stored.name, stored.generation, stored.md5, len(published)))
        # RFC 3339 of fixed width: text order is time order.
        first, last = min(times), max(times)
        manifest = Manifest(
            name=joined_name(self.hour, datetime.fromisoformat(first), originals),
            count=len(times),
            digest=digest(text),
            first_publish_time=first,
            last_publish_time=last,
            originals=tuple(originals),
        )
        return Joined(manifest, gzip.compress(text, _LEVEL, mtime=0))


@dataclass(frozen=True, slots=True)
class Joined:
    """An object ready to be written."""

    manifest: Manifest
    data: bytes

    @property
    def metadata(self) -> dict[str, str]:
        """Return the object's metadata, the same that the originals have."""
        return {
            "count": str(self.manifest.count),
            "first_publish_time": self.manifest.first_publish_time,
            "last_publish_time": self.manifest.last_publish_time,
            "schema_version": str(SCHEMA_VERSION),
        }


def check(manifest: Manifest, text: bytes) -> None:
    """Compare a joined object that was read back with what its manifest says.

    Raises:
        InvalidDataError: it has other lines.
    """
    count = sum(1 for _ in _lines(manifest.name, text))
    if (count, digest(text)) != (manifest.count, manifest.digest):
        raise InvalidDataError(
            f"{manifest.name} was read back with {count} lines, digest {digest(text)}, and should have "
            f"{manifest.count}, digest {manifest.digest}: the originals stay where they are"
        )


def _publish_times(member: Member) -> list[str]:
    found = [str(line) for line in _lines(member.stored.name, member.text)]
    if not found or (member.stored.lines and len(found) != member.stored.lines):
        raise InvalidDataError(f"{member.stored.name} has {len(found)} lines and tells of {member.stored.lines}")
    if not member.text.endswith(b"\n"):
        raise InvalidDataError(f"{member.stored.name} does not end with a whole line")
    return found


def _lines(name: str, text: bytes) -> Iterable[str]:
    """Yield the publish time of each line."""
    try:
        for line in read_lines(text):
            yield line.fields["publish_time"]
    except (ValueError, KeyError) as error:
        raise InvalidDataError(f"{name} can't be read: {error}") from error
