"""Sees a flush through: archive and append side by side, quarantine what is refused, acknowledge at last."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carts_consumer.append import BadRows
from carts_consumer.archive import Archive
from carts_consumer.batch import Batch
from carts_consumer.decode import Invalid, moment
from carts_consumer.parts import Parts
from carts_consumer.subscription import all_ids
from dataplatform.clock import Clock
from dataplatform.errors import UnavailableError
from dataplatform.logs import logger
from dataplatform.metrics import ConsumerMetrics


@dataclass(frozen=True, slots=True)
class Flush:
    """A batch on its way out. Its rows are with the appender already, whose answer is `bad_rows`.

    `messages` are the batch's valid messages, `fresh` the places of those that became rows, in the order of the rows.
    `oldest` is the earliest `observed_at`, in microseconds since 1970.
    """

    batch: Batch
    messages: Sequence[Any]
    oldest: int | None
    fresh: Sequence[int]
    archive: Archive | None
    invalid: Sequence[Invalid]
    bad_rows: asyncio.Future[BadRows]


class Deliverer:
    """Finishes flushes, any number at once."""

    def __init__(self, parts: Parts, clock: Clock, metrics: ConsumerMetrics) -> None:
        self._parts = parts
        self._clock = clock
        self._metrics = metrics

    async def deliver(self, flush: Flush) -> list[int]:
        """Return when every message of the batch is durable and was acknowledged, or will come again.

        Returns the places of messages whose rows BigQuery refused; quarantine holds them.
        """
        started = self._clock.monotonic()
        try:
            async with asyncio.TaskGroup() as work:
                if flush.archive is not None:
                    work.create_task(self._archive(flush.archive))
                if flush.invalid:
                    work.create_task(self._quarantine(flush.invalid, "decode"))
                bad = await flush.bad_rows
        finally:
            flush.bad_rows.cancel()
        self._metrics.append_seconds.observe(self._clock.monotonic() - started)
        self._metrics.rows_appended.inc(len(flush.fresh) - len(bad))
        if flush.oldest is not None:
            self._metrics.lateness_seconds.observe((self._clock.now() - moment(flush.oldest)).total_seconds())
        refused = {flush.fresh[row]: message for row, message in bad.items()}
        if refused:
            await self._quarantine(
                [Invalid(flush.messages[place], "append_refused", message) for place, message in refused.items()],
                "append",
            )
        await self._acknowledge(flush.batch)
        return list(refused)

    async def _archive(self, made: Archive) -> None:
        started = self._clock.monotonic()
        await self._parts.storage(lambda: self._parts.zone.create(made.name, made.data, metadata=made.metadata))
        self._metrics.archive_seconds.observe(self._clock.monotonic() - started)
        self._metrics.bytes_archived.inc(len(made.data))

    async def _quarantine(self, invalid: Sequence[Invalid], stage: str) -> None:
        now = self._clock.now()
        put = self._parts.quarantine.put
        await self._parts.bigquery(
            lambda: self._parts.bigquery.retrier("quarantining", lambda: put(invalid, now, stage=stage))
        )
        for item in invalid:
            self._metrics.quarantined.labels(item.reason).inc()
        logger().warning("messages quarantined", count=len(invalid), stage=stage, example=invalid[0].detail)

    async def _acknowledge(self, batch: Batch) -> None:
        ids = all_ids(batch.chunks)
        try:
            await self._parts.subscription.acknowledge(ids)
        except UnavailableError as error:
            # They come again, and the guard finds their rows.
            logger().warning("not acknowledged", messages=len(ids), reason=str(error))
        else:
            self._metrics.acknowledged.inc(len(ids))
