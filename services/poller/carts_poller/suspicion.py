"""An answer that lost many carts at once is more likely a fault of the source than so many deletions.

Such an answer deletes nothing until the same carts were missing several times in a row, or a person says so.
"""

import hashlib
from array import array
from collections.abc import Sequence
from typing import Protocol

from dataplatform.rawzone import RawZone


class Suspicion:
    """Judges what is missing, poll after poll. It remembers in memory only: a restart begins to count anew. Pure."""

    def __init__(self, *, max_missing_ratio: float, accept_after: int) -> None:
        """More than `max_missing_ratio` missing is suspicious, and believed after `accept_after` times in a row."""
        self._max_ratio = max_missing_ratio
        self._accept_after = accept_after
        self._missing = b""
        self.times = 0

    def doubts(self, missing: Sequence[int], alive: int) -> bool:
        """Return whether the missing carts, in ascending order, must not be taken as deleted yet.

        `alive` is how many carts were there before. Call it once a poll.
        """
        if len(missing) <= self._max_ratio * alive:
            self._missing, self.times = b"", 0
            return False
        now = hashlib.sha256(array("q", missing).tobytes()).digest()
        self.times = self.times + 1 if now == self._missing else 1
        self._missing = now
        return self.times < self._accept_after

    def believe(self) -> None:
        """Take the carts that are missing now as deleted, now and when they are missing again next time."""
        self.times = self._accept_after


class Acceptance(Protocol):
    """Whether a person said that a suspicious answer is right."""

    async def given(self) -> bool:
        """Return whether it was said. It counts for one answer."""
        ...


class Always:
    """The person said so on the command line of this very poll."""

    async def given(self) -> bool:
        """Return True."""
        return True


class Marked:
    """The person left an object in the bucket, with `carts_poller --accept-missing`, for a poller that runs."""

    def __init__(self, zone: RawZone, source: str) -> None:
        self._zone = zone
        self.name = f"_state/poller/{source}/accept-missing"

    async def give(self) -> None:
        """Leave the word. Raises UnavailableError when the bucket did not answer within the retry deadline."""
        await self._zone.create(self.name, b"", content_type="text/plain")

    async def given(self) -> bool:
        """Return whether the word is there, and take it away. Raises what `give` raises."""
        if await self._zone.read(self.name) is None:
            return False
        await self._zone.remove_state(self.name)
        return True
