"""Pushed and polled carts in one history, with the real poller between a shop and emulators."""

import json
import time
from typing import Any

import pytest

from carts_poller.pushed import Pushed, attributes, data, ordering_key
from support import golden

from .conftest import World, finished, logged, terminated, until


async def push(world: World, *pushed: Pushed) -> None:
    for one in pushed:
        message = {"data": data(one), "attributes": attributes(one), "ordering_key": ordering_key(one)}
        await world.publisher.publish(request={"topic": world.platform.push_topic_path, "messages": [message]})


def cart(number: int, quantity: int, *, at: int, request: str | None = None) -> Pushed:
    text = json.dumps(
        {
            "id": number,
            "userId": 1,
            "date": "2026-11-24T00:00:00.000Z",
            "products": [{"productId": 1, "quantity": quantity}],
        }
    )
    return Pushed("fakestore", number, text, at, request)


def microseconds_now() -> int:
    return time.time_ns() // 1000


def told(events: list[dict[str, Any]], number: int) -> list[tuple[int, str, int | None]]:
    """Return version, type and quantity of the events of one cart."""
    return sorted(
        (event["version"], event["event_type"], event["cart"] and event["cart"]["products"][0]["quantity"])
        for event in events
        if event["cart_id"] == number
    )


async def test_a_cart_that_is_pushed_and_polled_has_one_history(world: World) -> None:
    world.extra["EYDP_POLLER_PUSHES"] = "true"
    process = await world.start()
    await logged(process, "polled")
    await world.events(golden.CARTS)

    now = microseconds_now()
    change = cart(1, 5, at=now)
    assert change.text is not None
    # The shop shows the change and pushes it: whichever is seen first, it is one event.
    await world.shop.patch("carts", 1, **{k: v for k, v in json.loads(change.text).items() if k != "id"})
    await push(world, change, change, cart(1, 5, at=now + 1))
    first = await world.events(1)
    # A push that was accepted before what is known by now is too late to count.
    await push(world, cart(1, 4, at=now - 60_000_000))
    await world.shop.delete("carts", 2)
    await push(world, Pushed("fakestore", 2, None, microseconds_now(), None))
    second = await world.events(1)
    run = await terminated(process)

    assert told(first, 1) == [(2, "cart_updated", 5)]
    assert told(second, 2) == [(2, "cart_deleted", None)]
    assert (run.code, run.errors) == (0, "")


async def test_pushes_of_one_cart_keep_their_order_and_a_retried_request_counts_once(world: World) -> None:
    world.extra |= {"EYDP_POLLER_PUSHES": "true", "EYDP_POLLER_INTERVAL_SECONDS": "600"}
    process = await world.start()
    await logged(process, "polled")
    await world.events(golden.CARTS)

    now = microseconds_now()
    first = cart(1, 5, at=now, request="a" * 16)
    await push(world, first, cart(1, 6, at=now + 1), cart(1, 7, at=now + 2))
    events = await world.events(3)
    # The client did not see the answer to its first request and sends it again: the cart does not go back.
    await push(world, cart(1, 5, at=now + 3, request="a" * 16), cart(1, 8, at=now + 4))
    events += await world.events(1)
    process.kill()
    await finished(process)

    assert told(events, 1) == [(version, "cart_updated", version + 3) for version in (2, 3, 4, 5)]


async def test_what_is_no_pushed_cart_is_kept_in_quarantine_and_the_others_go_on(world: World) -> None:
    world.extra["EYDP_POLLER_PUSHES"] = "true"
    process = await world.start()
    await logged(process, "polled")
    await world.events(golden.CARTS)

    await world.publisher.publish(request={"topic": world.platform.push_topic_path, "messages": [{"data": b"junk"}]})
    await push(world, cart(1, 5, at=microseconds_now() + 60_000_000))
    await world.events(1)

    async def kept() -> bool:
        return bool(await world.zone.names("quarantine/"))

    await until(kept)
    await terminated(process)


@pytest.mark.long
async def test_pushed_carts_that_a_killed_poller_had_not_acknowledged_are_told_once(world: World) -> None:
    await world.poll_once()
    await world.events(golden.CARTS)
    await push(world, cart(1, 5, at=microseconds_now()), cart(1, 6, at=microseconds_now() + 1))
    await world.reject_publishing()
    await world.shop.misbehave("status", status=503, routes="/carts")  # only what is pushed is seen from here on
    world.extra |= {"EYDP_POLLER_PUSHES": "true", "EYDP_POLLER_INTERVAL_SECONDS": "600"}
    process = await world.start()
    await until(world.pending)
    process.kill()
    await finished(process)

    await world.accept_publishing()
    process = await world.start()
    events = await world.events(2)
    await terminated(process)

    assert told(events, 1) == [(2, "cart_updated", 5), (3, "cart_updated", 6)]


async def test_without_the_subscription_of_pushed_carts_it_says_so_and_how_to_mend_it(world: World) -> None:
    world.extra |= {"EYDP_POLLER_PUSHES": "true", "EYDP_PUSH_SUBSCRIPTION": "nowhere"}

    run = await world.poll_once()

    assert run.code == 78
    assert (
        f"{world.platform.project}/subscriptions/nowhere does not exist: create it with `eydp provision`" in run.errors
    )


async def test_a_subscription_without_order_is_refused(world: World) -> None:
    world.extra |= {"EYDP_POLLER_PUSHES": "true", "EYDP_PUSH_SUBSCRIPTION": world.platform.subscription}

    run = await world.poll_once()

    assert run.code == 78
    assert "does not keep the order of messages" in run.errors
