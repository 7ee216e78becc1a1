"""Quarantine: carts that can't become events, kept in the bucket with the reason and their text as received."""

import gzip
from collections.abc import Sequence

from carts_poller.changes import Invalid
from dataplatform.clock import Clock
from dataplatform.envelope import record_line
from dataplatform.rawzone import RawZone, digest, quarantine_object

ENTITY = "carts_events"
STAGE = "parse"


class Quarantine:
    """Writes one object for the carts that are met at once, and none when the same ones were met before that day."""

    def __init__(self, zone: RawZone, source: str, clock: Clock) -> None:
        self._zone = zone
        self._source = source
        self._clock = clock

    async def put(self, invalid: Sequence[Invalid]) -> bool:
        """Return when the carts are durable: True when they are new today, False when they were there already.

        Raises:
            UnavailableError: the bucket did not answer within the retry deadline.
        """
        # No time in the lines: a cart that stays invalid for a day makes one object, not one a minute.
        text = b"".join(sorted([self._line(item) for item in invalid]))
        name = quarantine_object(ENTITY, self._clock.now(), digest(text))
        if await self._zone.read(name) is not None:  # perhaps compressed to other bytes by another version of zlib
            return False
        return await self._zone.create(
            name, gzip.compress(text, mtime=0), metadata={"count": str(len(invalid)), "stage": STAGE}
        )

    def _line(self, item: Invalid) -> bytes:
        payload = item.text.encode()
        fields = {
            "quarantine_id": digest(self._source.encode() + b"\0" + payload),
            "stage": STAGE,
            "reason": item.reason,
            "detail": item.detail,
            "source": self._source,
        }
        return record_line(fields, payload)
