"""The circuit breaker: too many invalid messages mean that a deploy is bad, not that the data is. Pure.

Without it a producer's or our own mistake would move a whole topic into quarantine within minutes.
"""


class Circuit:
    """Opens when invalid messages come in a row, or make up too large a share of the latest ones."""

    def __init__(self, *, max_ratio: float, min_messages: int, max_run: int, cooldown_seconds: float) -> None:
        self._max_ratio = max_ratio
        self._min_messages = min_messages
        self._max_run = max_run
        self._cooldown = cooldown_seconds
        self._valid = 0
        self._invalid = 0
        self._run = 0
        self._open_until: float | None = None
        self.reason = ""

    def observe(self, valid: int, invalid: int, now: float) -> bool:
        """Count one chunk; return False when the circuit opened on it.

        The share is judged over the latest messages: older ones count half each time the window is full.
        """
        self._run = self._run + invalid if not valid else 0
        self._valid += valid
        self._invalid += invalid
        total = self._valid + self._invalid
        if self._run >= self._max_run:
            return self._trip(f"{self._run} invalid messages in a row", now)
        if total >= self._min_messages:
            if self._invalid > self._max_ratio * total:
                return self._trip(f"{self._invalid} of the latest {total} messages are invalid", now)
            self._valid //= 2
            self._invalid //= 2
        return True

    def _trip(self, reason: str, now: float) -> bool:
        self.reason = reason
        self._open_until = now + self._cooldown
        self._valid = self._invalid = self._run = 0
        return False

    def open(self, now: float) -> bool:
        """Return whether the intake must rest; after the cool-down it is tried again."""
        if self._open_until is not None and now >= self._open_until:
            self._open_until = None
            self.reason = ""
        return self._open_until is not None
