"""What the contract says of a message's bytes: a slow second opinion, written from docs/architecture.md.

It shares no code with the consumer. Several faults at once: bytes that are no JSON come first, then the fields in
the order of the contract's table, then the day of `observed_at`, then cart against event, then the size.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NoReturn

VALID = "valid"
MAX_BYTES = 5 << 20
_MAX_INT64 = 2**63 - 1
#: TIMESTAMP holds the years 1 to 9999, in microseconds since 1970.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
_MAX_DIGITS = 4_300
_MAX_TEXT = 1 << 16
_MAX_LINES = 10_000
_MAX_QUANTITY = 1_000_000_000
#: Containers within containers; parsers count the innermost one or not, so the limit of 200 is no sharp one.
_DEEPEST, _TOO_DEEP = 198, 203

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")
_RFC_3339 = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
#: Near it in ISO 8601: no seconds, other separators, offsets without a colon. Readers may take or refuse them.
_NEAR_RFC_3339 = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt _](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
    r"(?:[.,](?P<fraction>[0-9]+))?(?P<zone>[Zz]|[+\-\u2212][0-9]{2}:?[0-9]{2})"
)


class _RefusedError(Exception):
    """The message is invalid; the arguments are the reasons that are right."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` that are right for a message, nearly always one; `row` is what a valid one must become."""

    reasons: frozenset[str]
    row: Mapping[str, Any] | None


@dataclass(slots=True)
class _Judge:
    """Collects the row; `perhaps` are reasons that would be right too, where the contract leaves it open."""

    row: dict[str, Any] = field(default_factory=dict)
    perhaps: set[str] = field(default_factory=set)

    def event(self, document: Any) -> None:
        event = _dictionary(document)
        self.row["event_id"] = _text(event, "event_id")
        if not _UUID.fullmatch(self.row["event_id"]):
            raise _RefusedError("wrong_value")
        self.row["event_type"] = _present(event, "event_type")
        if self.row["event_type"] not in ("cart_created", "cart_updated", "cart_deleted"):
            raise _RefusedError("wrong_value")  # one of three words: anything else is a wrong value, whatever its type
        version = self.row["schema_version"] = _present(event, "schema_version")
        if type(version) is not int or version != 1:
            raise _RefusedError("schema_version")
        self.row["source"] = _text(event, "source")
        if len(self.row["source"]) > _MAX_TEXT:
            raise _RefusedError("out_of_range")
        self.row["epoch"] = _integer(event, "epoch", 0, _MAX_INT64)
        self.row["cart_id"] = _integer(event, "cart_id", 0, _MAX_INT64)
        self.row["version"] = _integer(event, "version", 1, _MAX_INT64)
        self.row["observed_at"] = self.time(event, "observed_at", year_0="observed_at_out_of_range")
        cart = _present(event, "cart")
        self.row |= {"user_id": 0, "cart_date": 0, "products": []}
        if cart is not None:
            self.cart(_dictionary(cart))
        self.row["total_items"] = sum(quantity for _, quantity in self.row["products"])

    def cart(self, cart: dict[str, Any]) -> None:
        _integer(cart, "id", 0, _MAX_INT64)
        self.row["user_id"] = _integer(cart, "userId", 0, _MAX_INT64)
        self.row["cart_date"] = self.time(cart, "date", year_0="out_of_range")
        if not _FIRST <= self.row["cart_date"] <= _LAST:
            raise _RefusedError("out_of_range")  # its offset pushes it out of the years 1 to 9999
        lines = _present(cart, "products")
        if not isinstance(lines, list):
            raise _RefusedError("wrong_type")
        if len(lines) > _MAX_LINES:
            self.perhaps.add("out_of_range")  # or what is wrong with one of the lines before
        for line in map(_dictionary, lines[:_MAX_LINES]):
            product = _integer(line, "productId", 0, _MAX_INT64)
            self.row["products"].append((product, _integer(line, "quantity", 0, _MAX_QUANTITY)))
        if len(lines) > _MAX_LINES:
            raise _RefusedError("out_of_range")

    def time(self, fields: dict[str, Any], name: str, *, year_0: str) -> int:
        """Return microseconds since 1970, finer digits cut off."""
        text = _text(fields, name)
        found = _RFC_3339.fullmatch(text)
        if found is None:
            found = _NEAR_RFC_3339.fullmatch(text)
            self.perhaps.add("wrong_value")
        if found is None:
            raise _RefusedError("wrong_value")
        if found["day"].startswith("0000"):  # RFC 3339 has it, TIMESTAMP has not
            raise _RefusedError("wrong_value", year_0)
        try:
            day = date.fromisoformat(found["day"]).toordinal() - date(1970, 1, 1).toordinal()
        except ValueError:
            raise _RefusedError("wrong_value") from None
        hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
        zone = 0
        if found["zone"] not in "Zz":
            hours, minutes = int(found["zone"][1:3]), int(found["zone"][-2:])
            if hours > 23 or minutes > 59:
                raise _RefusedError("wrong_value")
            zone = (hours * 60 + minutes) * (1 if found["zone"][0] == "+" else -1)
        if hour > 23 or minute > 59 or second > 59:  # a leap second has no place in TIMESTAMP
            raise _RefusedError("wrong_value")
        fraction = int((found["fraction"] or "0")[:6].ljust(6, "0"))
        return ((day * 1_440 + hour * 60 + minute - zone) * 60 + second) * 1_000_000 + fraction

    def consistent(self, event: dict[str, Any], size: int, days: tuple[datetime, datetime]) -> None:
        first, last = map(microseconds, days)
        if not first <= self.row["observed_at"] <= last:
            raise _RefusedError("observed_at_out_of_range")
        cart = event["cart"]
        if (cart is None) != (event["event_type"] == "cart_deleted") or (cart and cart["id"] != event["cart_id"]):
            raise _RefusedError("cart_mismatch")
        if size > MAX_BYTES:
            raise _RefusedError("too_large")


