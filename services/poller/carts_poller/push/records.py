"""From the body of a request to its records, good and bad. Pure.

What passes here satisfies the contract that the poller and the consumer check again: a pushed cart that was answered
with 202 can always become an event.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from carts_poller.canonical import cart_id
from carts_poller.event import MAX_EVENT_BYTES
from carts_poller.push.problem import BadRecord
from dataplatform.jsonlist import ListParser
from dataplatform.models import CART
from dataplatform.refusal import refusal

#: The rest of an event: ids, times and the source's name.
_EVENT_OVERHEAD = 2048
MAX_CART_BYTES = MAX_EVENT_BYTES - _EVENT_OVERHEAD
#: With fewer brackets nothing can be nested deeper than the parser takes.
_SURELY_SHALLOW = 150
#: Characters of a JSON list that are parsed at once.
_PIECE_CHARS = 1 << 16

_BREAKS = re.compile(rb"\r?\n")


class BodyError(ValueError):
    """The body as a whole is not what its content type says; the sentence quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Record:
    """A cart and its JSON text as received; `text` is None when it is said to be deleted."""

    cart_id: int
    text: str | None


def ndjson(body: bytes) -> Iterator[Record | BadRecord]:
    """Yield the records of a body that has one on each line; lines with white space alone are none."""
    index = 0
    for line in _BREAKS.split(body):
        if text := line.strip(b" \t\r"):
            yield _record(index, text)
            index += 1


def document(body: bytes) -> Iterator[Record | BadRecord]:
    """Yield the records of a body that is one JSON object, or a JSON list of them.

    Raises:
        BodyError: it is neither. Records that were yielded before are void.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:  # its sentence quotes the body
        raise BodyError("the body is not UTF-8") from None
    start = text.lstrip(" \t\r\n")[:1]
    if start == "{":
        yield _record(0, body.strip(b" \t\r\n"))
        return
    if start != "[":
        raise BodyError("the body is neither a JSON object nor a list")
    parser = ListParser(max(1, len(text)))
    index = 0
    try:
        for at in range(0, len(text), _PIECE_CHARS):
            for found in parser.feed(text[at : at + _PIECE_CHARS]):
                yield _record(index, found.text.encode())
                index += 1
        for found in parser.close():
            yield _record(index, found.text.encode())
            index += 1
    except RecursionError:
        raise BodyError("the body is nested too deeply") from None
    except ValueError as error:
        raise BodyError(f"the body is no JSON list: {error}") from None


def _record(index: int, text: bytes) -> Record | BadRecord:
    if len(text) > MAX_CART_BYTES:
        return BadRecord(index, "too_large", f"the cart has {len(text)} bytes and may have {MAX_CART_BYTES}")
    try:
        if b'"deleted"' in text and (found := _deletion(index, text)):
            return found
        cart = CART.validate_json(text)
        if b"NaN" in text or b"Infinity" in text:
            from_json(text, allow_inf_nan=False)
        if text.count(b"[") + text.count(b"{") > _SURELY_SHALLOW:
            from_json(b"[%b]" % text)  # an event is one level deeper than its cart
    except ValidationError as error:
        return _refused(index, text, error)
    except ValueError:
        return BadRecord(index, "not_json", "it is nested too deeply, or holds NaN or Infinity, which are no JSON")
    return Record(cart["id"], text.decode())


def _deletion(index: int, text: bytes) -> Record | BadRecord | None:
    """Return what a record that may say `deleted` is, None when it is a cart like any other."""
    value: Any = from_json(text, allow_inf_nan=False)
    if not isinstance(value, dict) or value.get("deleted") is not True:
        return None
    if value.keys() != {"id", "deleted"}:
        return BadRecord(index, "wrong_value", "deleted: a deletion has the keys id and deleted and no others")
    number = cart_id(value)
    if number is None:
        return BadRecord(index, "no_id", "the deletion has no id that is a whole number from 0 to 2^63 - 1")
    return Record(number, None)


def _refused(index: int, text: bytes, error: ValidationError) -> BadRecord:
    found = refusal(error)
    if found.fault == "not_json":
        return BadRecord(index, "not_json", "the record is no JSON")
    if not found.where:
        return BadRecord(index, "not_an_object", "the record is no JSON object")
    if found.where == "id" and cart_id(from_json(text)) is None:
        return BadRecord(index, "no_id", "the cart has no id that is a whole number from 0 to 2^63 - 1")
    return BadRecord(index, found.fault, found.detail)
