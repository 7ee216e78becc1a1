"""From message to event or to the reason why not. Pure, and nothing is decoded twice.

The payload is checked by pydantic-core straight from the bytes received; those bytes are what is archived and what
becomes the `payload` column.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import from_json

from dataplatform.clock import rfc3339
from dataplatform.models import CART_EVENT, CartEvent
from dataplatform.refusal import Fault, refusal

#: A larger payload would not fit one row of an append request.
MAX_PAYLOAD_BYTES = 5 << 20

_MICROSECONDS = 1_000_000
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Invalid:
    """A message that can't become a row: `reason` is a short code, `detail` a sentence without payload values."""

    message: Any
    reason: str
    detail: str


@dataclass(slots=True)
class Decoded:
    """The outcome of one chunk: four parallel lists for what is valid, what is not, and the bytes of all payloads.

    `observed` is each event's `observed_at` in microseconds since 1970.
    """

    events: list[CartEvent] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    observed: list[int] = field(default_factory=list)
    invalid: list[Invalid] = field(default_factory=list)
    size: int = 0


def decode(messages: Iterable[Any], partitions: tuple[datetime, datetime]) -> Decoded:
    """Check each message's payload against the contract of `dataplatform.models.CartEvent`.

    `partitions` are the first and last `observed_at` that the table takes.
    """
    validate = CART_EVENT.validator.validate_json
    first, last = map(microseconds, partitions)
    out = Decoded()
    events, payloads, valid, observed = out.events.append, out.payloads.append, out.messages.append, out.observed.append
    size = 0
    for received in messages:
        data = received.message.data
        size += len(data)
        try:
            event = validate(data)
        except ValidationError as error:
            out.invalid.append(_invalid(received, data, error))
            continue
        if (b"NaN" in data or b"Infinity" in data) and not _is_json(data):
            out.invalid.append(Invalid(received, "not_json", "NaN and Infinity are no JSON"))
            continue
        cart = event["cart"]
        observed_at = microseconds(event["observed_at"])
        if not first <= observed_at <= last:
            out.invalid.append(
                Invalid(received, "observed_at_out_of_range", "observed_at lies outside the table's days")
            )
        elif (cart is None) is not (event["event_type"] == "cart_deleted"):
            out.invalid.append(Invalid(received, "cart_mismatch", "cart is null if and only if the cart was deleted"))
        elif cart is not None and cart["id"] != event["cart_id"]:
            out.invalid.append(Invalid(received, "cart_mismatch", "cart.id and cart_id differ"))
        elif len(data) > MAX_PAYLOAD_BYTES:
            out.invalid.append(Invalid(received, "too_large", f"the payload has {len(data)} bytes"))
        else:
            events(event)
            payloads(data)
            valid(received)
            observed(observed_at)
    out.size = size
    return out


def _is_json(data: bytes) -> bool:
    """Return whether the payload is JSON in the strict sense: the validator reads NaN and Infinity, others don't."""
    try:
        from_json(data, allow_inf_nan=False)
    except ValueError:
        return False
    return True


def _invalid(received: Any, data: bytes, error: ValidationError) -> Invalid:
    if not _is_json(data):
        return Invalid(received, "not_json", "the payload is no JSON")
    found = refusal(error)
    unknown_version = found.where == "schema_version" and found.fault != "missing_field"
    return Invalid(received, "schema_version" if unknown_version else found.fault, found.detail)


#: Every reason there is, for the metric's documentation and the tests.
REASONS = frozenset(get_args(Fault)) | {
    "schema_version",
    "observed_at_out_of_range",
    "cart_mismatch",
    "too_large",
    "append_refused",
}


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def publish_microseconds(message: Any) -> int:
    """Return the publish time of a `PubsubMessage` in microseconds since 1970."""
    stamp = message.publish_time
    return int(stamp.seconds) * _MICROSECONDS + int(stamp.nanos) // 1_000


def moment(value: int) -> datetime:
    """Return the time of microseconds since 1970."""
    return datetime.fromtimestamp(value // _MICROSECONDS, UTC).replace(microsecond=value % _MICROSECONDS)


def stamp(value: int) -> str:
    """Return microseconds since 1970 as RFC 3339."""
    return rfc3339(moment(value))
