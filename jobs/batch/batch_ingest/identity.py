"""The name of a run: it follows from the day and from what was received, so that a repeated run is the same run."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime

from batch_ingest.entities import Entity
from batch_ingest.records import Answer
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

    def part(self, number: int) -> str:
        """Return the object name of a part."""
        return batch_object(self.entity.name, self.day, self.run_id, number)

    @property
    def manifest(self) -> str:
        """Return the object name of the manifest, which is there when the run was loaded."""
        return f"_manifests/{self.entity.name}/dt={self.day:%Y-%m-%d}/{self.run_id}.json"


def run_id(day: date, source: str, answer: Answer) -> str:
    """Return the day and a digest of all records, such as `20261124-9f86d081884c7d65`.

    The digest covers the columns made of each record too: a later version of the program that makes other columns of
    the same records names other objects, and never meets its own old ones with other content.
    """
    hashing = hashlib.blake2b(source.encode(), digest_size=8)
    for valid in answer.valid:
        hashing.update(valid.line)
    for payload in sorted(invalid.payload for invalid in answer.invalid):
        hashing.update(b"\0" + payload)
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
