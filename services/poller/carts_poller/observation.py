"""What one answer of the source shows: which carts, in which state, and which records can't be read. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from carts_poller.canonical import cart_digest, cart_id
from dataplatform.source import RawRecord

Reason = Literal[
    "not_an_object", "no_id", "too_deep", "too_large", "missing_field", "wrong_type", "wrong_value", "out_of_range"
]


@dataclass(frozen=True, slots=True)
class SeenCart:
    """A cart in an answer: the digest of its canonical form and its JSON text as received."""

    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """A record that can't become an event: `reason` is a short code, `detail` a sentence that quotes no value."""

    text: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer. `carts` and `damaged` have no id in common.

    `damaged` are carts whose id is known and whose content can't be read; `nameless` are records without an id: they
    may be any cart. `repeated` counts carts that came again with the same content, `conflicting` those that came
    again with another; of those the last one counts.
    """

    carts: Mapping[int, SeenCart]
    damaged: Mapping[int, Invalid]
    nameless: tuple[Invalid, ...]
    repeated: int
    conflicting: int


def observe(records: Iterable[RawRecord]) -> Observation:
    """Return what the records of one answer show. No record is an error; each finds its place."""
    carts: dict[int, SeenCart] = {}
    damaged: dict[int, Invalid] = {}
    nameless: list[Invalid] = []
    repeated = conflicting = 0
    for record in records:
        number = cart_id(record.value)
        if number is None:
            nameless.append(_nameless(record))
            continue
        seen = _seen(record)
        earlier = carts.pop(number, None) or damaged.pop(number, None)
        if earlier is not None:
            if earlier == seen or (
                isinstance(earlier, SeenCart) and isinstance(seen, SeenCart) and earlier.digest == seen.digest
            ):
                repeated += 1
            else:
                conflicting += 1
        if isinstance(seen, SeenCart):
            carts[number] = seen
        else:
            damaged[number] = seen
    return Observation(carts, damaged, tuple(nameless), repeated, conflicting)


def _seen(record: RawRecord) -> SeenCart | Invalid:
    try:
        return SeenCart(cart_digest(record.value), record.text)
    except RecursionError:
        return Invalid(record.text, "too_deep", "the cart is nested too deeply")


def _nameless(record: RawRecord) -> Invalid:
    if not isinstance(record.value, dict):
        return Invalid(record.text, "not_an_object", "the record is no JSON object")
    return Invalid(record.text, "no_id", "the cart has no id that is a whole number from 0 to 2^63 - 1")
