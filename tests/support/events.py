"""Cart events as the poller makes them, and the received messages around them."""

import json
from datetime import UTC, datetime
from typing import Any

from google.pubsub_v1 import types

from dataplatform.clock import rfc3339
from dataplatform.models import event_id

NOW = datetime(2026, 11, 24, 6, 6, 48, 123456, tzinfo=UTC)


def event(cart_id: int = 1, version: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a valid event as a dictionary; `changes` replace its fields."""
    cart = {
        "id": cart_id,
        "userId": 3,
        "date": "2020-03-02T00:00:00.000Z",
        "products": [{"productId": 1, "quantity": 4}, {"productId": 2, "quantity": 1}],
    }
    made = {
        "event_id": event_id("fakestore", 7, cart_id, version),
        "event_type": "cart_created",
        "schema_version": 1,
        "source": "fakestore",
        "epoch": 7,
        "cart_id": cart_id,
        "version": version,
        "observed_at": rfc3339(NOW),
        "cart": cart,
    }
    return {**made, **changes}


def received(data: bytes | dict[str, Any], *, message_id: str = "1", attempt: int = 1, ack_id: str = "a") -> Any:
    """Return a protobuf `ReceivedMessage`."""
    payload = data if isinstance(data, bytes) else json.dumps(data).encode()
    message = types.ReceivedMessage.pb()(ack_id=ack_id, delivery_attempt=attempt)
    message.message.data = payload
    message.message.message_id = message_id
    message.message.attributes["event_type"] = "cart_created"
    message.message.publish_time.FromDatetime(NOW)
    return message
