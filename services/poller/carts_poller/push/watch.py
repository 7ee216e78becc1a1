"""Beside the requests: the keys are read again, the probes are told, and the end of an outage is noticed."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from carts_poller.push.group import Group, Send
from carts_poller.push.keys import Keyring
from carts_poller.pushed import Pushed
from dataplatform.clock import Clock
from dataplatform.errors import ConfigurationError
from dataplatform.health import Health
from dataplatform.logs import logger
from dataplatform.metrics import PushMetrics
from dataplatform.retry import describe

CONDITIONS: Final = ("pubsub", "serving")
_TICK_SECONDS = 1.0


class Reachable:
    """Publishing that tells the health how it went."""

    def __init__(self, send: Send, probe: Callable[[], Awaitable[bool]], health: Health) -> None:
        """`probe` returns whether the topic can be published to, or raises why nobody knows."""
        self._send = send
        self._probe = probe
        self._health = health
        self._down = False

    async def send(self, records: Sequence[Pushed]) -> None:
        """Publish. Raises what `send` raises."""
        try:
            await self._send(records)
        except Exception as error:
            self._down = True
            self._health.down("pubsub", describe(error))
            logger().warning("publishing failed", reason=describe(error), records=len(records))
            raise
        self._up()

    async def look(self) -> None:
        """Ask whether an outage has ended: nobody pushes to a service that is not ready, so no success would tell."""
        if not self._down:
            return
        try:
            found = await self._probe()
        except Exception as error:  # noqa: BLE001 - whatever it is, the outage goes on
            self._health.down("pubsub", describe(error))
        else:
            if found:
                self._up()

    def _up(self) -> None:
        if self._down:
            logger().info("publishing is possible again")
        self._down = False
        self._health.up("pubsub")


class KeyWatch:
    """Takes up changes of the keys without a restart."""

    def __init__(self, keyring: Keyring, metrics: PushMetrics) -> None:
        self._keyring = keyring
        self._metrics = metrics
        self._fault = ""
        metrics.keys.set(len(keyring.keys))

    def look(self) -> None:
        """Read the keys again. While they can't be read the former ones count, and the log says so once."""
        try:
            changed = self._keyring.reread()
        except ConfigurationError as error:
            self._metrics.key_faults.inc()
            if str(error) != self._fault:
                logger().error("the former signing keys still count", reason=str(error))
            self._fault = str(error)
            return
        self._fault = ""
        self._metrics.keys.set(len(self._keyring.keys))
        if changed:
            logger().info("signing keys changed", keys=len(self._keyring.keys))


async def watch(
    keys: KeyWatch,
    keys_seconds: float,
    group: Group,
    reachable: Reachable,
    health: Health,
    clock: Clock,
    *,
    patience_seconds: float,
) -> None:
    """Look at everything until cancelled. Publishing that does not move for `patience_seconds` is no progress."""
    due = clock.monotonic() + keys_seconds
    while True:
        if clock.monotonic() >= due:
            keys.look()
            due = clock.monotonic() + keys_seconds
        if group.idle_seconds < patience_seconds:
            health.progress()
        await reachable.look()
        await clock.sleep(min(_TICK_SECONDS, keys_seconds))
