"""Cart events of about 400 bytes with four lines each, and a subscription that holds many of them."""

import asyncio
import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import grpc
from google.pubsub_v1 import types

from dataplatform.clock import rfc3339
from dataplatform.models import event_id

PROJECT = "bench"
TOPIC = f"projects/{PROJECT}/topics/carts-events"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/carts-events-sub"
_PER_REQUEST = 1_000


def event(i: int, observed_at: str) -> tuple[str, bytes]:
    """Return id and payload of the i-th event."""
    key = event_id("fakestore", 1, i, 1)
    cart = {
        "id": i,
        "userId": i % 1000,
        "date": "2026-11-24T00:00:00.000Z",
        "products": [{"productId": j + i % 20, "quantity": j + 1} for j in range(4)],
    }
    body = {
        "event_id": key,
        "event_type": "cart_created",
        "schema_version": 1,
        "source": "fakestore",
        "epoch": 1,
        "cart_id": i,
        "version": 1,
        "observed_at": observed_at,
        "cart": cart,
    }
    return key, json.dumps(body, separators=(",", ":")).encode()


def message(i: int, observed_at: str) -> dict[str, Any]:
    """Return data and attributes of the i-th event's message."""
    key, data = event(i, observed_at)
    attributes = {"event_id": key, "event_type": "cart_created", "schema_version": "1", "source": "fakestore"}
    return {"data": data, "attributes": attributes}


async def _call(channel: Any, method: str, request: Any) -> None:
    await channel.unary_unary(f"/google.pubsub.v1.{method}")(request.SerializeToString())


async def _publish(channel: Any, numbers: Iterable[int]) -> None:
    observed_at = rfc3339(datetime.now(UTC))
    request = types.PublishRequest.pb()(topic=TOPIC)
    for i in numbers:
        request.messages.add(**message(i, observed_at))
    await _call(channel, "Publisher/Publish", request)


async def fill(address: str, events: int) -> None:
    """Make topic and subscription anew and publish the events."""
    async with grpc.aio.insecure_channel(address) as channel:
        subscription = types.Subscription()
        subscription.name, subscription.topic, subscription.ack_deadline_seconds = SUBSCRIPTION, TOPIC, 60
        for method, request in (
            ("Subscriber/DeleteSubscription", types.DeleteSubscriptionRequest.pb()(subscription=SUBSCRIPTION)),
            ("Publisher/CreateTopic", types.Topic.pb(types.Topic(name=TOPIC))),
        ):
            try:
                await _call(channel, method, request)
            except grpc.aio.AioRpcError as error:
                if error.code() not in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ALREADY_EXISTS}:
                    raise
        await _call(channel, "Subscriber/CreateSubscription", types.Subscription.pb(subscription))
        for start in range(0, events, _PER_REQUEST):
            await _publish(channel, range(start, min(events, start + _PER_REQUEST)))


async def flow(address: str, rate: int, seconds: float, *, first: int = 0) -> int:
    """Publish `rate` events a second from number `first` on, twenty requests a second; return how many."""
    async with grpc.aio.insecure_channel(address) as channel:
        began = time.monotonic()
        sent = 0
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed * rate) + 1
            if due > sent:
                await _publish(channel, range(first + sent, first + due))
                sent = due
            await asyncio.sleep(0.05)
    return sent
