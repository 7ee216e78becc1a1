"""The dead-letter subscription, looked at from outside: pulled in bounded pieces, kept leased, given back or done with.

Pub/Sub can't be asked what a subscription holds. So it is pulled until nothing comes any more; what was pulled stays
leased meanwhile, by its id alone, or it would come again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from google.api_core import exceptions as google

from carts_consumer.subscription import Subscription
from dataplatform.clock import Clock
from dataplatform.logs import logger
from dataplatform.retry import Retrier, describe

#: Messages held with their bytes at once.
MAX_PULL_MESSAGES = 100
#: Messages leased at once at most; a look at more than that is refused the rest.
MAX_HELD = 10_000
_PULL_SECONDS = 5.0


class DeadLetters:
    """One walk over the subscription. `client` is a `SubscriberAsyncClient`."""

    def __init__(
        self,
        client: Any,
        path: str,
        clock: Clock,
        retrier: Retrier,
        *,
        lease_seconds: int,
        wait_seconds: float,
        timeout_seconds: float,
    ) -> None:
        """The walk ends when nothing came for `wait_seconds`. A walk that dies holds its letters for the lease."""
        self._client = client
        self._path = path
        self._clock = clock
        self._retry = retrier
        self._lease_seconds = lease_seconds
        self._wait = wait_seconds
        self._said = Subscription(client, path, retrier, timeout_seconds=timeout_seconds)
        self._held: dict[str, str] = {}
        self.complete = True
        """Whether the walk ended because nothing more came."""

    async def walk(self) -> AsyncIterator[Sequence[Any]]:
        """Yield pieces of protobuf `ReceivedMessage`s that were not seen in this walk, until nothing comes any more."""
        seen: set[str] = set()
        silent_since = self._clock.monotonic()
        while len(self._held) < MAX_HELD:
            left = silent_since + self._wait - self._clock.monotonic()
            if left <= 0:
                return
            piece = await self._retry(f"pulling from {self._path}", partial(self._pull, left))
            if not piece:
                continue
            asked_for = [message.ack_id for message in piece]
            await self._retry("leasing dead letters", partial(self._said.extend, asked_for, self._lease_seconds))
            self._held.update({message.message.message_id: message.ack_id for message in piece})
            fresh = [message for message in piece if message.message.message_id not in seen]
            seen.update(message.message.message_id for message in fresh)
            if fresh:
                yield fresh
            silent_since = self._clock.monotonic()
        self.complete = False

    async def _pull(self, seconds: float) -> list[Any]:
        from google.pubsub_v1 import types

        request = types.PullRequest(subscription=self._path, max_messages=MAX_PULL_MESSAGES)
        try:
            answer = await self._client.pull(request=request, retry=None, timeout=max(1.0, min(seconds, _PULL_SECONDS)))
        except google.DeadlineExceeded:
            return []  # nothing came
        return list(types.PullResponse.pb(answer).received_messages)

    async def acknowledge(self, messages: Sequence[Any]) -> None:
        """Take messages out of the subscription for good."""
        await self._said.acknowledge([self._held[message.message.message_id] for message in messages])
        for message in messages:
            del self._held[message.message.message_id]

    @asynccontextmanager
    async def leased(self) -> AsyncIterator[None]:
        """Extend the leases of what is held while the block runs, and give the rest back at its end."""
        keeping = asyncio.ensure_future(self._keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            await self._give_back()

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(self._lease_seconds / 3)
            try:
                await self._said.extend(list(self._held.values()), self._lease_seconds)
            except google.GoogleAPICallError as error:
                # A letter whose lease lapsed comes again, and is known by its id or by its mark.
                logger().warning("leases not extended", reason=describe(error))

    async def _give_back(self) -> None:
        held, self._held = list(self._held.values()), {}
        try:
            await self._said.extend(held, 0)
        except google.GoogleAPICallError as error:
            logger().warning("letters not given back; their leases lapse", reason=describe(error))
