"""A client of the push service: signs, sends, and sends again what was not taken, without ever doubling it."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from carts_poller.push.signature import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from dataplatform.errors import ConfigurationError, InvalidDataError, PlatformError, UnavailableError

_NDJSON_SUFFIXES = {".ndjson", ".jsonl"}
_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Part:
    """What one request carries."""

    content_type: str
    body: bytes


def parts(path: Path, records: int) -> Iterator[Part]:
    """Yield the requests that a file makes: NDJSON in parts of so many lines, any other file as one JSON document.

    Raises:
        ConfigurationError: the file can't be read.
    """
    try:
        if path.suffix not in _NDJSON_SUFFIXES:
            yield Part("application/json", path.read_bytes())
            return
        with path.open("rb") as file:
            while lines := [line for _, line in zip(range(records), file, strict=False)]:
                if any(line.strip() for line in lines):
                    yield Part("application/x-ndjson", b"".join(lines))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Client:
    """Pushes to one address with one key. `sleep` and `now` are the clock: seconds, and seconds since 1970."""

    url: str
    key: bytes
    patience_seconds: float
    timeout_seconds: float = 30.0
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def push(self, part: Part) -> int:
        """Return how many records were taken. A request that got no answer is sent again with the same key.

        Raises:
            InvalidDataError: records are bad; the sentence lists them.
            ConfigurationError: the service refuses this client.
            UnavailableError: it was not taken until the patience ended.
        """
        key = str(uuid.uuid4())
        deadline = self.now() + self.patience_seconds
        while True:
            try:
                return self._send(part, key)
            except _LaterError as error:
                pause = min(max(_PAUSE_SECONDS, error.seconds), _LONGEST_PAUSE_SECONDS)
                if self.now() + pause > deadline:
                    raise UnavailableError(f"{self.url} did not take it: {error}") from error
                self.sleep(pause)

    def _send(self, part: Part, key: str) -> int:
        at = int(self.now())
        headers = {
            "Content-Type": part.content_type,
            TIMESTAMP_HEADER: str(at),
            SIGNATURE_HEADER: sign(self.key, at, part.body),
            IDEMPOTENCY_HEADER: key,
        }
        request = Request(f"{self.url.rstrip('/')}/v1/carts/events", part.body, headers)  # noqa: S310 - http by the caller
        try:
            with urlopen(request, timeout=self.timeout_seconds) as answer:  # noqa: S310 - likewise
                return int(json.load(answer)["accepted"])
        except HTTPError as error:
            raise _told(error) from error
        except (URLError, HTTPException, OSError) as error:
            raise _LaterError(str(getattr(error, "reason", error))) from error


class _LaterError(Exception):
    """Not taken yet; `seconds` is what Retry-After says."""

    def __init__(self, sentence: str, seconds: float = 0) -> None:
        super().__init__(sentence)
        self.seconds = seconds


def _told(error: HTTPError) -> Exception:
    try:
        problem: dict[str, Any] = json.load(error)
        sentence = f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return (
            _LaterError(f"it answered {error.code}")
            if error.code >= 500
            else PlatformError(f"it answered {error.code}")
        )
    if error.code in {408, 409, 429, 503}:  # 409: the same body was sent in this very second
        after = error.headers.get("Retry-After", "")
        return _LaterError(sentence, int(after) if after.isdigit() else 0)
    if error.code == 401:
        return ConfigurationError(sentence)
    listed = [f"record {item['index']}: {item['reason']}, {item['detail']}" for item in problem.get("records", ())]
    return InvalidDataError("\n".join([sentence, *listed]))
