"""Messages made by mutation: every mutation knows what it broke, and so the outcome that is right."""

import random
from collections.abc import Iterator
from datetime import datetime

from support.bad_input import faults, kept, no_json
from support.bad_input.faults import Mutation
from support.bad_input.message import Message, attributes, good

#: Mutations by what must become of them; those of `HEAVY_ONES` are large and made a few times only.
VALID_ONES: dict[str, Mutation] = {
    "as the poller makes it": kept.good_event,
    "unknown fields": kept.unknown_fields,
    "pretty-printed": kept.pretty_printed,
    "white space around": kept.white_space,
    "fields in another order": kept.other_order,
    "escaped keys": kept.escaped_keys,
    "deleted cart": kept.deleted,
    "values at their bounds": kept.extremes,
    "forms of RFC 3339": kept.times,
    "duplicated keys": kept.said_twice,
}
INVALID_ONES: dict[str, tuple[str, Mutation]] = {
    "truncated": ("not_json", no_json.truncated),
    "trailing garbage": ("not_json", no_json.trailing),
    "BOM or other encoding": ("not_json", no_json.other_encoding),
    "bytes no string may hold": ("not_json", no_json.inside_text),
    "NaN and Infinity": ("not_json", no_json.no_number),
    "tokens that are not JSON": ("not_json", no_json.no_token),
    "nested too deeply": ("not_json", no_json.too_deep),
    "noise": ("not_json", no_json.noise),
    "empty": ("not_json", no_json.nothing),
    "no object": ("wrong_type", faults.no_object),
    **{
        f"one fault: {reason}": (reason, faults.one_fault(reason))
        for reason in (
            *("missing_field", "wrong_type", "wrong_value", "schema_version", "out_of_range"),
            *("observed_at_out_of_range", "cart_mismatch"),
        )
    },
    **{
        f"two faults, first: {reason}": (reason, faults.two_faults(reason))
        for reason in ("missing_field", "wrong_type", "wrong_value", "schema_version", "out_of_range")
    },
}
HEAVY_ONES: dict[str, tuple[str, Mutation]] = {
    "longest source": ("valid", kept.long_source),
    "10,000 lines": ("valid", kept.most_lines),
    "5 MB": ("valid", faults.padded(5 << 20)),
    "source too long": ("out_of_range", faults.too_long_source),
    "10,001 lines": ("out_of_range", faults.too_many_lines),
    "6 MB": ("too_large", faults.padded(6 << 20)),
    "10 MB": ("too_large", faults.padded(9_950_000)),
}


def _message(rng: random.Random, kind: str, expected: str, mutate: Mutation, number: int, now: datetime) -> Message:
    made = good(number, now)
    attached = attributes(rng, made)
    data = mutate(rng, made)
    return Message(data, attached if data or attached else {"source": "empty"}, kind, expected)  # Pub/Sub's rule


def mutated(seed_: int, count: int, now: datetime, *, bad_share: float, first: int = 1) -> Iterator[Message]:
    """Yield messages made by mutation, of which about `bad_share` are invalid; numbers count from `first`."""
    rng = random.Random(seed_)
    valid, invalid = sorted(VALID_ONES), sorted(INVALID_ONES)
    for number in range(first, first + count):
        if rng.random() < bad_share:
            kind = rng.choice(invalid)
            expected, mutate = INVALID_ONES[kind]
        else:
            kind = rng.choice(valid)
            expected, mutate = "valid", VALID_ONES[kind]
        yield _message(rng, kind, expected, mutate, number, now)


def heavy(seed_: int, times: int, now: datetime, *, first: int) -> Iterator[Message]:
    """Yield each of the large mutations so many times."""
    rng = random.Random(seed_)
    for number, kind in enumerate(sorted(HEAVY_ONES) * times, first):
        yield _message(rng, kind, *HEAVY_ONES[kind], number, now)
