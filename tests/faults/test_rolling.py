"""Rolling restarts under load: the old one gets SIGTERM while the new one runs already, as a Deployment does it."""

import time
from contextlib import AsyncExitStack

import pytest

from .consumers import Consumer
from .world import World, eventually, load

#: What a pod is given between SIGTERM and SIGKILL.
_GRACE_SECONDS = 30.0
#: The embedded BigQuery takes fewer rows a second than the consumers do: more than this need not wait for it.
_MOST_WAITING = 20_000


async def _roll(world: World, *, restarts: int, per_second: int) -> None:
    """Restart so often under load; print the rate that was reached and how long each exit took."""
    exits: list[float] = []
    peak = 0
    async with AsyncExitStack() as held:
        old = await held.enter_async_context(Consumer(world.direct, "c0"))
        began = time.monotonic()
        async with load(world, per_second=per_second, most_waiting=_MOST_WAITING):
            for number in range(1, restarts + 1):
                new = await held.enter_async_context(Consumer(world.direct, f"c{number}"))
                received = await new.metric("consumer_messages_received_total")
                await _received_more(new, received)
                assert await old.metric("consumer_messages_received_total"), "the old one had no work"
                exits.append(await old.stop(_GRACE_SECONDS))
                peak = max(peak, old.peak_rss_bytes)
                old = new
            published, seconds = len(world.published), time.monotonic() - began
        drained = await world.all_acknowledged(seconds=600)
        exits.append(await old.stop(_GRACE_SECONDS))
    expired = await world.expired()
    counts = await world.counts()
    print(  # noqa: T201 - the numbers of a campaign
        f"rolling: {restarts} restarts, {published / seconds:.0f} events/s published, drained in {drained:.0f} s, "
        f"slowest exit {max(exits):.1f} s, {expired} leases expired, peak {peak >> 20} MiB, {counts}"
    )
    assert counts.doubled == 0


async def _received_more(consumer: Consumer, than: int) -> None:
    async def more() -> bool:
        return await consumer.metric("consumer_messages_received_total") > than

    await eventually(more, "the new one at work")


async def test_two_rolling_restarts_lose_and_double_nothing(world: World) -> None:
    await _roll(world, restarts=2, per_second=300)


@pytest.mark.long
async def test_ten_rolling_restarts_under_full_load_lose_and_double_nothing(world: World) -> None:
    await _roll(world, restarts=10, per_second=5_000)
