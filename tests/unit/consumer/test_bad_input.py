"""Mutated and generated messages, judged twice: by the consumer's own stages, and by an oracle from the contract."""

import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any

import pytest

from carts_consumer.decode import Invalid, decode
from carts_consumer.records import records
from carts_consumer.rows import RowType
from dataplatform import schemas
from dataplatform.envelope import read_lines
from dataplatform.models import partition_range
from support.bad_input.generated import drawn
from support.bad_input.message import Message
from support.bad_input.mutations import HEAVY_ONES, INVALID_ONES, VALID_ONES, heavy, mutated
from support.bad_input.oracle import VALID, is_json, judge
from support.bad_input.writing import SECRET
from support.events import NOW, received
from support.findings import Findings

_DAYS = partition_range(NOW)
_ROW = RowType(schemas.CART_EVENTS)


def _say(text: str) -> None:
    print(text)  # noqa: T201 - pytest shows it when the test fails, or with -s


def _wrap(message: Message, number: int) -> Any:
    wrapped = received(message.data, message_id=str(number))
    wrapped.message.attributes.clear()
    wrapped.message.attributes.update(message.attributes)
    return wrapped


def _row_faults(row: Any, expected: Mapping[str, Any], message: Message) -> Iterator[str]:
    """Yield which columns hold something else than the contract says; absent ones read as 0 and empty."""
    for name, value in expected.items():
        found = getattr(row, name)
        if name == "products":
            found = [(line.product_id, line.quantity) for line in found]
        if found != value:
            yield f"column {name} differs"
    if row.payload.encode() != message.data:
        yield "the payload column is not what was received"


def _line_faults(line: bytes, message: Message) -> Iterator[str]:
    (read,) = read_lines(line)
    if not line.endswith(b"\n") or line.count(b"\n") != 1 or b"\r" in line:
        yield "the archived line is not one line"
    if read.payload != message.data or read.fields["attributes"] != dict(message.attributes):
        yield "the archived line does not give back what was received"
    if not is_json(line):
        yield "the archived line is no JSON"


def _detail_faults(item: Invalid) -> Iterator[str]:
    if SECRET in item.detail or "\n" in item.detail:
        yield "the detail quotes the payload"


def _judge_all(messages: Sequence[Message]) -> Counter[str]:
    """Put the messages through decode, rows and lines, and compare; return how many had each outcome."""
    outcomes: Counter[str] = Counter()
    findings = Findings()
    details: set[str] = set()
    for batch in batched(enumerate(messages), 500, strict=False):
        by_id = {str(number): message for number, message in batch}
        wrapped = [_wrap(message, number) for number, message in batch]
        decoded = decode(wrapped, _DAYS)
        made = records(decoded, _ROW)
        valid = {
            received.message.message_id: (_ROW.message.FromString(row), line)
            for received, row, line in zip(made.messages, made.rows, made.lines, strict=True)
        }
        invalid = {item.message.message.message_id: item for item in decoded.invalid}
        assert valid.keys() | invalid.keys() == by_id.keys()
        assert len(decoded.messages) + len(decoded.invalid) == len(batch)
        details |= {re.sub(r"\d+", "#", item.detail) for item in decoded.invalid}
        for received_ in wrapped:
            key = received_.message.message_id
            message = by_id[key]
            verdict = judge(message.data, _DAYS)
            outcome = invalid[key].reason if key in invalid else VALID
            outcomes[outcome] += 1
            faults = [] if outcome in verdict.reasons else [f"{outcome} in place of {sorted(verdict.reasons)}"]
            if message.expected not in {None, *verdict.reasons} or (message.expected and len(verdict.reasons) > 1):
                faults.append(f"the oracle says {sorted(verdict.reasons)}, the mutation {message.expected}")
            if key in invalid:
                faults += _detail_faults(invalid[key])
            else:
                row, line = valid[key]
                faults += [*_row_faults(row, verdict.row or {}, message), *_line_faults(line, message)]
            for fault in faults:
                findings.add(f"{message.kind}: {fault}", message.data)
    findings.fail_on_any()
    assert len(details) < 300, sorted(details)  # a few sentences, not one for each payload
    return outcomes


def test_mutation_and_oracle_agree_on_what_is_right() -> None:
    messages = [*mutated(1, 3_000, NOW, bad_share=0.6), *heavy(1, 1, NOW, first=1)]
    disagreed = {
        (message.kind, message.expected, verdict.reasons)
        for message in messages
        if (verdict := judge(message.data, _DAYS)).reasons != {message.expected}
    }
    assert disagreed == set()
    assert {message.kind for message in messages} == {*VALID_ONES, *INVALID_ONES, *HEAVY_ONES}


def test_each_message_becomes_a_row_or_has_the_right_reason() -> None:
    seed = random.randrange(1 << 32)
    _say(f"seed {seed}")
    messages = [*mutated(seed, 3_000, NOW, bad_share=0.6), *heavy(seed, 1, NOW, first=10_000), *drawn(seed, 300, NOW)]
    assert sum(_judge_all(messages).values()) == len(messages)


@pytest.mark.long
def test_each_of_100_000_messages_becomes_a_row_or_has_the_right_reason() -> None:
    seed = random.randrange(1 << 32)
    _say(f"seed {seed}")
    generated = drawn(seed, 20_000, NOW)
    messages = [*generated, *mutated(seed, 100_000 - len(generated), NOW, bad_share=0.6)]
    messages += heavy(seed, 3, NOW, first=1_000_000)
    began = time.monotonic()
    outcomes = _judge_all(messages)
    _say(f"{len(messages)} messages judged in {time.monotonic() - began:.0f} s: {dict(outcomes.most_common())}")
    assert sum(outcomes.values()) == len(messages)
