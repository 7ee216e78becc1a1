"""Under load, each service fails for a while: nothing is lost or doubled, memory is bounded, and it goes on by itself.

The consumer may write no byte to any file meanwhile, so a full disk changes nothing.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from support.proxy import Delay, Drop, Hold, Refuse

from .consumers import Consumer
from .outages import Connections, Faulty, Names, Outage, at
from .world import World, load, until_acked

_PER_SECOND = 300
_RECOVERY_SECONDS = 10.0
#: The most that a consumer with its default settings may use, whatever waits.
_MEMORY_BYTES = 300 << 20

_UPLOAD = "POST /upload/"
_APPEND = "AppendRows"
#: Messages that were on their way in a broken connection come again when their lease has run out.
_SHORT_LEASES = {"EYDP_CONSUMER_LEASE_SECONDS": "10"}

OUTAGES: dict[str, Outage] = {
    "Cloud Storage answers 503": Faulty(lambda: [at("storage", Refuse, _UPLOAD, "request")]),
    "Cloud Storage drops connections": Faulty(lambda: [at("storage", Drop, _UPLOAD, "request")]),
    "Cloud Storage loses answers": Faulty(lambda: [at("storage", Drop, _UPLOAD, "answer")]),
    "Cloud Storage hangs": Faulty(lambda: [at("storage", Hold, _UPLOAD, "request")]),
    "Cloud Storage takes 5 s": Faulty(lambda: [at("storage", Delay, _UPLOAD, "answer", 5)]),
    "appends fail UNAVAILABLE": Faulty(lambda: [at("append", Refuse, _APPEND, "request")]),
    "appends hang": Faulty(lambda: [at("append", Hold, _APPEND, "request")]),
    "appends are never answered": Faulty(
        lambda: [at("append", Hold, _APPEND, "answer")],
        lost=True,
        settings={"EYDP_CONSUMER_APPEND_TIMEOUT_SECONDS": "5"},
    ),
    "appends kill the stream": Faulty(lambda: [at("append", Drop, _APPEND, "answer")]),
    "appends take 5 s": Faulty(lambda: [at("append", Delay, _APPEND, "answer", 5)]),
    "BigQuery is away": Faulty(lambda: [at("append", Refuse, "/", "request"), at("bigquery", Refuse, "/", "request")]),
    "acknowledgements fail UNAVAILABLE": Faulty(lambda: [at("pubsub", Refuse, "Acknowledge", "request")]),
    "Pub/Sub drops every connection each second": Connections(1, refuse=False, settings=_SHORT_LEASES),
    "Pub/Sub can't be reached": Connections(1, refuse=True, settings=_SHORT_LEASES),
    "names can't be resolved": Names(settings=_SHORT_LEASES),
}


@dataclass(frozen=True, slots=True)
class Result:
    """What one outage did. Times are in seconds."""

    events: int
    doubled: int
    met: int
    recovered_seconds: float
    drained_seconds: float
    peak_mib: int


async def _outlive(world: World, outage: Outage, *, seconds: float, recovery_seconds: float) -> Result:
    async with AsyncExitStack() as held:
        environment = await outage.open(world, held)
        async with Consumer({**environment, **outage.settings}, full_disk=True) as consumer:
            async with load(world, per_second=_PER_SECOND):
                await until_acked(world, _PER_SECOND)
                outage.begin()
                await asyncio.sleep(seconds)  # an outage takes its time
                before = await world.acked()
                await outage.end()
                recovered = await until_acked(world, before + 1, seconds=recovery_seconds)
                await until_acked(world, before + 2 * _PER_SECOND)
            drained = await world.all_acknowledged()
            await consumer.stop()
            peak = consumer.peak_rss_bytes
    assert outage.met, "the consumer did not meet the outage"
    assert not any("Traceback" in line for line in consumer.lines)
    counts = await world.counts()
    return Result(len(world.published), counts.doubled, outage.met, recovered, drained, peak >> 20)


async def test_a_short_outage_of_bucket_and_appends_is_outlived(world: World) -> None:
    # Appends arrive and their connection ends without an answer, again and again.
    outage = Faulty(lambda: [at("storage", Refuse, _UPLOAD, "request"), at("append", Drop, _APPEND, "answer")])
    result = await _outlive(world, outage, seconds=3, recovery_seconds=60)
    assert result.doubled == 0
    assert result.peak_mib << 20 < _MEMORY_BYTES


@pytest.mark.long
@pytest.mark.parametrize("name", OUTAGES)
async def test_outages_are_outlived(world: World, name: str) -> None:
    seconds = 60 if name == "Cloud Storage answers 503" else 20
    result = await _outlive(world, OUTAGES[name], seconds=seconds, recovery_seconds=_RECOVERY_SECONDS)
    print(f"outage: {name}, {seconds} s: {result}")  # noqa: T201 - the numbers of a campaign
    assert result.doubled == 0
    assert result.peak_mib << 20 < _MEMORY_BYTES
