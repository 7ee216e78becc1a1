"""Keeps the leases of what is held, and tells the metrics how much that is."""

import random
from collections.abc import Sequence

from carts_consumer.chunk import Chunk
from carts_consumer.leases import LeaseBook
from carts_consumer.settings import ConsumerSettings
from carts_consumer.subscription import Subscription, all_ids
from dataplatform.clock import Clock
from dataplatform.logs import logger
from dataplatform.metrics import ConsumerMetrics
from dataplatform.retry import describe


class LeaseKeeper:
    """Extends leases in time, in batches. `run()` works until cancelled."""

    def __init__(
        self,
        leases: LeaseBook,
        subscription: Subscription,
        settings: ConsumerSettings,
        clock: Clock,
        metrics: ConsumerMetrics,
    ) -> None:
        self._leases = leases
        self._subscription = subscription
        self._settings = settings
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Look about once a second which leases are due."""
        pause = min(1.0, self._settings.lease_seconds / 12)
        while True:
            # Jitter: consumers that started together must not all ask at once.
            await self._clock.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter is no secret
            self._observe()
            await self._extend()

    async def _extend(self) -> None:
        asked_at = self._clock.monotonic()
        due = self._leases.due(asked_at)
        if not due:
            return
        try:
            await self._subscription.extend(all_ids(due), self._settings.lease_seconds)
        except Exception as error:  # noqa: BLE001 - the next round tries again; a lost lease is handled where it counts
            logger().warning("leases not extended", reason=describe(error))
            return
        for chunk in due:
            self._leases.extended(chunk, asked_at)
        self._metrics.lease_extensions.inc(sum(len(chunk.ack_ids) for chunk in due))

    async def give_back(self, chunks: Sequence[Chunk]) -> None:
        """Return messages to Pub/Sub, so that others need not wait for the leases to lapse: a courtesy."""
        try:
            await self._subscription.extend(all_ids(chunks), 0)
        except Exception as error:  # noqa: BLE001 - the leases lapse by themselves
            logger().warning("messages not given back", reason=describe(error))
        else:
            self._metrics.nacked.inc(sum(len(chunk.ack_ids) for chunk in chunks))

    def _observe(self) -> None:
        size = self._leases.size
        oldest = self._leases.oldest
        messages = self._leases.messages
        self._metrics.outstanding.set(messages)
        self._metrics.outstanding_bytes.set(size)
        # Small events meet the bound of messages first, large ones that of bytes.
        self._metrics.saturation.set(
            max(size / self._settings.max_outstanding_bytes, messages / self._settings.max_outstanding_messages)
        )
        self._metrics.oldest_seconds.set(0 if oldest is None else self._clock.monotonic() - oldest)
