"""The state lost, corrupt or in the hands of another, with real processes."""

import asyncio
import json
import signal
import time
from collections.abc import Iterable

import pytest

from support.poller_process import PollerProcess
from support.poller_truth import findings
from support.proxy import Hold

from .conftest import HEAD, Campaign

_CARTS = 7
_LEASE_SECONDS = 2.0
#: A poller that stands by looks at least so often; twice that, as others use the machine, too.
_LOOK_SECONDS = 10.0

pytestmark = pytest.mark.long


def epochs(messages: Iterable[bytes]) -> dict[int, list[bytes]]:
    """Return the messages by epoch, in the order of time."""
    found: dict[int, list[bytes]] = {}
    for data in messages:
        found.setdefault(json.loads(data)["epoch"], []).append(data)
    return dict(sorted(found.items()))


async def move(campaign: Campaign, name: str, to: str) -> None:
    """Do what `gcloud storage mv` does."""
    found = await campaign.zone.read(name)
    assert found is not None
    await campaign.zone.create(to, found.data)
    await campaign.zone.remove_state(name)


async def every_cart_is_told_anew(campaign: Campaign, before: int) -> None:
    """Look that what was told from the answers `before` on are all carts, in one new epoch, and judge both epochs."""
    await campaign.look(journal=False)  # a part of it is damaged
    first, second = epochs(campaign.messages).values()
    assert len(set(second)) >= _CARTS
    assert findings(campaign.witness.answers[:before], (), first) == []
    assert findings(campaign.witness.answers[before:], (), second) == []


async def test_a_head_that_is_lost_begins_a_new_epoch_and_says_so_once(campaign: Campaign) -> None:
    async with campaign.poller("running") as process:
        await process.logged("polled")
        await campaign.zone.remove_state(HEAD)
        gone = len(process.logs)
        await process.logged("no state found, a new epoch begins with every cart as created", after=gone)
        again = next(n for n, one in enumerate(process.logs) if n >= gone and "new epoch" in one["message"])
        await process.until(lambda: any(one["message"] == "polled" and one["events"] for one in process.logs[again:]))
        await process.stop()
    told = [one for one in process.logs if "new epoch" in one["message"]]
    assert [one["severity"] for one in told] == ["WARNING", "WARNING"]
    await campaign.look()
    assert [len(set(some)) for some in epochs(campaign.messages).values()] == [_CARTS, _CARTS]


#: A head that is missing is a new epoch instead.
_DAMAGES = [
    (kind, damage)
    for kind in ("head.json", "/log/", "/base/")
    for damage in ("cut off", "rubbish", "missing")
    if (kind, damage) != ("head.json", "missing")
]


