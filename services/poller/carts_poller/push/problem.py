"""Everything but 202 that a client may be answered: one shape, one table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

PROBLEM_TYPE = "application/problem+json"
#: An answer lists so many bad records at most.
MAX_LISTED = 100


class Code(Enum):
    """The reasons: word, status, title. Clients may depend on the words."""

    BAD_RECORDS = ("bad_records", 400, "Some records are bad, and nothing was published")
    NOT_JSON = ("not_json", 400, "The body is not what its content type says")
    EMPTY = ("empty", 400, "The body holds no record")
    BAD_KEY = ("bad_idempotency_key", 400, "The Idempotency-Key is malformed")
    UNSIGNED = ("unsigned", 401, "The signature's headers are missing or malformed")
    STALE = ("stale", 401, "The signature's time is too far from the server's")
    FORGED = ("wrong_signature", 401, "No active key made this signature")
    SLOW = ("slow_body", 408, "The body did not arrive in time")
    REPLAYED = ("replayed", 409, "This very signature was taken before")
    TOO_LARGE = ("body_too_large", 413, "The body is too large")
    TOO_MANY = ("too_many_records", 413, "The request holds too many records")
    UNSUPPORTED = ("unsupported_type", 415, "The content type or encoding is not supported")
    KEY_REUSED = ("key_reused", 422, "The Idempotency-Key was used with another body")
    TOO_FAST = ("too_many_requests", 429, "More requests than the rate allows")
    BUSY = ("busy", 429, "The service is busy")
    UNAVAILABLE = ("unavailable", 503, "Pub/Sub did not confirm in time")
    STOPPING = ("stopping", 503, "The service is stopping")

    def __init__(self, word: str, status: int, title: str) -> None:
        self.word = word
        self.status = status
        self.title = title


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that is refused: its place among the records from 0, a short reason, a sentence that quotes no value."""

    index: int
    reason: str
    detail: str


class ProblemError(Exception):
    """A request that is answered with something else than 202. `detail` quotes nothing of what the client sent."""

    def __init__(
        self, code: Code, detail: str, *, retry_after: float | None = None, bad: Sequence[BadRecord] = ()
    ) -> None:
        """`retry_after` are seconds, rounded up for the header."""
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        self.bad = tuple(bad)

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that belong to the answer."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        found = shape(self.code.status, self.code.word, self.code.title, self.detail)
        if self.bad:
            found["bad_records"] = len(self.bad)
            found["records"] = [
                {"index": item.index, "reason": item.reason, "detail": item.detail} for item in self.bad[:MAX_LISTED]
            ]
        return found


def shape(status: int, word: str, title: str, detail: str) -> dict[str, Any]:
    """Return the shape of RFC 9457 that every problem has."""
    return {"status": status, "code": word, "title": title, "detail": detail}
