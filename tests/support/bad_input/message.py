"""What is published: a valid event to begin with, the message made of it, and what producers attach."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dataplatform.clock import rfc3339
from support.events import event


@dataclass(frozen=True, slots=True)
class Message:
    """What is published, by which mutation it was made, and the outcome it must have: a reason or "valid"."""

    data: bytes
    attributes: Mapping[str, str]
    kind: str
    expected: str | None = field(default=None)


def good(number: int, now: datetime) -> dict[str, Any]:
    """Return the valid event with this number; each number has ids of its own."""
    return event(cart_id=number, observed_at=rfc3339(now - timedelta(seconds=number % 3_600)))


def attributes(rng: random.Random, made: dict[str, Any]) -> dict[str, str]:
    """Return what a producer may have attached: usually right, else nothing, or anything that Pub/Sub lets through."""
    if rng.random() < 0.7:
        return {name: str(made[name]) for name in ("event_id", "event_type", "schema_version", "source")}
    return rng.choice(
        [
            {},
            {"event_id": "", "schema_version": "99", "event_type": "cart_eaten"},
            {"payload": '","payload":{},"', "payload_base64": "!"},
            {"k\n\r\u2028": 'v\r\n"\\\0', "é 漢字 😀": "ü\x7f"},
            {"x" * 256: "y" * 1_024},
            {f"key {i}": "" for i in range(100)},
            {"message_id": "1", "delivery_attempt": "7", "publish_time": "never", "source": ""},
            {"redrive_of": "nothing", "redrive_attempt": "-1", "redrive_message_id": ""},
        ]
    )
