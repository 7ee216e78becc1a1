"""From a record to its line of the raw zone, or to the reason why it can't be one. Pure.

A line is the record in its envelope, and the envelope's fields are the table's columns: the object that is the
archive is the one that the load job reads.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Literal

from pydantic import ValidationError

from batch_ingest.entities import Entity
from batch_ingest.scrub import MAX_DEPTH, TooDeepError, scrubbed
from dataplatform.refusal import Fault, refusal
from dataplatform.source import RawRecord

Reason = Fault | Literal["not_an_object", "not_representable", "too_deep", "too_large"]

#: BigQuery takes rows of 100 MB; what a shop sends as one record of more than this is a mistake.
MAX_RECORD_BYTES = 5 << 20

#: Bytes of a record's digest. Two of a million records share one by chance once in thirty million runs.
DIGEST_BYTES = 8

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_encode_anything = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(slots=True)
class Valid:
    """A record that is a row.

    `line` is what the record gives to its line, from the first column to the end; a part adds what stands before.
    `digest` is of the source, the columns and the payload: a later version of the program that makes other columns of
    the same record makes another digest.
    """

    id: int
    line: bytes
    digest: bytes


@dataclass(slots=True)
class Invalid:
    """A record that can't be a row. `payload` is free of secrets, `detail` is a sentence that quotes no value."""

    payload: bytes
    reason: Reason
    detail: str
    where: str = ""
    """Dotted path of the field that is to blame, when it is one."""


class Reader:
    """Makes lines of the records of one entity."""

    def __init__(
        self, entity: Entity, source: str, protect: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    ) -> None:
        """`source` is the shop's name. `protect` returns a record without the personal data that is not to be kept."""
        self._entity = entity
        self._validate = entity.adapter.validator.validate_python
        self._head = f'"source":{quoted(source)},'
        self._protect = protect

    def read(self, received: RawRecord) -> Valid | Invalid:
        """Return what a record is. No record is an error; each finds its place."""
        text = received.text
        if not self._entity.personal and "\n" not in text and "\r" not in text and len(text) < MAX_RECORD_BYTES // 4:
            # What has known fields alone has no secret, no depth and nothing that JSON or BigQuery can't hold.
            try:
                valid = self._validate(received.value, extra="forbid")
            except ValidationError:
                return self._read(received)
            return self._line(valid, text.encode())
        return self._read(received)

    def _read(self, received: RawRecord) -> Valid | Invalid:
        try:
            value = scrubbed(received.value)
        except TooDeepError:
            # Not kept: what could not be searched for secrets may hold one.
            return Invalid(b"null", "too_deep", f"the record is nested deeper than {MAX_DEPTH} levels and was not kept")
        untouched = not self._entity.personal and value == received.value
        if self._protect and isinstance(value, dict):
            value = self._protect(value)
        try:
            payload = _encode(value).encode()
        except ValueError:  # half of a surrogate pair, or a number that is infinite as a double
            kept = _encode_anything(value).encode()
            return Invalid(kept, "not_representable", "the record holds text or a number that BigQuery can't hold")
        if not isinstance(value, dict):
            return Invalid(payload, "not_an_object", "the record is no JSON object")
        if len(payload) > MAX_RECORD_BYTES:
            return Invalid(payload, "too_large", f"the record has {len(payload)} bytes")
        if untouched and "\n" not in received.text and "\r" not in received.text:
            payload = received.text.encode()
        try:
            valid = self._validate(value)
        except ValidationError as error:
            found = refusal(error)
            return Invalid(payload, found.fault, found.detail, found.where)
        return self._line(valid, payload)

    def _line(self, valid: Any, payload: bytes) -> Valid:
        body = b'%b,"payload":%b}\n' % ((self._head + self._entity.columns(valid)).encode(), payload)
        digest = blake2b(body, digest_size=DIGEST_BYTES)
        line = b'"_digest":"%b",%b' % (digest.hexdigest().encode(), body)
        return Valid(valid["id"], line, digest.digest())
