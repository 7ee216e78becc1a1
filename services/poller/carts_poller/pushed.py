"""One pushed cart on its way from the push service to the poller: the contract of the topic `carts-pushed`. Pure.

A message's data is the cart's JSON text as it was received, without line breaks, and empty when the cart was deleted.
Its ordering key is the cart id, its attributes are below. The push service writes it, the poller reads it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

KIND = "kind"
SOURCE = "source"
CART_ID = "cart_id"
ACCEPTED_AT = "accepted_at"
REQUEST = "request"

Kind = Literal["cart", "deleted"]

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_NO_BREAKS = str.maketrans("", "", "\r\n")


@dataclass(frozen=True, slots=True)
class Pushed:
    """A cart that a client pushed.

    `text` is its JSON as received, None when the client says that the cart was deleted. `accepted_at` is when the
    push service took it, in microseconds since 1970; within one request it grows from record to record. `request` is
    16 hexadecimal characters that are the same for the same record of the same retried or replayed request; None when
    nobody can tell.
    """

    source: str
    cart_id: int
    text: str | None
    accepted_at: int
    request: str | None


def ordering_key(pushed: Pushed) -> str:
    """Return the ordering key of its message."""
    return str(pushed.cart_id)


def data(pushed: Pushed) -> bytes:
    """Return the data of its message."""
    # A line break in JSON text can only stand between tokens: without it, every token is still what was received.
    return b"" if pushed.text is None else pushed.text.translate(_NO_BREAKS).encode()


def attributes(pushed: Pushed) -> dict[str, str]:
    """Return the attributes of its message."""
    kind: Kind = "deleted" if pushed.text is None else "cart"
    found = {
        KIND: kind,
        SOURCE: pushed.source,
        CART_ID: str(pushed.cart_id),
        ACCEPTED_AT: str(pushed.accepted_at),
    }
    return found if pushed.request is None else {**found, REQUEST: pushed.request}


def read(data: bytes, attributes: Mapping[str, str]) -> Pushed:
    """Return what a message says. Unknown attributes are left alone. Whether `text` is a cart is not looked at.

    Raises:
        ValueError: an attribute is missing or malformed, or the data does not fit them; the sentence quotes no value.
    """
    kind, source = _attribute(attributes, KIND), _attribute(attributes, SOURCE)
    if kind not in {"cart", "deleted"}:
        raise ValueError(f"the attribute {KIND} is neither `cart` nor `deleted`")
    if (kind == "deleted") != (not data):
        raise ValueError("a cart needs data, and a deletion has none")
    if not source:
        raise ValueError(f"the attribute {SOURCE} is empty")
    request = attributes.get(REQUEST)
    if request is not None and not _DIGEST.fullmatch(request):
        raise ValueError(f"the attribute {REQUEST} is not 16 hexadecimal characters")
    try:
        text = data.decode() if data else None
    except UnicodeDecodeError:  # its sentence quotes the data
        raise ValueError("the data is not UTF-8") from None
    return Pushed(source, _number(attributes, CART_ID), text, _number(attributes, ACCEPTED_AT), request)


def _attribute(attributes: Mapping[str, str], name: str) -> str:
    try:
        return attributes[name]
    except KeyError:
        raise ValueError(f"the attribute {name} is missing") from None


def _number(attributes: Mapping[str, str], name: str) -> int:
    text = _attribute(attributes, name)
    if not _NUMBER.fullmatch(text) or int(text) >= 2**63:
        raise ValueError(f"the attribute {name} is not a whole number from 0 to 2^63 - 1")
    return int(text)
