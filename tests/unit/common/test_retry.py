"""One table decides what an error means; one loop tries again, within bounds and a deadline."""

import asyncio
import json

import aiohttp
import pytest
import requests
import urllib3
from google.api_core import exceptions as google
from google.auth import exceptions as google_auth
from google.cloud.storage.exceptions import DataCorruption
from hypothesis import given
from hypothesis import strategies as st

from dataplatform.errors import BusyError, ConfigurationError, InvalidDataError, UnavailableError
from dataplatform.retry import BadAnswerError, Retrier, RetryPolicy, StatusError, Verdict, classify, describe
from support.clock import FakeClock

TRANSIENT, MISCONFIGURED, PERMANENT = Verdict.TRANSIENT, Verdict.MISCONFIGURED, Verdict.PERMANENT


def reasoned(kind: type[google.GoogleAPICallError], reason: str) -> google.GoogleAPICallError:
    """An error as BigQuery's REST API gives it, with its reason."""
    return kind("said the service", errors=[{"reason": reason}])


VERDICTS: list[tuple[BaseException, Verdict]] = [
    (google.TooManyRequests("x"), TRANSIENT),
    (google.ResourceExhausted("x"), TRANSIENT),
    (google.InternalServerError("x"), TRANSIENT),
    (google.BadGateway("x"), TRANSIENT),
    (google.ServiceUnavailable("x"), TRANSIENT),
    (google.GatewayTimeout("x"), TRANSIENT),
    (google.DeadlineExceeded("x"), TRANSIENT),
    (google.Aborted("x"), TRANSIENT),
    (google.Cancelled("x"), TRANSIENT),
    (google.Unknown("x"), TRANSIENT),
    (google.RetryError("x", cause=ValueError()), TRANSIENT),
    (google.NotFound("x"), MISCONFIGURED),
    (google.Forbidden("x"), MISCONFIGURED),
    (google.PermissionDenied("x"), MISCONFIGURED),
    (google.Unauthorized("x"), MISCONFIGURED),
    (google.Unauthenticated("x"), MISCONFIGURED),
    (google.BadRequest("x"), PERMANENT),
    (google.InvalidArgument("x"), PERMANENT),
    (google.Conflict("x"), PERMANENT),
    (google.PreconditionFailed("x"), PERMANENT),
    (google.OutOfRange("x"), PERMANENT),
    (reasoned(google.Forbidden, "rateLimitExceeded"), TRANSIENT),
    (reasoned(google.Forbidden, "jobRateLimitExceeded"), TRANSIENT),
    (reasoned(google.BadRequest, "backendError"), TRANSIENT),
    (reasoned(google.Forbidden, "accessDenied"), MISCONFIGURED),
    (reasoned(google.Forbidden, "quotaExceeded"), MISCONFIGURED),
    (reasoned(google.BadRequest, "invalid"), PERMANENT),
    (google_auth.TransportError("x"), TRANSIENT),
    (google_auth.DefaultCredentialsError("x"), MISCONFIGURED),
    (google_auth.RefreshError("x"), MISCONFIGURED),
    (BadAnswerError("x"), TRANSIENT),
    (aiohttp.ServerDisconnectedError(), TRANSIENT),
    (aiohttp.ClientOSError("x"), TRANSIENT),
    (aiohttp.ServerTimeoutError(), TRANSIENT),
    (aiohttp.ClientPayloadError("x"), TRANSIENT),
    (aiohttp.InvalidURL("x"), PERMANENT),
    (ConnectionResetError(), TRANSIENT),
    (TimeoutError(), TRANSIENT),
    (FileNotFoundError(), PERMANENT),
    (requests.exceptions.ConnectionError("x"), TRANSIENT),
    (requests.exceptions.ReadTimeout("x"), TRANSIENT),
    (requests.exceptions.ChunkedEncodingError("x"), TRANSIENT),
    (requests.exceptions.JSONDecodeError("x", "", 0), TRANSIENT),
    (requests.exceptions.InvalidURL("x"), MISCONFIGURED),
    (requests.exceptions.MissingSchema("x"), MISCONFIGURED),
    (urllib3.exceptions.ProtocolError("x"), TRANSIENT),
    (urllib3.exceptions.LocationParseError("x"), MISCONFIGURED),
    (DataCorruption(None, "x"), TRANSIENT),
    (ConfigurationError("x"), MISCONFIGURED),
    (ValueError("x"), PERMANENT),
    (json.JSONDecodeError("x", "", 0), PERMANENT),
    (asyncio.CancelledError(), PERMANENT),
    *((StatusError(status, "x"), TRANSIENT) for status in (408, 425, 429, 500, 502, 503, 504, 520, 522, 524)),
    *((StatusError(status, "x"), PERMANENT) for status in (301, 400, 401, 403, 404, 410, 422, 501)),
]


