"""Mutations that leave an event valid: odd, but right."""

import random
from datetime import datetime, timedelta
from typing import Any

from support.bad_input.writing import SECRET, Token, dump, put

_KEPT: list[Any] = [
    *(f"{SECRET} note", "é ü 漢字 😀", "", "line\nbreak\ttab\x00nul\x7fdel", '"quoted" \\ back', "x" * 5_000),
    *(None, True, -1, 1.5, 2**70, -(2**63), [], {}, [[[]]], {"payload": {"a": 1}}, [1, "a", {"cart": None}]),
    *(Token("1e999"), Token("-0"), Token("1E+5"), Token("9" * 4_300), Token('"\\ud83d\\ude00 \\u0041\\/"')),
    *(Token("[" * 150 + "]" * 150), Token('{"a":' * 150 + "1" + "}" * 150), '{"message_id":"1","payload":{}}'),
    *("NaN", "Infinity and -Infinity", {"NaN": 1, "-Infinity": ["NaN", 'say "NaN"']}),
]
_KEYS = ("note", "payload", "payload_base64", "message_id", "é", "", "__v", "quantity ", "a.b", '"', "event", "NaN")
_TIMES_TAKEN = (
    *("{:%FT%T}Z", "{:%FT%T}.123456789012Z", "{:%F %T}Z", "{:%Ft%T}.1z", "{:%FT%T}-00:00", "{:%FT%T}+14:00"),
    *("{:%FT%T}-12:00", "{:%FT%T}+05:45", "{:%FT%T}.999999999+23:59", "{:%FT%T}-23:59"),
)


def good_event(rng: random.Random, made: dict[str, Any]) -> bytes:
    return dump(rng, made)


def unknown_fields(rng: random.Random, made: dict[str, Any]) -> bytes:
    for _ in range(rng.randint(1, 3)):
        place = rng.choice([made, made["cart"], made["cart"]["products"][0]])
        place[rng.choice(_KEYS) + ("" if place is made else "?")] = rng.choice(_KEPT)
    return dump(rng, made)


def pretty_printed(rng: random.Random, made: dict[str, Any]) -> bytes:
    return dump(rng, made, indent=rng.choice([0, 1, 4]))


def white_space(rng: random.Random, made: dict[str, Any]) -> bytes:
    return rng.choice([b"", b" ", b"\r\n", b"\r"]) + dump(rng, made) + rng.choice([b" ", b"\n", b"\r", b"\r\n\t "])


def other_order(rng: random.Random, made: dict[str, Any]) -> bytes:
    return dump(rng, dict(sorted(made.items(), key=lambda _: rng.random())))


def escaped_keys(rng: random.Random, made: dict[str, Any]) -> bytes:
    return dump(rng, made).replace(b'"cart_id"', rb'"\u0063art_\u0069d"').replace(b"fakestore", rb"f\u0061kestore")


def deleted(rng: random.Random, made: dict[str, Any]) -> bytes:
    return dump(rng, {**made, "event_type": "cart_deleted", "cart": None})


def extremes(rng: random.Random, made: dict[str, Any]) -> bytes:
    values = {"epoch": 0, "version": 2**63 - 1, "cart.userId": 2**63 - 1, "cart.products": []}
    values |= {"cart.products.0.quantity": 10**9, "cart.products.0.productId": 0, "source": ""}
    values |= {"cart.date": rng.choice(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])}
    path = rng.choice(sorted(values))
    put(made, path, values[path])
    return dump(rng, made)


def times(rng: random.Random, made: dict[str, Any]) -> bytes:
    then = datetime.fromisoformat(made["observed_at"]) - timedelta(days=rng.randint(1, 1_000))
    put(made, rng.choice(["observed_at", "cart.date"]), rng.choice(_TIMES_TAKEN).format(then))
    return dump(rng, made)


def said_twice(rng: random.Random, made: dict[str, Any]) -> bytes:
    """The last of duplicated keys counts, whatever the earlier ones said."""
    wrong = rng.choice([b"null", b'"x"', b"-5", b"[]", b"{}", b'{"id":0}'])
    key = rng.choice(list(made)).encode()
    return b'{"' + key + b'":' + wrong + b"," + dump(rng, made)[1:]


def long_source(rng: random.Random, made: dict[str, Any]) -> bytes:
    return dump(rng, {**made, "source": rng.choice(["x", "é", "😀"]) * (1 << 16)})


def most_lines(rng: random.Random, made: dict[str, Any]) -> bytes:
    made["cart"]["products"] = [{"productId": i, "quantity": 1} for i in range(10_000)]
    return dump(rng, made)
