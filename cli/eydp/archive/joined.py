"""Joined objects: how they are called, what their manifests say, and which objects a reader reads. Pure.

A joined object holds the lines of several objects of one hour. Its manifest is what makes it count: before there is
one, readers read the originals and pass over the joined object; from then on it is the other way round. So a line is
read once whatever a compaction that was killed has left behind.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import digest

EVENTS = "carts_events/"
MANIFESTS = "_manifests/"
#: Where originals go once a joined object stands for them. The bucket's lifecycle deletes them there.
RETIRED = "_compacted/"
RETIRED_DAYS = 30

#: A consumer's objects have hyphens in their names, always; these have none.
_JOINED = "joined."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Original:
    """One of the objects that were joined; `count` is of its lines, `md5` in base64 of its bytes."""

    name: str
    generation: int
    md5: str
    count: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a joined object is made of; `digest` is of all its lines, times are RFC 3339."""

    name: str
    count: int
    digest: str
    first_publish_time: str
    last_publish_time: str
    originals: tuple[Original, ...]

    def encoded(self) -> bytes:
        """Return the manifest's JSON, the same for the same content."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def read_manifest(name: str, data: bytes) -> Manifest:
    """Return a manifest from its JSON.

    Raises:
        InvalidDataError: it is none.
    """
    try:
        fields = json.loads(data)
        originals = tuple(Original(**each) for each in fields.pop("originals"))
        return Manifest(**fields, originals=originals)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidDataError(f"{name} is not the manifest of a joined object: {error}") from error


def is_joined(name: str) -> bool:
    """Return whether an object's name is that of a joined one."""
    return name.rpartition("/")[2].startswith(_JOINED) and "-" not in name.rpartition("/")[2]


def joined_name(hour: str, first_publish: datetime, originals: Iterable[Original]) -> str:
    """Return the name for the objects of a folder `carts_events/dt=…/hr=…/`: it follows from what is joined."""
    milliseconds = (first_publish - _EPOCH) // timedelta(milliseconds=1)
    key = digest("\n".join(f"{each.name} {each.generation} {each.md5}" for each in originals).encode())
    return f"{hour}{_JOINED}{milliseconds}.{key}.jsonl.gz"


def manifest_name(joined: str) -> str:
    """Return the name of a joined object's manifest."""
    return f"{MANIFESTS}{joined.removesuffix('.jsonl.gz')}.json"


def retired_name(original: str) -> str:
    """Return where an original lies after its compaction."""
    return f"{RETIRED}{original}"


def visible(names: Iterable[str], manifests: Sequence[Manifest]) -> list[str]:
    """Return the names of the objects to read, sorted. `names` must have been listed before the manifests were."""
    hidden = {original.name for manifest in manifests for original in manifest.originals}
    shown = {name for name in names if name.endswith(".jsonl.gz") and not is_joined(name)} - hidden
    return sorted(shown | {manifest.name for manifest in manifests})
