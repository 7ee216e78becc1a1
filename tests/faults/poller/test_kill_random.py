"""The poller killed at random moments, while the shop changes all the time and clients push carts."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from carts_poller.pushed import Pushed, attributes, data, ordering_key
from support.poller_truth import GONE, Push, Rule, meaning
from support.poller_witness import microseconds_now
from unit.poller.carts import cart

from .conftest import Campaign

_CHANGES_A_SECOND = 20
_PUSHES_A_SECOND = 10


@asynccontextmanager
async def changing(campaign: Campaign, rng: Random, *, pushing: bool) -> AsyncIterator[None]:
    """Change the shop, and push carts, while the block runs. What is pushed may contradict the shop."""
    pause = asyncio.Lock()

    async def change() -> None:
        while True:
            async with pause:
                await campaign.shop.change(1)
            await asyncio.sleep(1 / _CHANGES_A_SECOND)

    async def push() -> None:
        while True:
            async with pause:
                await pushed(campaign, rng)
            await asyncio.sleep(1 / _PUSHES_A_SECOND)

    tasks = [asyncio.create_task(change()), *([asyncio.create_task(push())] if pushing else [])]
    try:
        yield
    finally:
        async with pause:  # what is under way is finished and noted
            for task in tasks:
                task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def pushed(campaign: Campaign, rng: Random) -> None:
    """Push one cart, as the push service passes it on, and note it when Pub/Sub has confirmed it."""
    number = rng.randrange(1, 8)
    what = None if rng.random() < 0.2 else cart(number, (2, rng.randrange(3)))
    one = Pushed("fakestore", number, None if what is None else json.dumps(what), microseconds_now(), None)
    message = {"data": data(one), "attributes": attributes(one), "ordering_key": ordering_key(one)}
    await campaign.publisher.publish(request={"topic": campaign.platform.push_topic_path, "messages": [message]})
    campaign.pushes.append(Push(number, GONE if what is None else meaning(what), one.accepted_at))


async def kill_at_random_moments(campaign: Campaign, seed: int, kills: int, *, pushing: bool) -> None:
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = Random(seed)
    # Carts that a client pushed and the shop does not know are missing in answers; how many the judge can't know.
    campaign.extra |= {
        "EYDP_POLLER_PUSHES": str(pushing).lower(),
        "EYDP_POLLER_MAX_MISSING_RATIO": "1",
        "EYDP_POLLER_PUBLISH_BATCH_MESSAGES": "2",
        "EYDP_POLLER_LEASE_SECONDS": "1",
    }
    await campaign.shop.settings(etags=rng.random() < 0.5)
    async with changing(campaign, rng, pushing=pushing):
        for kill in range(kills):
            async with campaign.poller(f"killed-{kill}", segments=rng.choice([None, 2, 5])) as process:
                await process.logged("poller started")
                # From before it has the lease to some polls after.
                await asyncio.sleep(rng.choice([rng.uniform(0, 1.2), rng.uniform(1, 2.5)]))
                await process.kill()
            campaign.account(process)
            await campaign.look()
    async with campaign.poller("survivor") as process:
        await process.logged("polled")
        async with asyncio.timeout(60):
            while await campaign.pushes_left():  # noqa: ASYNC110 - what it waits for happens in other programs
                await asyncio.sleep(0.2)
        # One poll that began after everything else, and one more.
        before = len(process.polled())
        await process.until(lambda: len(process.polled()) >= before + 3)
        await process.stop()
    campaign.account(process)
    await campaign.check(f"{kills} kills, seed {seed}, pushing {pushing}", Rule(max_missing_ratio=1))


@pytest.mark.long
async def test_killed_at_random_moments_every_change_is_told_once(campaign: Campaign) -> None:
    await kill_at_random_moments(campaign, random.randrange(1 << 32), 2, pushing=True)


@pytest.mark.long
@pytest.mark.parametrize("pushing", [False, True], ids=["polled", "polled and pushed"])
@pytest.mark.parametrize("seed", range(5))
async def test_killed_fifty_times_every_change_is_told_once(campaign: Campaign, seed: int, *, pushing: bool) -> None:
    await kill_at_random_moments(campaign, seed, 10, pushing=pushing)
