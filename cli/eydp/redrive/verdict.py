"""What the consumer of this version says of a message: a redrive makes it a row, or brings it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from carts_consumer.decode import decode
from dataplatform.models import partition_range

VALID = "valid"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`valid`, or the reason why the consumer would put the message in quarantine, and that in a sentence."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


def verdict(data: bytes, attributes: Mapping[str, str], now: datetime) -> Verdict:
    """Return what a consumer of this version says of a message at a time."""
    from google.pubsub_v1 import types

    received = types.ReceivedMessage.pb()()
    received.message.data = data
    received.message.attributes.update(attributes)
    found = decode([received], partition_range(now))
    return Verdict(found.invalid[0].reason, found.invalid[0].detail) if found.invalid else Verdict(VALID)
