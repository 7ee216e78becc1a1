"""Requests that schemathesis makes of the OpenAPI description, good and bad: every answer is one that it promises."""

import time
import uuid
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from carts_poller.push.openapi import described
from carts_poller.push.settings import PushSettings
from carts_poller.push.signature import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

from .conftest import KEY, Program

_DESCRIPTION = schemathesis.openapi.from_dict(described(PushSettings()))
_PUSH = _DESCRIPTION["/v1/carts/events"]["POST"]
_QUICK = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
_LONG = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def send(program: Program, case: Case[Any], *, signed: bool, key: str = "") -> requests.Response:
    """Send a case, and see that the answer is as described."""
    # The connection is closed after each, as a body that was refused may be left unread on it.
    given = case.as_transport_kwargs(base_url=program.url, headers={"Connection": "close"})
    prepared = requests.Request(**{name: value for name, value in given.items() if name != "timeout"}).prepare()
    if key:
        prepared.headers[IDEMPOTENCY_HEADER] = key
    if signed:
        at, body = int(time.time()), prepared.body or b""
        prepared.headers[TIMESTAMP_HEADER] = str(at)
        prepared.headers[SIGNATURE_HEADER] = sign(KEY, at, body.encode() if isinstance(body, str) else body)
    with requests.Session() as session:
        answer = session.send(prepared, timeout=30)
    # A signature mends a case that was bad by its headers alone.
    case.validate_response(answer, excluded_checks=[negative_data_rejection] if signed else [])
    return answer


def holds_whole_float(value: Any) -> bool:
    """Return whether a number is written as 1.0, which JSON Schema calls an integer and the contract does not."""
    if isinstance(value, dict | list):
        return any(map(holds_whole_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and value.is_integer()


def good(program: Program, case: Case[Any]) -> None:
    assume(not holds_whole_float(case.body))
    # A key of its own, as one key belongs to one body; the same body twice within a second has the same signature.
    assert send(program, case, signed=True, key=uuid.uuid4().hex).status_code in {202, 409}


_GOOD: Any = _PUSH.as_strategy(generation_mode=GenerationMode.POSITIVE, media_type="application/json")
_BAD: Any = _PUSH.as_strategy(generation_mode=GenerationMode.NEGATIVE)


def test_what_the_description_calls_good_is_taken(program: Program) -> None:
    @_QUICK
    @given(_GOOD)
    def each(case: Case[Any]) -> None:
        good(program, case)

    each()


@pytest.mark.long  # making what is nearly right takes most of the time
@pytest.mark.timeout(900)
def test_whatever_is_sent_is_answered_as_described(program: Program) -> None:
    @_LONG
    @given(_BAD, st.booleans())
    def each(case: Case[Any], signed: bool) -> None:
        send(program, case, signed=signed)

    each()
    assert program.push(b'{"id": 1, "deleted": true}')[0] == 202


@pytest.mark.long
@pytest.mark.timeout(900)
def test_hundreds_of_good_requests_are_taken(program: Program) -> None:
    @_LONG
    @given(_GOOD)
    def each(case: Case[Any]) -> None:
        good(program, case)

    each()