@pytest.mark.parametrize(
    ("error", "verdict"), VERDICTS, ids=[f"{type(error).__name__}-{n}" for n, (error, _) in enumerate(VERDICTS)]
)
def test_each_error_has_its_verdict(error: BaseException, verdict: Verdict) -> None:
    assert classify(error) is verdict


@given(attempt=st.integers(1, 10**9), jitter=st.floats(0, 1, exclude_max=True))
def test_a_delay_is_positive_and_never_above_the_maximum(attempt: int, jitter: float) -> None:
    policy = RetryPolicy(60, initial_seconds=0.2, maximum_seconds=10)
    assert 0 < policy.delay(attempt, jitter) <= 10


@given(attempt=st.integers(1, 40), jitter=st.floats(0, 1, exclude_max=True))
def test_a_delay_lies_in_the_upper_half_of_its_ceiling(attempt: int, jitter: float) -> None:
    policy = RetryPolicy(60, initial_seconds=0.5, maximum_seconds=8, multiplier=2)
    ceiling = min(8, 0.5 * 2 ** (attempt - 1))
    assert ceiling / 2 <= policy.delay(attempt, jitter) <= ceiling


class Flaky:
    """Raises the given errors, one a call, then returns 42."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return 42


async def test_transient_errors_are_tried_again_until_it_works() -> None:
    operation = Flaky(ConnectionResetError(), google.ServiceUnavailable("x"))
    seen: list[tuple[str, int]] = []
    retrier = Retrier(
        RetryPolicy(60), FakeClock(), lambda error, attempt, _: seen.append((type(error).__name__, attempt))
    )
    assert await retrier("asking", operation) == 42
    assert operation.calls == 3
    assert seen == [("ConnectionResetError", 1), ("ServiceUnavailable", 2)]


@pytest.mark.parametrize(
    "error", [google.NotFound("x"), google.BadRequest("x"), ValueError("x"), asyncio.CancelledError()]
)
async def test_other_errors_come_out_as_they_are_after_one_try(error: BaseException) -> None:
    operation = Flaky(error)
    with pytest.raises(type(error)) as caught:
        await Retrier(RetryPolicy(60), FakeClock())("asking", operation)
    assert caught.value is error
    assert operation.calls == 1


@pytest.mark.parametrize("error", [UnavailableError("x"), BusyError("x"), InvalidDataError("x")])
async def test_an_outcome_of_a_step_inside_is_not_tried_again(error: Exception) -> None:
    operation = Flaky(error)
    with pytest.raises(type(error)):
        await Retrier(RetryPolicy(60), FakeClock())("asking", operation)
    assert operation.calls == 1


async def test_the_deadline_ends_it_with_the_last_error_as_cause() -> None:
    clock = FakeClock()
    start = clock.monotonic()
    last = google.ServiceUnavailable("still down")

    async def down() -> None:
        raise last

    with pytest.raises(
        UnavailableError, match=r"^writing an object failed \d+ times, last with: .*still down"
    ) as caught:
        await Retrier(RetryPolicy(30), clock)("writing an object", down)
    assert caught.value.__cause__ is last
    assert 20 <= clock.monotonic() - start <= 30, "no wait goes over the deadline, and none is given away"


async def test_a_wait_that_the_service_asks_for_is_kept() -> None:
    clock = FakeClock()
    await Retrier(RetryPolicy(60), clock)("asking", Flaky(StatusError(429, "slow down", retry_after=17.5)))
    assert clock.sleeps == [17.5]


async def test_a_wait_that_goes_over_the_deadline_is_not_begun() -> None:
    clock = FakeClock()
    with pytest.raises(UnavailableError, match="failed 1 times"):
        await Retrier(RetryPolicy(60), clock)("asking", Flaky(StatusError(429, "slow down", retry_after=3600)))
    assert clock.sleeps == []


def test_an_error_is_described_in_one_short_line() -> None:
    assert describe(ValueError("one\n  two")) == "one two"
    assert describe(TimeoutError()) == "TimeoutError"
    assert len(describe(ValueError("x" * 10_000))) <= 300