def judge(data: bytes, days: tuple[datetime, datetime]) -> Verdict:
    """Return what is right for these bytes; `days` are the first and last `observed_at` that the table takes."""
    found = _Judge()
    try:
        document = parse(data, found.perhaps)
        found.event(document)
        found.consistent(document, len(data), days)
    except _RefusedError as error:
        return Verdict(frozenset(error.args) | found.perhaps, None)
    return Verdict(frozenset({VALID}) | found.perhaps, found.row)


def parse(data: bytes, perhaps: set[str] | None = None) -> Any:
    """Return the document that the bytes are by RFC 8259; refuses them when they are none."""
    try:
        text = data.decode("utf-8")
        document = json.loads(text, parse_constant=_constant, parse_int=_whole, parse_float=_fraction)
    except (ValueError, RecursionError):
        raise _RefusedError("not_json") from None
    depth = _depth(text)
    if depth >= _TOO_DEEP or _lone_surrogate(text):
        raise _RefusedError("not_json")
    if depth > _DEEPEST and perhaps is not None:
        perhaps.add("not_json")
    return document


def is_json(data: bytes) -> bool:
    """Whether any strict reader takes the bytes."""
    try:
        parse(data)
    except _RefusedError:
        return False
    return True


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970; a moment without a zone is taken as UTC."""
    delta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _whole(token: str) -> int:
    if len(token.lstrip("-")) > _MAX_DIGITS:
        raise ValueError("more digits than a parser need take")
    return int(token)


def _fraction(token: str) -> float:
    _whole(re.split(r"[.eE]", token, maxsplit=1)[0])
    return float(token)


def _depth(text: str) -> int:
    if text.count("[") + text.count("{") <= _DEEPEST:
        return 0
    depth = deepest = 0
    for character in re.findall(r"[\[\]{}]", _TEXT.sub("", text)):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _lone_surrogate(text: str) -> bool:
    wanted = -1  # where the second half of a pair must begin
    for escape in _ESCAPE.finditer(text) if "\\" in text else ():
        code = int(escape[1] or "0", 16)
        low = 0xDC00 <= code <= 0xDFFF
        if low != (wanted == escape.start()) or (wanted >= 0 and not low):
            return True
        wanted = escape.end() if 0xD800 <= code <= 0xDBFF else -1
    return wanted >= 0


def _present(fields: dict[str, Any], name: str) -> Any:
    if name not in fields:
        raise _RefusedError("missing_field")
    return fields[name]


def _dictionary(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _RefusedError("wrong_type")
    return value


def _text(fields: dict[str, Any], name: str) -> str:
    value = _present(fields, name)
    if not isinstance(value, str):
        raise _RefusedError("wrong_type")
    return value


def _integer(fields: dict[str, Any], name: str, least: int, greatest: int) -> int:
    value = _present(fields, name)
    if type(value) is not int:
        raise _RefusedError("wrong_type")
    if not least <= value <= greatest:
        raise _RefusedError("out_of_range")
    return value
