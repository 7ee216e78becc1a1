"""A gRPC client that is made anew while its channel can't connect.

While a name can't be resolved gRPC pauses between two tries, up to two minutes, which no option changes; calls queue
meanwhile instead of failing. A fresh channel asks at once, so that a client is back seconds after an outage's end.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from dataplatform.clock import Clock
from dataplatform.logs import logger

_TICK_SECONDS = 1.0
#: Without a connection for so long, the client is made anew.
_PATIENCE_SECONDS = 4.0
#: Closing a channel cancels what is still under way on it, and every call has ended by then.
_CLOSE_AFTER_SECONDS = 120.0


class Renewable:
    """Stands for an async Google client: its methods are those of the client of the moment.

    `generation` counts how often that was made anew. A streaming call keeps its channel: whoever holds one compares
    generations and gives up a call of an older one.
    """

    def __init__(self, make: Callable[[], Any], clock: Clock) -> None:
        """`make` returns a client with a channel of its own."""
        self._make = make
        self._clock = clock
        self._client = make()
        self._old: set[asyncio.Task[None]] = set()
        self.generation = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def run(self) -> None:
        """Watch the channel until cancelled."""
        from grpc import ChannelConnectivity

        unconnected = {ChannelConnectivity.CONNECTING, ChannelConnectivity.TRANSIENT_FAILURE}
        apart = 0.0
        while True:
            await self._clock.sleep(_TICK_SECONDS)
            state = self._client.transport.grpc_channel.get_state()
            apart = apart + _TICK_SECONDS if state in unconnected else 0.0
            if apart >= _PATIENCE_SECONDS:
                self._renew()
                apart = 0.0

    def _renew(self) -> None:
        old, self._client = self._client, self._make()
        self.generation += 1
        logger().info("client made anew, as it could not connect", generation=self.generation)
        closing = asyncio.create_task(self._close(old))
        self._old.add(closing)
        closing.add_done_callback(self._old.discard)

    async def _close(self, old: Any) -> None:
        await self._clock.sleep(_CLOSE_AFTER_SECONDS)
        await old.transport.close()
