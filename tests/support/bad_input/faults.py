"""Mutations after which the bytes are JSON, but no event: one fault, or two of which the first must be told."""

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from dataplatform.clock import rfc3339
from support.bad_input.writing import ABSENT, ORDER, SECRET, Token, at, dump

type Mutation = Callable[[random.Random, dict[str, Any]], bytes]
"""Makes the bytes of a message from a valid event, which it may change."""

_INTEGERS = ("epoch", "cart_id", "version", "cart.id", "cart.userId", *ORDER[-2:])
_TEXTS = ("event_id", "source", "observed_at", "cart.date")
_TIMES = ("observed_at", "cart.date")
_NO_TIMES = (
    *("", SECRET, "now", "2026-11-24", "24.11.2026", "2026-W48-2T06:06:48Z", "-2026-11-24T06:06:48Z"),
    *("2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-24T24:00:00Z", "12026-11-24T06:06:48Z"),
    *("2026-11-24T23:59:60Z", "2026-06-30T23:59:60+00:00", "2026-11-24T06:06:48", "2026-11-24T06:06:48.Z"),
    *("2026-11-24T06:06:48+24:00", "2026-11-24T06:06:48+00:60", "2026-11-24T06:06:48+05"),
    *("2026-11-24T06:06:48 Z", " 2026-11-24T06:06:48Z", "2026-11-24T06:06:48Z\n"),
    *("1764000000", "1764000000000", "1764000000.5", "1e9"),
)


def _faults(made: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Return by reason which values are wrong at which path."""
    versions: list[Any] = [0, 2, -1, 10**30, "1", 1.0, Token("1e0"), 1.5, True, False, None, [1], {"v": 1}, SECRET]
    no_types: list[Any] = ["", "cart_eaten", "CART_CREATED", "cart_created ", SECRET, 1, None, []]
    no_list: list[Any] = [{}, {"0": {}}, "[]", 0, None]
    no_cart: list[Any] = [[], [made["cart"]], "{}", 0, False]
    no_line: list[Any] = [[], [1, 2], "{}", 0, None]
    now = datetime.fromisoformat(made["observed_at"])
    no_integer: list[Any] = ["1", SECRET, 1.0, 1.5, Token("1e0"), Token("1e400"), True, None, [], [1], {}]
    no_text: list[Any] = [1, 1.5, True, None, [], [SECRET], {}, {"a": SECRET}]
    no_id = ["", SECRET, made["event_id"].upper().replace("0", "A"), f"{{{made['event_id']}}}", made["event_id"] + "\n"]
    no_id += [made["event_id"].replace("-", ""), made["event_id"][:-1], made["event_id"][:-1] + "g"]
    far = ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+14:00"]
    far += [rfc3339(now - timedelta(days=3_700)), rfc3339(now + timedelta(days=380))]
    return {
        "missing_field": [(path, ABSENT) for path in ORDER if path != "cart.products.0"],
        "wrong_type": [
            *((path, value) for path in _INTEGERS for value in no_integer),
            *((path, value) for path in _TEXTS for value in no_text),
            *(("cart", value) for value in no_cart),
            *(("cart.products", value) for value in no_list),
            *(("cart.products.0", value) for value in no_line),
        ],
        "wrong_value": [
            *(("event_id", value) for value in no_id),
            *(("event_type", value) for value in no_types),
            *((path, value) for path in _TIMES for value in _NO_TIMES),
        ],
        "schema_version": [("schema_version", value) for value in versions],
        "out_of_range": [
            *((path, value) for path in _INTEGERS for value in (-1, -770_349, -(2**63) - 1, 2**63, 2**64, 10**30)),
            *((path, Token("1" + "0" * 4_000)) for path in _INTEGERS),
            *(("version", 0), (ORDER[-1], 10**9 + 1)),
            *(("cart.date", value) for value in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-10:00")),
        ],
        "observed_at_out_of_range": [("observed_at", value) for value in far],
        "cart_mismatch": [("cart.id", made["cart_id"] + 1), ("cart", None), ("event_type", "cart_deleted")],
    }


def _break(made: dict[str, Any], path: str, value: Any) -> None:
    here, key = at(made, path)
    if value is ABSENT:
        del here[key]
    else:
        here[key] = value


def one_fault(reason: str) -> Mutation:
    def make(rng: random.Random, made: dict[str, Any]) -> bytes:
        _break(made, *rng.choice(_faults(made)[reason]))
        return dump(rng, made)

    return make


def two_faults(reason: str) -> Mutation:
    """A fault with `reason`, and another that stands behind it in the contract's order."""

    def make(rng: random.Random, made: dict[str, Any]) -> bytes:
        faults = _faults(made)
        path, value = rng.choice(faults[reason])
        field_reasons = ["missing_field", "wrong_type", "wrong_value", "schema_version", "out_of_range"]
        others = [
            (later, wrong)
            for other in [*field_reasons, "observed_at_out_of_range", "cart_mismatch"]
            for later, wrong in faults[other]
            if ORDER.index(later) > ORDER.index(path) and not later.startswith(f"{path}.")
        ]
        if others:
            _break(made, *rng.choice(others))
        _break(made, path, value)
        return dump(rng, made)

    return make


def no_object(rng: random.Random, made: dict[str, Any]) -> bytes:
    texts = [
        b"null",
        b"true",
        b"0",
        b"-1.5e3",
        b'"event"',
        b"[]",
        b"[[]]",
        b'"\\u0000"',
        b"[" + dump(rng, made) + b"]",
    ]
    return rng.choice([*texts, json.dumps(dump(rng, made).decode("utf-8", "replace")).encode()])


def too_long_source(rng: random.Random, made: dict[str, Any]) -> bytes:
    return dump(rng, {**made, "source": rng.choice(["x", "é"]) * ((1 << 16) + 1)})


def too_many_lines(rng: random.Random, made: dict[str, Any]) -> bytes:
    made["cart"]["products"] = [{"productId": 1, "quantity": 1}] * 10_001
    return dump(rng, made)


def padded(size: int) -> Mutation:
    def make(rng: random.Random, made: dict[str, Any]) -> bytes:
        bare = dump(rng, {**made, "note": ""})
        return dump(rng, {**made, "note": "x" * (size - len(bare) - 200)})

    return make
