"""The intake: several streaming pulls that feed one pipeline, and rest while the circuit is open."""

import asyncio
from collections.abc import Sequence
from typing import Any

from carts_consumer.pipeline import Pipeline
from carts_consumer.pull import PullStream
from carts_consumer.settings import ConsumerSettings
from carts_consumer.steadfast import Steadfast
from dataplatform.channel import Renewable
from dataplatform.clock import Clock
from dataplatform.health import Health
from dataplatform.logs import logger
from dataplatform.metrics import ConsumerMetrics


class _CircuitOpenError(Exception):
    """Too many messages are invalid."""


class Intake:
    """Runs the streams until cancelled."""

    def __init__(
        self,
        client: Renewable,
        subscription: str,
        pipeline: Pipeline,
        pubsub: Steadfast,
        settings: ConsumerSettings,
        clock: Clock,
        metrics: ConsumerMetrics,
        health: Health,
    ) -> None:
        """`client` is a `SubscriberAsyncClient` in a `Renewable`."""
        self._client = client
        self._subscription = subscription
        self._pipeline = pipeline
        self._pubsub = pubsub
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._health = health

    async def run(self) -> None:
        """Pull; rest while the circuit is open; look again while the subscription is missing."""
        while True:
            self._health.up("circuit")
            try:
                await self._pubsub(self._pull)
            except _CircuitOpenError:
                self._metrics.circuit_open.set(1)
                self._health.down("circuit", self._pipeline.circuit.reason)
                while self._pipeline.circuit.open(self._clock.monotonic()):
                    self._health.progress()
                    await self._clock.sleep(0.2)
                self._metrics.circuit_open.set(0)

    async def _pull(self) -> None:
        count = self._settings.streams
        try:
            async with asyncio.TaskGroup() as streams:
                for _ in range(count):
                    stream = PullStream(
                        self._client,
                        self._subscription,
                        self._clock,
                        self,
                        self._take,
                        lease_seconds=self._settings.lease_seconds,
                        max_messages=max(1, self._settings.max_outstanding_messages // count),
                        max_bytes=max(1, self._settings.max_outstanding_bytes // count),
                        generation=lambda: self._client.generation,
                    )
                    streams.create_task(stream.run())
        except BaseExceptionGroup as group:
            raise _first(group) from group

    async def _take(self, messages: Sequence[Any]) -> None:
        if not await self._pipeline.take(messages):
            raise _CircuitOpenError

    def stream_ended(self, reason: str) -> None:
        """Count the end of a stream; only trouble that lasts makes the consumer not ready."""
        self._metrics.stream_ends.labels("pull").inc()
        logger().info("pull stream ended", reason=reason)

    def stream_alive(self) -> None:
        """Note that messages may come; an idle consumer makes progress by waiting."""
        self._pubsub.recovered()
        if not self._pipeline.leases:
            self._health.progress()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended the streams: they end together, with the first one's reason."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
