"""Faults on demand: what a client must survive, set at run time."""

from dataclasses import dataclass
from typing import Any, Self

from dataplatform.clock import Clock
from localcloud.pubsub.errors import Code, PubsubError

ANY_METHOD = "*"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Calls of one method (or `*`) are refused until a monotonic time, or until changed (None)."""

    method: str
    code: Code
    until: float | None


class Faults:
    """What goes wrong now. Nothing does until `set`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.drop_streams_every_seconds: float | None = None
        self.delay_seconds = 0.0
        self.rejection: Rejection | None = None

    @property
    def active(self) -> bool:
        """Whether a call has anything to fear."""
        return self.rejection is not None or self.delay_seconds > 0

    def set(self, changes: dict[str, Any]) -> None:
        """Change the faults that `changes` names, and keep the others.

        Keys: `drop_streams_every_seconds` (null: never), `delay_seconds` (before each call), `reject`
        (`{"method": "Acknowledge", "code": "UNAVAILABLE", "for_seconds": 5}`, method `*` for all, null:
        none).

        Raises:
            ValueError: an unknown key or a wrong value; nothing is changed then.
        """
        unknown = set(changes) - {"drop_streams_every_seconds", "delay_seconds", "reject"}
        if unknown:
            raise ValueError(f"unknown faults: {', '.join(sorted(unknown))}")
        drop = _seconds(changes, "drop_streams_every_seconds", self.drop_streams_every_seconds)
        delay = _seconds(changes, "delay_seconds", self.delay_seconds)
        rejection = self._rejection(changes["reject"]) if "reject" in changes else self.rejection
        self.drop_streams_every_seconds = drop or None
        self.delay_seconds = delay or 0.0
        self.rejection = rejection

    def _rejection(self, given: Any) -> Rejection | None:
        if given is None:
            return None
        if not isinstance(given, dict) or set(given) - {"method", "code", "for_seconds"}:
            raise ValueError("reject takes method, code and for_seconds")
        try:
            code = Code[given.get("code", "UNAVAILABLE")]
        except KeyError as error:
            raise ValueError(f"unknown code: {error.args[0]}") from error
        span = _seconds(given, "for_seconds", None)
        until = None if span is None else self._clock.monotonic() + span
        return Rejection(str(given.get("method", ANY_METHOD)), code, until)

    def reset(self) -> Self:
        """End all faults."""
        self.drop_streams_every_seconds, self.delay_seconds, self.rejection = None, 0.0, None
        return self

    async def before(self, method: str) -> None:
        """Delay or refuse a call of this method, as set."""
        if self.delay_seconds:
            await self._clock.sleep(self.delay_seconds)
        rejection = self.rejection
        if rejection is None:
            return
        if rejection.until is not None and self._clock.monotonic() >= rejection.until:
            self.rejection = None
        elif rejection.method in (ANY_METHOD, method):
            raise PubsubError(rejection.code, f"{method} is refused on demand.")

    def shown(self) -> dict[str, Any]:
        """Return the faults in the form that `set` takes, with the seconds that a rejection has left."""
        reject = None
        if self.rejection is not None:
            until = self.rejection.until
            left = None if until is None else max(0.0, until - self._clock.monotonic())
            reject = {"method": self.rejection.method, "code": self.rejection.code.name, "for_seconds": left}
        return {
            "drop_streams_every_seconds": self.drop_streams_every_seconds,
            "delay_seconds": self.delay_seconds,
            "reject": reject,
        }


def _seconds(given: dict[str, Any], key: str, current: float | None) -> float | None:
    value = given.get(key, current)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{key} must be a number of seconds, not {value!r}")
    return float(value)
