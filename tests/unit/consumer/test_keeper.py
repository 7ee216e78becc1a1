"""Leases are extended in time, and the metrics tell how full the consumer is."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from carts_consumer.chunk import Chunk
from carts_consumer.decode import Decoded
from carts_consumer.keeper import LeaseKeeper
from carts_consumer.leases import LeaseBook
from carts_consumer.records import Records
from carts_consumer.settings import ConsumerSettings
from dataplatform.metrics import ConsumerMetrics
from support.clock import FakeClock
from support.events import event, received


@dataclass
class Subscription:
    """Notes what is extended; the first requests fail as often as is asked for."""

    failures: int = 0
    extended: list[tuple[str, int]] = field(default_factory=list)

    async def extend(self, ack_ids: Sequence[str], seconds: int) -> None:
        if self.failures:
            self.failures -= 1
            raise TimeoutError
        self.extended += [(ack_id, seconds) for ack_id in ack_ids]


def _chunk(clock: FakeClock, messages: int, size: int) -> Chunk:
    answer = [received(event(), ack_id=f"a{i}") for i in range(messages)]
    return Chunk.of(answer, Decoded(size=size), Records(), now=clock.monotonic(), lease_seconds=60)


async def _kept(subscription: Subscription, chunk: Chunk, clock: FakeClock, *, seconds: float) -> CollectorRegistry:
    registry = CollectorRegistry()
    settings = ConsumerSettings(lease_seconds=60, max_outstanding_messages=10, max_outstanding_bytes=1_000)
    leases = LeaseBook(60)
    leases.add(chunk)
    keeper = LeaseKeeper(leases, cast("Any", subscription), settings, clock, ConsumerMetrics(registry))
    end = clock.monotonic() + seconds
    task = asyncio.create_task(keeper.run())
    async with asyncio.timeout(20):
        while clock.monotonic() < end:  # noqa: ASYNC110 - the clock moves by itself
            await asyncio.sleep(0)
    task.cancel()
    return registry


@pytest.mark.parametrize(("messages", "size", "full"), [(8, 100, 0.8), (1, 700, 0.7)])
async def test_saturation_is_that_of_the_bound_that_is_nearer(messages: int, size: int, full: float) -> None:
    clock = FakeClock()
    registry = await _kept(Subscription(), _chunk(clock, messages, size), clock, seconds=3)
    assert registry.get_sample_value("consumer_buffer_saturation_ratio") == pytest.approx(full)


@pytest.mark.parametrize("failures", [0, 5])
async def test_a_lease_is_extended_before_it_ends_however_long_the_message_waits(failures: int) -> None:
    clock, subscription = FakeClock(), Subscription(failures)
    chunk = _chunk(clock, 2, 100)
    await _kept(subscription, chunk, clock, seconds=300)
    assert not chunk.lost(clock.monotonic())
    assert set(subscription.extended) == {("a0", 60), ("a1", 60)}
    assert 8 <= len(subscription.extended) / 2 <= 12  # at about half of each lease


async def test_a_lease_that_could_not_be_extended_is_lost_and_not_extended_any_more() -> None:
    clock, subscription = FakeClock(), Subscription(failures=1_000)
    chunk = _chunk(clock, 1, 100)
    await _kept(subscription, chunk, clock, seconds=100)
    assert chunk.lost(clock.monotonic())
    subscription.failures = 0
    await _kept(subscription, chunk, clock, seconds=100)
    assert subscription.extended == []
