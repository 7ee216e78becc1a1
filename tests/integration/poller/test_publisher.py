"""Publishing to a real topic: all events, their exact bytes, and the truth about those that did not arrive."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from carts_poller.event import Event, make
from carts_poller.publish import Publisher
from carts_poller.settings import PollerSettings
from dataplatform.clock import SystemClock
from dataplatform.errors import UnavailableError
from dataplatform.retry import OnRetry, Retrier, RetryPolicy, Verdict, classify

from .conftest import WAIT_SECONDS, World


def events(count: int) -> tuple[Event, ...]:
    cart = '{"id":%d,"userId":1,"date":"2020-03-02T00:00:00.000Z","products":[],"note":"\u00fc"}'
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return tuple(
        make("cart_created", source="s", epoch=1, cart_id=i, version=1, observed_at=now, cart=cart % i)
        for i in range(count)
    )


def publisher(
    world: World, *, deadline: float = 20, topic: str = "", on_retry: OnRetry | None = None, **settings: Any
) -> Publisher:
    retrier = Retrier(RetryPolicy(deadline, initial_seconds=0.01), SystemClock(), on_retry)
    path = topic or world.platform.topic_path
    return Publisher(world.publisher, path, PollerSettings(**settings), retrier, timeout_seconds=10)


@pytest.mark.parametrize("settings", [{}, {"publish_batch_messages": 7}, {"publish_batch_bytes": 3000}])
async def test_every_event_arrives_once_with_its_bytes_and_attributes(world: World, settings: dict[str, Any]) -> None:
    sent = events(250)

    outcome = await publisher(world, **settings).publish(sent)

    assert (outcome.left, outcome.error) == ((), None)
    got = await world.messages(len(sent))
    assert {message.data: dict(message.attributes) for message in got} == {
        event.data: event.attributes for event in sent
    }


async def test_nothing_to_publish_is_no_request(world: World) -> None:
    outcome = await publisher(world, topic="projects/p/topics/missing").publish(())

    assert (outcome.left, outcome.error) == ((), None)


async def test_an_outage_that_passes_is_overcome(world: World) -> None:
    refused = asyncio.Event()
    await world.reject_publishing()
    publishing = asyncio.create_task(publisher(world, on_retry=lambda *_: refused.set()).publish(events(10)))
    async with asyncio.timeout(WAIT_SECONDS):
        await refused.wait()
    await world.accept_publishing()

    outcome = await publishing

    assert (outcome.left, outcome.error) == ((), None)
    await world.messages(10)


async def test_in_an_outage_that_stays_all_events_are_left_in_their_order(world: World) -> None:
    sent = events(10)
    await world.reject_publishing()

    outcome = await publisher(world, deadline=0.2, publish_batch_messages=1).publish(sent)

    assert outcome.left == sent
    assert isinstance(outcome.error, UnavailableError)


async def test_a_missing_topic_is_not_tried_again(world: World) -> None:
    outcome = await publisher(world, topic=f"{world.platform.topic_path}-other").publish(events(3))

    assert len(outcome.left) == 3
    assert outcome.error is not None
    assert classify(outcome.error) is Verdict.MISCONFIGURED


async def test_only_what_did_not_arrive_is_left(world: World) -> None:
    small = events(6)
    # Larger than Pub/Sub takes, so that one request of several fails.
    huge = Event("huge", "cart_created", "s", 99, 1, b"x" * (11 << 20))

    outcome = await publisher(world, publish_batch_messages=2, publish_max_in_flight=1).publish(
        (*small[:4], huge, *small[4:])
    )

    assert outcome.left == (huge, *small[4:])
    assert outcome.error is not None
    assert {message.data for message in await world.messages(4)} == {event.data for event in small[:4]}
