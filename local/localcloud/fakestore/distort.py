"""Answers whose content is wrong: what a misbehaviour makes of the records. Pure, and streamed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import batched, chain
from typing import Any

from localcloud.fakestore.answers import Answer
from localcloud.fakestore.data import Record, compact
from localcloud.fakestore.misbehaviour import Kind, Misbehaviour
from localcloud.fakestore.store import BLOCK


def distorted(answer: Answer, rule: Misbehaviour) -> Answer:
    """Return the answer with its content spoilt as the rule says.

    Kinds that are about sending, not about content, leave it as it is.
    """
    records = chain.from_iterable(answer.blocks)
    target = _target(answer.total, rule.at)
    match rule.kind:
        case "truncated":
            return replace(answer, blocks=_in_blocks(_cut(records, target)), closing=b"")
        case "malformed":
            spoilt = _one_changed(records, target, _malformed)
        case "wrong_types" | "missing_field" | "unknown_field":
            spoilt = _one_changed(records, target, _on_object(_OF_ONE_RECORD[rule.kind]))
        case "duplicate_ids":
            spoilt = _last_replaced(records)
        case "conflicting_duplicates":
            spoilt = _last_contradicted(records)
        case "empty_list":
            spoilt = iter(())
        case "lost_records":
            spoilt = _thinned(records, rule.share)
        case _:
            return answer
    return replace(answer, blocks=_in_blocks(spoilt))


def _target(total: int | None, at: float) -> int:
    """Return the index of the record meant by `at`; the first one when the total is not known."""
    return 0 if not total else min(total - 1, int(total * at))


def _in_blocks(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    return (list(block) for block in batched(records, BLOCK, strict=False))


def _cut(records: Iterator[bytes], target: int) -> Iterator[bytes]:
    for index, record in enumerate(records):
        if index == target:
            yield record[: len(record) // 2]
            return
        yield record


def _one_changed(records: Iterator[bytes], target: int, change: Callable[[bytes], bytes]) -> Iterator[bytes]:
    for index, record in enumerate(records):
        yield change(record) if index == target else record


def _last_replaced(records: Iterator[bytes]) -> Iterator[bytes]:
    """Send the last record but one again in place of the last, as the real service did; a lone one twice."""
    before: bytes | None = None
    last: bytes | None = None
    for record in records:
        if last is not None:
            yield last
        before, last = last, record
    if last is not None:
        if before is None:
            yield last
        yield before if before is not None else last


def _last_contradicted(records: Iterator[bytes]) -> Iterator[bytes]:
    """Send the last record a second time with another content."""
    last: bytes | None = None
    for record in records:
        yield record
        last = record
    if last is not None:
        yield _on_object(_contradicting)(last)


def _thinned(records: Iterator[bytes], share: float) -> Iterator[bytes]:
    """Leave out the share, spread evenly: of n records round(n * share) are lost."""
    lost = 0
    for index, record in enumerate(records):
        if round((index + 1) * share) > lost:
            lost += 1
        else:
            yield record


def _malformed(record: bytes) -> bytes:
    """Break the syntax in the middle of a record: a colon goes missing, or a stray bracket comes."""
    broken = record.replace(b":", b" ", 1)
    return broken if broken != record else record + b"}"


def _on_object(change: Callable[[Record], Record]) -> Callable[[bytes], bytes]:
    """Lift a change of an object to serialised records; what is no object, such as null, stays."""

    def apply(record: bytes) -> bytes:
        value: Any = json.loads(record)
        return compact(change(value)) if isinstance(value, dict) else record

    return apply


def _wrong_types(record: Record) -> Record:
    wrong = {
        "userId": "not a number",
        "products": "none",
        "price": "free",
        "rating": [],
        "email": 7,
        "address": None,
    }
    return {name: wrong.get(name, value) for name, value in record.items()}


def _missing_field(record: Record) -> Record:
    return {name: value for name, value in record.items() if name not in {"userId", "price", "username"}}


def _unknown_field(record: Record) -> Record:
    return {**record, "loyalty": {"tier": "gold", "points": 12.5}}


def _contradicting(record: Record) -> Record:
    changed = dict(record)
    lines = record.get("products")
    if isinstance(lines, list):
        changed["products"] = [*lines, {"productId": 1, "quantity": 99}]
    elif isinstance(record.get("price"), int | float):
        changed["price"] = record["price"] + 1
    else:
        changed["username"] = f"{record.get('username')}-again"
    return changed


_OF_ONE_RECORD: dict[Kind, Callable[[Record], Record]] = {
    "wrong_types": _wrong_types,
    "missing_field": _missing_field,
    "unknown_field": _unknown_field,
}
