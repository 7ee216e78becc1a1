"""The name of a run: it follows from the day and from what was received, so that a repeated run is the same run."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime

from batch_ingest.entities import Entity
from batch_ingest.index import Index
from dataplatform.clock import Clock, rfc3339
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone, batch_object


@dataclass(frozen=True, slots=True)
class Run:
    """One load of one entity. `received_at` is when its records were first received, whichever process did that."""

    entity: Entity
    day: date
    run_id: str
    source: str
    received_at: datetime

    @property
    def manifest(self) -> str:
        """Return the object name of the manifest, which is there when the run was loaded."""
        return f"{manifests(self.entity, self.day)}{self.run_id}.json"

    @property
    def index(self) -> str:
        """Return the object name of the index of ids and digests."""
        return index_object(self.entity, self.day, self.run_id)

    @property
    def receipt(self) -> str:
        """Return the object name of the receipt, which is there when all records are in the bucket."""
        return f"{receipts(self.entity, self.day)}{self.run_id}.json"


def manifests(entity: Entity, day: date) -> str:
    """Return what the names of a day's manifests begin with."""
    return f"_manifests/{entity.name}/dt={day:%Y-%m-%d}/"


def receipts(entity: Entity, day: date) -> str:
    """Return what the names of a day's receipts begin with."""
    return f"_state/batch/{entity.name}/dt={day:%Y-%m-%d}/"


def day_prefix(entity: Entity, day: date) -> str:
    """Return what the names of a day's parts begin with."""
    return batch_object(entity.name, day, "").partition("part-")[0]


def index_object(entity: Entity, day: date, run_id: str) -> str:
    """Return the name of a run's index of ids and digests."""
    return f"{receipts(entity, day)}{run_id}.digests"


def run_id(day: date, source: str, index: Index, invalid_count: int, invalid_digest: bytes) -> str:
    """Return the day and a digest of all records, such as `20261124-9f86d081884c7d65`; their order does not matter."""
    hashing = hashlib.blake2b(source.encode(), digest_size=8)
    hashing.update(b"\0" + index.digest.encode() + f"/{invalid_count}/".encode() + invalid_digest)
    return f"{unread_run_id(day)}-{hashing.hexdigest()}"


def unread_run_id(day: date) -> str:
    """Return what an audit row calls a run that failed before its records were known."""
    return f"{day:%Y%m%d}"


async def claim(zone: RawZone, entity: Entity, day: date, name: str, source: str, clock: Clock) -> Run:
    """Return the run `name` of a day with the time at which it was first claimed.

    Every repetition gets that first time, so that it writes the same bytes under the same names. Of two at once one
    wins, and both get the winner's time.

    Raises:
        InvalidDataError: the claim is there and can't be read.
        UnavailableError: the bucket did not answer within the retry deadline.
    """
    claimed = f"_state/batch/{entity.name}/{name}.json"
    now = clock.now()
    text = json.dumps({"received_at": rfc3339(now)}).encode()
    if await zone.replace(claimed, text, generation=0) is None:
        found = await zone.read(claimed)
        try:
            now = datetime.fromisoformat(json.loads(found.data if found else b"")["received_at"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidDataError(
                f"{zone.uri(claimed)} is not the claim of a run: move it away and run again"
            ) from error
    return Run(entity, day, name, source, now)
