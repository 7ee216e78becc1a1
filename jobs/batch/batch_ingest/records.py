"""From the records of one answer to the lines of the raw zone and to the reasons why some can't be one. Pure.

A line is the record in its envelope, and the envelope's fields are the table's columns: the object that is the
archive is the one that the load job reads.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError

from batch_ingest.entities import Entity
from batch_ingest.scrub import MAX_DEPTH, TooDeepError, scrubbed
from dataplatform.envelope import record_line
from dataplatform.refusal import Fault, refusal
from dataplatform.source import RawRecord

Reason = Fault | Literal["not_an_object", "not_representable", "too_deep", "too_large"]

#: BigQuery takes rows of 100 MB; what a shop sends as one record of more than this is a mistake.
MAX_RECORD_BYTES = 5 << 20

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_encode_anything = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Valid:
    """A record that is a row: `line` is its columns and its payload, still without the run's own fields."""

    id: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Invalid:
    """A record that can't be a row. `payload` is free of secrets, `detail` is a sentence that quotes no value."""

    payload: bytes
    reason: Reason
    detail: str


@dataclass(slots=True)
class Answer:
    """The records of one answer. `valid` are in the order of their ids, so that the answer's order is no change."""

    valid: list[Valid] = field(default_factory=list)
    invalid: list[Invalid] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many records the source sent."""
        return len(self.valid) + len(self.invalid)

    @property
    def repeated_ids(self) -> list[int]:
        """Return the ids that more than one valid record has."""
        return sorted(number for number, times in Counter(record.id for record in self.valid).items() if times > 1)


def read(entity: Entity, received: Iterable[RawRecord]) -> Answer:
    """Return what the records of one answer are. No record is an error; each finds its place."""
    answer = Answer()
    for record in received:
        found = _read(entity, record)
        if isinstance(found, Valid):
            answer.valid.append(found)
        else:
            answer.invalid.append(found)
    answer.valid.sort(key=lambda record: (record.id, record.line))
    return answer


def _read(entity: Entity, received: RawRecord) -> Valid | Invalid:
    try:
        value = scrubbed(received.value)
    except TooDeepError:
        # Not kept: what could not be searched for secrets may hold one.
        return Invalid(b"null", "too_deep", f"the record is nested deeper than {MAX_DEPTH} levels and was not kept")
    try:
        payload = _encode(value).encode()
    except ValueError:  # half of a surrogate pair, or a number that is infinite as a double
        kept = _encode_anything(value).encode()
        return Invalid(kept, "not_representable", "the record holds text or a number that BigQuery can't hold")
    if not isinstance(value, dict):
        return Invalid(payload, "not_an_object", "the record is no JSON object")
    if len(payload) > MAX_RECORD_BYTES:
        return Invalid(payload, "too_large", f"the record has {len(payload)} bytes")
    if not entity.personal and value == received.value and "\n" not in received.text and "\r" not in received.text:
        payload = received.text.encode()
    try:
        valid = entity.adapter.validator.validate_python(value)
    except ValidationError as error:
        found = refusal(error)
        return Invalid(payload, found.fault, found.detail)
    return Valid(valid["id"], record_line(entity.columns(valid), payload))
