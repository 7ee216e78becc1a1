"""The one retry layer. Everywhere else retries are switched off, so that deadlines mean what they say.

`classify()` is the only place that decides whether an error is worth another try.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
from google.api_core import exceptions as google
from google.auth import exceptions as google_auth

from dataplatform.clock import Clock
from dataplatform.errors import ConfigurationError, PlatformError, UnavailableError


class Verdict(StrEnum):
    """What an error means for the operation that met it."""

    TRANSIENT = "transient"
    """Try again: the service, the network or a limit stood in the way."""
    MISCONFIGURED = "misconfigured"
    """A person must mend a resource, a permission or a setting."""
    PERMANENT = "permanent"
    """The request itself is wrong; the same request will fail again."""


class StatusError(Exception):
    """An HTTP answer of the source that is no success. `retry_after` is what its header asks for, in seconds."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class BadAnswerError(Exception):
    """The source answered 200 with a body that is empty, cut off or not what the route promises."""


_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_TRANSIENT_REASONS = frozenset(
    {
        "backendError",
        "rateLimitExceeded",
        "jobRateLimitExceeded",
        "internalError",
        "jobInternalError",
        "tableUnavailable",
    }
)
#: First match wins: (types, verdict). Subclasses stand before their bases.
_TABLE: tuple[tuple[tuple[type[BaseException], ...], Verdict], ...] = (
    (
        (
            google.TooManyRequests,  # ResourceExhausted too
            google.InternalServerError,
            google.BadGateway,
            google.ServiceUnavailable,
            google.GatewayTimeout,  # DeadlineExceeded too
            google.Aborted,
            google.Cancelled,
            google.Unknown,
            google.RetryError,
        ),
        Verdict.TRANSIENT,
    ),
    ((google.NotFound, google.Forbidden, google.Unauthorized), Verdict.MISCONFIGURED),
    ((google_auth.TransportError,), Verdict.TRANSIENT),
    ((google_auth.GoogleAuthError,), Verdict.MISCONFIGURED),
    ((BadAnswerError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError), Verdict.TRANSIENT),
    ((ConnectionError, TimeoutError), Verdict.TRANSIENT),
    ((ConfigurationError,), Verdict.MISCONFIGURED),
)


def classify(error: BaseException) -> Verdict:
    """Return what `error` means. Unknown errors are permanent: a bug must not be retried for ever."""
    if isinstance(error, StatusError):
        return Verdict.TRANSIENT if error.status in _TRANSIENT_STATUSES else Verdict.PERMANENT
    if isinstance(error, google.GoogleAPICallError) and _reasons(error) & _TRANSIENT_REASONS:
        return Verdict.TRANSIENT  # BigQuery says "try again" with a 403 and a reason
    for types, verdict in _TABLE:
        if isinstance(error, types):
            return verdict
    return _classify_by_module(error)


def _classify_by_module(error: BaseException) -> Verdict:
    """Classify errors of packages that come in only with Cloud Storage and BigQuery, without importing those.

    urllib3's own errors show when the body of a raw download breaks off; everywhere else requests wraps them.
    """
    module = type(error).__module__
    if module == "google.cloud.storage.exceptions":
        # A download whose checksum is wrong was damaged on its way.
        return Verdict.TRANSIENT if type(error).__name__.startswith("DataCorruption") else Verdict.PERMANENT
    if not module.startswith(("requests.", "urllib3.")):
        return Verdict.PERMANENT
    if isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError):
        return Verdict.MISCONFIGURED  # an address that is none
    return Verdict.TRANSIENT


def _reasons(error: google.GoogleAPICallError) -> frozenset[str]:
    return frozenset(str(item.get("reason")) for item in (error.errors or ()) if isinstance(item, dict))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, bounded by a deadline for the operation as a whole."""

    deadline_seconds: float
    initial_seconds: float = 0.2
    maximum_seconds: float = 10.0
    multiplier: float = 2.0

    def delay(self, attempt: int, jitter: float) -> float:
        """Return seconds to wait after failed `attempt` (from 1); `jitter` in [0, 1) picks within the upper half."""
        ceiling = min(self.maximum_seconds, self.initial_seconds * self.multiplier ** min(attempt - 1, 32))
        return ceiling * (0.5 + 0.5 * jitter)


OnRetry = Callable[[BaseException, int, float], None]


class Retrier:
    """Runs operations under one policy."""

    def __init__(self, policy: RetryPolicy, clock: Clock, on_retry: OnRetry | None = None) -> None:
        self._policy = policy
        self._clock = clock
        self._on_retry = on_retry

    async def __call__[T](self, what: str, operation: Callable[[], Awaitable[T]]) -> T:
        """Return what `operation` returns, trying again on transient errors until the deadline.

        `what` names the operation in the sentence that a person reads.

        Raises:
            UnavailableError: the deadline passed; the last error is its cause.
            Exception: the operation's own error when it is not transient.
        """
        deadline = self._clock.monotonic() + self._policy.deadline_seconds
        attempt = 0
        while True:
            attempt += 1
            try:
                return await operation()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                if isinstance(error, PlatformError) or classify(error) is not Verdict.TRANSIENT:
                    raise
                delay = self._policy.delay(attempt, random.random())  # noqa: S311 - jitter is no secret
                delay = max(delay, getattr(error, "retry_after", None) or 0.0)
                if self._clock.monotonic() + delay > deadline:
                    raise UnavailableError(f"{what} failed {attempt} times, last with: {describe(error)}") from error
                if self._on_retry:
                    self._on_retry(error, attempt, delay)
                await self._clock.sleep(delay)


def describe(error: BaseException) -> str:
    """Return one line that tells an error to a person: its message, or its type when it has none."""
    text = " ".join(str(error).split())
    return text[:300] if text else type(error).__name__