@pytest.mark.parametrize(("kind", "damage"), _DAMAGES)
async def test_a_state_that_is_damaged_ends_it_with_one_sentence_whose_command_mends_it(
    campaign: Campaign, kind: str, damage: str
) -> None:
    async with campaign.poller("first", segments=1) as process:
        await process.logged("polled")
        await process.stop()
    campaign.account(process)
    for number in (1, 2):  # two segments after the base
        await campaign.shop.patch("carts", number, products=[])
        await campaign.once(f"more-{number}")
    await campaign.look()
    before = len(campaign.witness.answers)
    told = len(campaign.messages)
    name = next(one for one in await campaign.zone.names("_state/poller/") if kind in one)
    found = await campaign.zone.read(name)
    assert found is not None
    await campaign.zone.remove_state(name)
    if damage != "missing":
        await campaign.zone.create(name, found.data[: len(found.data) // 2] if damage == "cut off" else b"rubbish")

    async with campaign.poller("refused") as process:
        assert await process.ended() == 65
    [sentence] = process.errors.splitlines()
    uri = f"gs://{campaign.platform.bucket_name}/{HEAD}"
    assert f"gs://{campaign.platform.bucket_name}/{name} can't be used" in sentence
    assert sentence.endswith(f"`gcloud storage mv {uri} {uri}.corrupt`")
    await campaign.look(journal=False)
    assert len(campaign.messages) == told, "nothing is told from a state that is damaged"

    await move(campaign, HEAD, f"{HEAD}.corrupt")
    await campaign.once("mended")
    await every_cart_is_told_anew(campaign, before)


async def standing_by(campaign: Campaign, process: PollerProcess) -> None:
    """Wait until it stands by, and look that it is ready."""
    port = (await process.logged("poller started"))["metrics_port"]
    await process.logged("standing by, as another poller holds the lease")
    async with campaign.session.get(f"http://127.0.0.1:{port}/readyz") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_the_one_that_stands_by_takes_over(campaign: Campaign, how: signal.Signals) -> None:
    if how == signal.SIGTERM:
        campaign.extra["EYDP_POLLER_LEASE_SECONDS"] = "300"
    async with campaign.poller("holder") as holder, campaign.poller("other") as other:
        await holder.logged("polled")
        await standing_by(campaign, other)
        await campaign.shop.patch("carts", 1, products=[])
        before = len(holder.polled())
        await holder.until(lambda: len(holder.polled()) > before + 1)
        assert not other.polled()

        began = time.monotonic()
        holder.signal(how)
        await holder.ended()
        await campaign.shop.patch("carts", 2, products=[])
        await other.logged("polled")
        took = time.monotonic() - began
        await other.until(lambda: len(other.polled()) > 2)
        await other.stop()
    campaign.account(holder)
    campaign.account(other)
    assert took < _LOOK_SECONDS + _LEASE_SECONDS
    await campaign.check(f"taken over after {how.name} within {took:.1f} s")


@pytest.mark.parametrize("late", [False, True], ids=["lost", "late"])
async def test_one_that_was_frozen_with_a_segment_on_its_way_tells_nothing_twice(
    campaign: Campaign, *, late: bool
) -> None:
    # The other one makes a base meanwhile, so that the number under which the segment arrives late is free again.
    async with campaign.poller("frozen", segments=200) as frozen:
        await frozen.logged("polled")
        hold = campaign.storage.faults.add(Hold("/log/", "request"))
        await campaign.shop.patch("carts", 1, products=[])
        await hold.reached()
        frozen.signal(signal.SIGSTOP)
        campaign.account(frozen)
        async with campaign.poller("other", segments=1, direct=True) as other:
            await other.logged("polled")
            for number in (1, 2, 3):
                await campaign.shop.patch("carts", number, products=[{"productId": number, "quantity": 9}])
                before = len(other.logs)
                await other.until(
                    lambda at=before: any(one["message"] == "polled" and one["events"] for one in other.logs[at:])  # type: ignore[misc]  # mypy can't infer a lambda with a default
                )
            await campaign.look()
            if late:
                hold.release()
            else:
                hold.drop()
            campaign.clear_faults()
            await asyncio.sleep(0)
            before = len(frozen.logs)
            frozen.signal(signal.SIGCONT)
            await frozen.until(
                lambda: any(
                    "standing by" in one["message"] or "lease" in one["message"] for one in frozen.logs[before:]
                )
            )
            await campaign.shop.patch("carts", 4, products=[])
            seen = len(other.polled())
            await other.until(lambda: len(other.polled()) > seen + 3)
            await frozen.stop()
            seen = len(other.polled())
            await other.until(lambda: len(other.polled()) > seen + 1)
            await other.stop()
    campaign.account(other)
    await campaign.check(f"frozen, its segment {'arrives late' if late else 'is lost'}")


async def test_one_that_was_frozen_at_any_moment_tells_nothing_twice(campaign: Campaign) -> None:
    async with campaign.poller("one") as one, campaign.poller("two") as two:
        await one.until(lambda: one.polled() or two.polled())
        for turn in range(6):
            holder = max((one, two), key=lambda each: each.polled()[-1]["timestamp"] if each.polled() else "")
            other = two if holder is one else one
            holder.signal(signal.SIGSTOP)
            seen = len(other.polled())
            await campaign.shop.change(3)
            await other.until(lambda: len(other.polled()) > seen + turn % 3)  # noqa: B023 - it is awaited at once
            await campaign.shop.change(3)
            holder.signal(signal.SIGCONT)
            await other.until(lambda: len(other.polled()) > seen + 5)  # noqa: B023 - likewise
        await one.stop()
        await two.stop()
    await campaign.once("last")
    await campaign.check("frozen six times")
