"""One change of one cart, as the bytes that are saved, published, archived and loaded: made once, never re-encoded."""

import json
from dataclasses import dataclass
from datetime import datetime

from dataplatform.clock import rfc3339
from dataplatform.models import CART_EVENT, SCHEMA_VERSION, EventType, event_id

#: The consumer refuses larger payloads, which would not fit a row.
MAX_EVENT_BYTES = 5 << 20

_quote = json.encoder.encode_basestring_ascii
_NO_BREAKS = str.maketrans("", "", "\r\n")


@dataclass(frozen=True, slots=True)
class Event:
    """An event that satisfies the contract `dataplatform.models.CartEvent`. `data` is its JSON without line breaks."""

    event_id: str
    event_type: EventType
    source: str
    cart_id: int
    version: int
    data: bytes

    @property
    def attributes(self) -> dict[str, str]:
        """Return the attributes of its message, for filters."""
        return {
            "event_id": self.event_id,
            "event_type": self.event_type,
            "schema_version": str(SCHEMA_VERSION),
            "source": self.source,
        }


def make(
    kind: EventType, *, source: str, epoch: int, cart_id: int, version: int, observed_at: datetime, cart: str | None
) -> Event:
    """Return the event of one change. `cart` is the cart's JSON text as received, None when it was deleted.

    Raises:
        pydantic.ValidationError: the cart does not satisfy the contract.
    """
    # A line break in JSON text can only stand between tokens: without it, every token is still what was received.
    payload = "null" if cart is None else cart.translate(_NO_BREAKS)
    return read(
        (
            f'{{"event_id":"{event_id(source, epoch, cart_id, version)}","event_type":"{kind}",'
            f'"schema_version":{SCHEMA_VERSION},"source":{_quote(source)},"epoch":{epoch},"cart_id":{cart_id},'
            f'"version":{version},"observed_at":"{rfc3339(observed_at)}","cart":{payload}}}'
        ).encode()
    )


def read(data: bytes) -> Event:
    """Return the event whose JSON is `data`, checked as the consumer will check it.

    Raises:
        pydantic.ValidationError: it does not satisfy the contract.
    """
    event = CART_EVENT.validate_json(data)
    return Event(event["event_id"], event["event_type"], event["source"], event["cart_id"], event["version"], data)
