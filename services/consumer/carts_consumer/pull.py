"""One streaming pull: reads answers, opens the stream again when it ends.

Pub/Sub ends every stream now and then; that is normal. A stream that stays silent is opened again too, because
streams were seen to stall without an error. A stream that was not read for a while, because the process was frozen or
the pipeline had no room, is dropped with what lies unread in it: the leases of those messages run since they were sent,
and others may have been given them meanwhile. It is dropped as soon as that is so, lest Pub/Sub send into it again and
again, and each time count a delivery attempt.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

from google.pubsub_v1 import types

from dataplatform.clock import Clock
from dataplatform.retry import RetryPolicy, Verdict, classify, describe

_SILENT_SECONDS = 300.0
_TICK_SECONDS = 1.0
_CONNECT_SECONDS = 5.0
#: A stream that lived so long ended for a reason of its own: the next one is opened without much delay.
_SOUND_SECONDS = 10.0
#: Share of the lease that messages may lie unread; the pipeline counts the rest from when they are read.
UNREAD_SHARE = 0.25


class Listener(Protocol):
    """Who wants to know how a stream fares."""

    def stream_ended(self, reason: str) -> None:
        """The stream ended and will be opened again."""
        ...

    def stream_alive(self) -> None:
        """The stream is open: an answer came, or it is quietly waiting for one."""
        ...


OnMessages = Callable[[Sequence[Any]], Awaitable[None]]


class PullStream:
    """Calls `on_messages` with the protobuf messages of each answer; not reading meanwhile is the backpressure."""

    def __init__(
        self,
        client: Any,
        subscription: str,
        clock: Clock,
        listener: Listener,
        on_messages: OnMessages,
        *,
        lease_seconds: int,
        max_messages: int,
        max_bytes: int,
        generation: Callable[[], int] = int,
    ) -> None:
        """`client` is a `SubscriberAsyncClient`; Pub/Sub sends no more than the bounds before acknowledgements.

        When `generation` changes, the client has another channel, and the stream is opened again on that.
        """
        self._client = client
        self._generation = generation
        self._unread_seconds = lease_seconds * UNREAD_SHARE
        self._first = types.StreamingPullRequest(
            subscription=subscription,
            stream_ack_deadline_seconds=lease_seconds,
            max_outstanding_messages=max_messages,
            max_outstanding_bytes=max_bytes,
        )
        self._clock = clock
        self._listener = listener
        self._on_messages = on_messages
        self._policy = RetryPolicy(deadline_seconds=float("inf"), maximum_seconds=3)

    async def run(self) -> None:
        """Pull until cancelled.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: subscription missing or permission denied.
        """
        attempt = 0
        while True:
            opened = self._clock.monotonic()
            try:
                reason = await self._stream()
            except Exception as error:
                if classify(error) is not Verdict.TRANSIENT:
                    raise
                reason = describe(error)
            self._listener.stream_ended(reason)
            attempt = 1 if self._clock.monotonic() - opened > _SOUND_SECONDS else attempt + 1
            await self._clock.sleep(self._policy.delay(attempt, random.random()))  # noqa: S311 - jitter is no secret

    async def _requests(self, ended: asyncio.Event) -> AsyncIterator[Any]:
        yield self._first
        await ended.wait()  # the stream lives as long as its request side is open

    async def _stream(self) -> str:
        """Read one stream to its end and return why it ended."""
        ended, generation = asyncio.Event(), self._generation()
        async with asyncio.timeout(_CONNECT_SECONDS):  # a call waits for its channel to connect, however long
            call = await self._client.streaming_pull(requests=self._requests(ended), retry=None, timeout=None)
        try:
            read_at = self._clock.monotonic()
            while True:
                reading = asyncio.ensure_future(call.read())
                try:
                    began = self._clock.monotonic()
                    while not reading.done():
                        await asyncio.wait({reading}, timeout=_TICK_SECONDS)
                        now = self._clock.monotonic()
                        if now - read_at > self._unread_seconds:
                            return f"it was not read for {now - read_at:.0f} s"
                        read_at = now
                        if now - began > _SILENT_SECONDS:
                            return "it was silent"
                        if generation != self._generation():
                            return "it could not connect"
                        self._listener.stream_alive()
                    response = reading.result()
                finally:
                    reading.cancel()
                if not isinstance(response, types.StreamingPullResponse):
                    return "it was closed"
                messages = types.StreamingPullResponse.pb(response).received_messages
                if messages and not await self._deliver(call, messages):
                    return "there was no room for what it holds"
        finally:
            ended.set()  # a call that the server ended does not end its requests
            call.cancel()

    async def _deliver(self, call: Any, messages: Sequence[Any]) -> bool:
        """Hand messages over, however long that takes; return False when the stream was dropped meanwhile."""
        dropped = False

        def drop() -> None:
            nonlocal dropped
            dropped = True
            call.cancel()

        timer = asyncio.get_running_loop().call_later(self._unread_seconds, drop)
        try:
            await self._on_messages(messages)
        finally:
            timer.cancel()
        return not dropped
