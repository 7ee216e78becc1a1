"""An answer that lost many carts at once is more likely a fault of the source than so many deletions. Pure.

Such an answer deletes nothing until the same carts were missing several times in a row, or a person says so.
"""

from collections.abc import Sequence


class Suspicion:
    """Judges what is missing, poll after poll. It remembers in memory only: a restart begins to count anew."""

    def __init__(self, *, max_missing_ratio: float, accept_after: int) -> None:
        """More than `max_missing_ratio` missing is suspicious, and believed after `accept_after` times in a row."""
        self._max_ratio = max_missing_ratio
        self._accept_after = accept_after
        self._missing: tuple[int, ...] = ()
        self.times = 0

    def spares(self, missing: Sequence[int], alive: int) -> bool:
        """Return whether the missing carts, in ascending order, must not be taken as deleted yet.

        `alive` is how many carts were there before. Call it once a poll.
        """
        if len(missing) <= self._max_ratio * alive:
            self._missing, self.times = (), 0
            return False
        now = tuple(missing)
        self.times = self.times + 1 if now == self._missing else 1
        self._missing = now
        return self.times < self._accept_after
