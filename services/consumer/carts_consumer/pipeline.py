"""The way of a message: take → decode → batch → deduplicate → archive and append, side by side → acknowledge.

Batches are dispatched one after the other, so that appends happen in the order in which messages were taken; up to
`max_batches_in_flight` of them are then archived and appended at once. A message is acknowledged only when its line
is in the bucket and its row is in the table, or when quarantine holds it. Whatever else happens, it is not
acknowledged, and Pub/Sub gives it to somebody again.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from carts_consumer import archive, columns, rows
from carts_consumer.batch import Batch, BatchBuilder, Reason
from carts_consumer.chunk import Chunk
from carts_consumer.circuit import Circuit
from carts_consumer.decode import decode, microseconds, moment
from carts_consumer.deliver import Deliverer, Flush
from carts_consumer.keeper import LeaseKeeper
from carts_consumer.leases import LeaseBook
from carts_consumer.parts import Parts
from carts_consumer.pull import UNREAD_SHARE
from carts_consumer.records import Records, records
from carts_consumer.settings import ConsumerSettings
from carts_consumer.window import Window
from dataplatform.clock import Clock
from dataplatform.health import Health
from dataplatform.logs import logger
from dataplatform.metrics import ConsumerMetrics
from dataplatform.models import partition_range
from dataplatform.redrive import MARK
from dataplatform.retry import describe


class Pipeline:
    """Takes messages and sees them through. `run()` works until cancelled; `drain()` finishes what is held."""

    def __init__(
        self, parts: Parts, settings: ConsumerSettings, clock: Clock, metrics: ConsumerMetrics, health: Health
    ) -> None:
        self._parts = parts
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._health = health
        self.leases = LeaseBook(settings.lease_seconds)
        self._keeper = LeaseKeeper(self.leases, parts.subscription, settings, clock, metrics)
        self._deliverer = Deliverer(parts, clock, metrics)
        self.circuit = Circuit(
            max_ratio=settings.circuit_max_ratio,
            min_messages=settings.circuit_min_messages,
            max_run=settings.circuit_max_run,
            cooldown_seconds=settings.circuit_cooldown_seconds,
        )
        self._builder = BatchBuilder(
            max_rows=settings.flush_max_rows,
            max_bytes=settings.flush_max_bytes,
            max_age_seconds=settings.flush_max_age_seconds,
        )
        self._window = Window(settings.dedup_window)
        self._slots = asyncio.Semaphore(settings.max_batches_in_flight)
        self._closed: asyncio.Queue[Batch] = asyncio.Queue()
        self._in_flight: dict[asyncio.Task[None], Batch] = {}
        self._opened = asyncio.Event()
        self._freed = asyncio.Event()
        self._sequence = 0
        self.last_received = clock.monotonic()

    # -- taking

    async def take(self, messages: Sequence[Any]) -> bool:
        """Take the messages of one answer; return False when the circuit opened on them.

        Returns when there is room for more: a caller that waits here does not read, and that is the backpressure.
        """
        now = self._clock.monotonic()
        lease = self._settings.lease_seconds * (1 - UNREAD_SHARE)  # the messages may have lain unread for the rest
        decoded = decode(messages, partition_range(self._clock.now()))
        self._metrics.received.inc(len(messages))
        self.last_received = now
        # Redriven messages are known to the quarantine already: they tell nothing about what is produced now.
        suspicious = sum(MARK not in item.message.message.attributes for item in decoded.invalid)
        if not self.circuit.observe(len(decoded.events), suspicious, now):
            logger().error("circuit opened", reason=self.circuit.reason, example=decoded.invalid[0].detail)
            return False  # neither quarantined nor acknowledged: the leases lapse
        chunk = Chunk.of(messages, decoded, records(decoded, self._parts.row_type), now=now, lease_seconds=lease)
        self.leases.add(chunk)
        self._builder.add(chunk)
        self._opened.set()
        if (reason := self._builder.due(now)) is not None:
            await self._close(reason)
        while self.leases.size > self._settings.max_outstanding_bytes:
            self._freed.clear()
            await self._freed.wait()
        return True

    async def _close(self, reason: Reason) -> None:
        batch = self._builder.take(reason)
        self._metrics.flushes.labels(reason).inc()
        self._metrics.flush_rows.observe(batch.messages)
        self._closed.put_nowait(batch)
        while self._closed.qsize() > 1:  # one batch may wait while the slots are taken; then the intake does
            self._freed.clear()
            await self._freed.wait()

    # -- working

    async def run(self) -> None:
        """Work until cancelled; raises only on a bug."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._flush_by_age())
            tasks.create_task(self._dispatch_all(tasks))
            tasks.create_task(self._append_all())
            tasks.create_task(self._keeper.run())

    async def drain(self) -> None:
        """Flush and wait until nothing is held any more. The intake must have stopped."""
        if self._builder:
            await self._close("shutdown")
        while self.leases:
            self._freed.clear()
            await self._freed.wait()

    async def give_back(self) -> None:
        """Return what is still held to Pub/Sub, so that others need not wait for the leases to lapse."""
        chunks = list(self.leases)
        for chunk in chunks:
            self._settle(chunk)
        await self._keeper.give_back(chunks)

    async def _flush_by_age(self) -> None:
        while True:
            await self._opened.wait()
            self._opened.clear()
            while self._builder:
                await self._clock.sleep(self._builder.due_at - self._clock.monotonic())
                if self._builder.due(self._clock.monotonic()) == "age":
                    await self._close("age")

    async def _dispatch_all(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            batch = await self._closed.get()
            await self._slots.acquire()
            self._freed.set()
            await self._dispatch(batch, tasks)

    async def _dispatch(self, batch: Batch, tasks: asyncio.TaskGroup) -> None:
        for chunk in batch.drop_lost(self._clock.monotonic()):
            self._metrics.lost_leases.inc(len(chunk.ack_ids))
            self._settle(chunk)
        taken, invalid = Records(), []
        for chunk in batch.chunks:
            taken.extend(chunk.release())
            invalid += chunk.invalid
        fresh = await self._fresh(taken)
        made = None
        uri = ""
        if taken:
            self._sequence += 1
            made = archive.build(self._settings.name, self._sequence, taken.lines, taken.published)
            uri = self._parts.zone.uri(made.name)
        bad_rows = asyncio.ensure_future(
            self._parts.appender.submit(
                self._whole_rows(taken, fresh, uri), lambda: not batch.lost(self._clock.monotonic())
            )
        )
        flush = Flush(batch, taken.messages, min(taken.observed, default=None), fresh, made, invalid, bad_rows)
        task = tasks.create_task(self._finish(flush, taken.event_ids))
        self._in_flight[task] = batch
        task.add_done_callback(self._finished)

    async def _fresh(self, taken: Records) -> list[int]:
        """Return the places of the records that the table does not hold yet."""
        known: frozenset[str] = frozenset()
        if taken.suspects:
            self._metrics.redelivered.inc(len(taken.suspects))
            event_ids = [taken.event_ids[place] for place in taken.suspects]
            observed = [moment(taken.observed[place]) for place in taken.suspects]
            known = await self._parts.bigquery(lambda: self._parts.guard.known(event_ids, observed))
        # Nothing is awaited from here to the submission: the window and the order of appends agree.
        fresh = []
        held = 0
        for place, event_id in enumerate(taken.event_ids):
            if event_id in known:
                held += 1
            elif self._window.add(event_id):
                fresh.append(place)
        self._metrics.deduplicated.labels("warehouse").inc(held)
        self._metrics.deduplicated.labels("window").inc(len(taken) - len(fresh) - held)
        return fresh

    def _whole_rows(self, taken: Records, fresh: Sequence[int], uri: str) -> list[bytes]:
        row_type = self._parts.appender.row_type
        ending = rows.ending(row_type, ingested_at=microseconds(self._clock.now()), raw_uri=uri)
        if not row_type.added:
            return [taken.rows[place] + ending for place in fresh]
        return [
            taken.rows[place] + ending + columns.fill(row_type, taken.messages[place].message.data, self._unfit)
            for place in fresh
        ]

    def _unfit(self, column: str) -> None:
        self._metrics.unfit_values.labels(column).inc()

    async def _finish(self, flush: Flush, event_ids: Sequence[str]) -> None:
        for place in await self._deliverer.deliver(flush):
            self._window.forget(event_ids[place])  # it is in no row: when it is redriven, it must be appended
        for chunk in flush.batch.chunks:
            self._settle(chunk)
        self._health.progress()

    def _settle(self, chunk: Chunk) -> None:
        self.leases.settle(chunk)
        self._freed.set()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(task)
        self._slots.release()
        self._freed.set()

    # -- appending

    async def _append_all(self) -> None:
        """Keep the appender going; after an append whose outcome nobody knows, start over with what is in flight."""
        while True:
            await self._parts.bigquery(self._open_stream)
            try:
                await self._parts.appender.run()
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing is acknowledged and all comes again
                self._parts.bigquery.trouble(describe(error))
                await self._start_over()
                await self._clock.sleep(1)

    async def _open_stream(self) -> None:
        await self._parts.bigquery.retrier("opening a write stream", self._parts.appender.open)

    async def _start_over(self) -> None:
        """Drop the batches in flight unacknowledged and forget which events were appended.

        A later batch may have skipped an event because an earlier one held it; when the earlier one's append is in
        doubt, both must come again, so all go. What was appended after all is found by the redelivery guard.
        """
        tasks = dict(self._in_flight)
        for task in tasks:
            task.cancel()
        # Before anything is awaited: batches that are dispatched from here on are not among those dropped.
        self._parts.appender.forget()
        self._window.clear()
        if tasks:
            await asyncio.wait(tasks)
        chunks = [chunk for batch in tasks.values() for chunk in batch.chunks if not chunk.settled]
        for chunk in chunks:
            self._settle(chunk)
        self._metrics.lost_leases.inc(sum(len(chunk.ack_ids) for chunk in chunks))
        await self._keeper.give_back(chunks)
