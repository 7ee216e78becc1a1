"""The poller killed exactly at each step of a poll: proxies hold the very request or answer of that step.

Every test looks, at the moment of the kill, at what is in the journal and what is published, so that it is known which
step was hit.
"""

from dataclasses import dataclass, field

import pytest

from support.poller_process import PollerProcess
from support.proxy import Hold, Moment

from .conftest import Campaign

_CARTS = 7
#: Proxy and name of the calls of each step.
HEAD = ("storage", "head.json")
SEGMENT = ("storage", "/log/")
UPLOAD = ("storage", "POST /upload/")
BASE = ("storage", "/base/")
REMOVAL = ("storage", "DELETE ")
PUBLISH = ("pubsub", "Publisher/Publish")


@dataclass(frozen=True, slots=True)
class Where:
    """The n-th call of a kind from when the one before it was reached, before it is passed on or before its answer."""

    call: tuple[str, str]
    moment: Moment
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """Where the poller is killed: at the last of `ways`, each of which is looked out for after the one before it.

    `saved` says whether the changes are in the journal then, `told` how many of the seven are published.
    """

    name: str
    ways: tuple[Where, ...]
    saved: bool
    told: int
    segments: int | None = field(default=None)


STEPS = (
    Step("opening, lease not written", (Where(HEAD, "request", 2),), saved=False, told=0),
    Step("opening, lease not answered", (Where(UPLOAD, "answer"),), saved=False, told=0),
    Step("opening, journal not read", (Where(SEGMENT, "request"),), saved=False, told=0),
    Step("segment half sent", (Where(SEGMENT, "half"),), saved=False, told=0),
    Step("segment not answered", (Where(SEGMENT, "half"), Where(SEGMENT, "answer")), saved=True, told=0),
    Step("nothing published", (Where(PUBLISH, "request"),), saved=True, told=0),
    Step("half published", (Where(PUBLISH, "request", 3),), saved=True, told=4),
    Step("half published, not answered", (Where(PUBLISH, "answer", 2),), saved=True, told=4),
    Step("all published, not confirmed", (Where(PUBLISH, "answer", 4), Where(HEAD, "request")), saved=True, told=7),
    Step("base not sent", (Where(BASE, "request"),), saved=True, told=7, segments=1),
    Step("base not answered", (Where(BASE, "answer"),), saved=True, told=7, segments=1),
    Step("base not yet in the head", (Where(BASE, "answer"), Where(HEAD, "request")), saved=True, told=7, segments=1),
    Step(
        "base in the head, not answered", (Where(BASE, "answer"), Where(HEAD, "answer")), saved=True, told=7, segments=1
    ),
    Step("first segment not removed", (Where(REMOVAL, "request"),), saved=True, told=7, segments=1),
    Step("second segment not removed", (Where(REMOVAL, "request", 2),), saved=True, told=7, segments=1),
)
#: What `make test` runs; the rest belongs to `make test-long`.
_SHORT = "half published"


async def bring_to(campaign: Campaign, process: PollerProcess, step: Step) -> None:
    """Bring the process to the step, and keep it there."""
    before: Hold | None = None
    for where in step.ways:
        proxy, call = where.call
        hold = getattr(campaign, proxy).faults.add(Hold(call, where.moment, where.nth))
        if before:
            before.release()
        else:
            await process.__aenter__()
        await hold.reached()
        before = hold


@pytest.mark.parametrize(
    "step", [pytest.param(one, id=one.name, marks=() if one.name == _SHORT else pytest.mark.long) for one in STEPS]
)
async def test_killed_at_a_step_every_change_is_told_once(campaign: Campaign, step: Step) -> None:
    campaign.extra |= {"EYDP_POLLER_PUBLISH_BATCH_MESSAGES": "2", "EYDP_POLLER_PUBLISH_MAX_IN_FLIGHT": "1"}
    await campaign.once("first")
    saved, told = await campaign.look()
    assert (saved, told) == (_CARTS, _CARTS)
    for number in range(1, _CARTS + 1):
        await campaign.shop.patch("carts", number, products=[{"productId": 1, "quantity": 90 + number}])

    process = campaign.poller("killed", segments=step.segments)
    try:
        await bring_to(campaign, process, step)
        saved, told = await campaign.look()
    finally:
        await process.kill()
        campaign.clear_faults()
    assert (saved - _CARTS, told - _CARTS) == (_CARTS if step.saved else 0, step.told), "not at the step"
    campaign.account(process)

    await campaign.shop.patch("carts", 1, products=[])
    await campaign.once("survivor")
    await campaign.shop.patch("carts", 2, products=[])
    await campaign.once("last")
    await campaign.check(f"kill: {step.name}")
