"""The shop's REST API: one list a request, under one retry policy, with every misbehaviour turned into a typed error.

What may come back from the real service: 429 and 5xx, hangs, empty and `null` bodies, cut-off JSON, 403 to a client
that does not name itself. Error sentences never quote the body: it may hold personal data.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

import aiohttp

from dataplatform.errors import ConfigurationError
from dataplatform.retry import BadAnswerError, Retrier, StatusError
from dataplatform.settings import SourceSettings

_CHUNK_BYTES = 1 << 18
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One element of a list: what Python makes of it, and the JSON text exactly as it came."""

    value: Any
    text: str


class SourceClient:
    """Reads lists from one source. The session is the caller's; every request names the client and has deadlines."""

    def __init__(self, session: aiohttp.ClientSession, settings: SourceSettings, retrier: Retrier) -> None:
        """`retrier` is the only retry layer; it honours Retry-After."""
        self._session = session
        self._settings = settings
        self._retry = retrier
        self._headers = {"User-Agent": settings.user_agent, "Accept": "application/json"}
        self._timeout = aiohttp.ClientTimeout(
            total=settings.total_timeout_seconds,
            sock_connect=settings.connect_timeout_seconds,
            sock_read=settings.read_timeout_seconds,
        )

    async def get_list(self, path: str) -> list[dict[str, Any] | Any]:
        """Return the elements of the JSON list at `path` (such as `/products`), in the order of the answer.

        Elements are as `json` reads them: integers stay integers, all other numbers are floats. They are not
        validated; an element may be anything at all.

        Raises:
            UnavailableError: no good answer until the retry deadline; the last error is its cause.
            ConfigurationError: the source refuses the request, or the answer is larger than allowed.
        """
        return await self._get(path, _values)

    async def get_records(self, path: str) -> list[RawRecord]:
        """Return the same elements, each with its original text. Raises what `get_list` raises."""
        return await self._get(path, _records)

    async def _get[T](self, path: str, parse: Callable[[str], list[T]]) -> list[T]:
        url = f"{self._settings.url.rstrip('/')}{path}"

        async def attempt() -> list[T]:
            body = await self._fetch(url)
            # A large answer takes seconds to parse; the event loop has probes to answer meanwhile.
            return await asyncio.to_thread(_parse, url, body, parse)

        try:
            return await self._retry(f"GET {url}", attempt)
        except StatusError as error:
            raise ConfigurationError(f"{error}: {_advice(error.status)}") from error
        except aiohttp.InvalidURL as error:
            raise ConfigurationError(f"{url} is no address that can be asked: correct EYDP_SOURCE_URL") from error

    async def _fetch(self, url: str) -> bytearray:
        try:
            async with self._session.get(url, headers=self._headers, timeout=self._timeout) as response:
                if response.status != HTTPStatus.OK:
                    raise StatusError(
                        response.status,
                        f"GET {url} answered {response.status} {response.reason or ''}".rstrip(),
                        retry_after_seconds(response.headers.get("Retry-After"), response.headers.get("Date")),
                    )
                return await self._read(url, response)
        except aiohttp.ClientResponseError as error:  # no HTTP, or redirects without end
            raise BadAnswerError(f"GET {url} did not answer in HTTP: {type(error).__name__}") from error

    async def _read(self, url: str, response: aiohttp.ClientResponse) -> bytearray:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._settings.max_body_bytes:  # counted after decompression
                raise ConfigurationError(
                    f"GET {url} answered more than {self._settings.max_body_bytes} bytes: raise "
                    "EYDP_SOURCE_MAX_BODY_BYTES if the source really is that large"
                )
        return body


def retry_after_seconds(header: str | None, date: str | None) -> float | None:
    """Return what a Retry-After header asks for, in seconds, or None when it is missing or makes no sense.

    It holds seconds or an HTTP date. A date is measured from the answer's own Date header, so that the clocks of
    both sides need not agree.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    until, sent = _http_date(text), _http_date(date or "")
    return max(0.0, (until - sent).total_seconds()) if until and sent else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _advice(status: int) -> str:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return "the source refuses this client; check EYDP_SOURCE_USER_AGENT and whether this network is let in"
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return "there is no such route; check EYDP_SOURCE_URL"
        case _:
            return "the source will not answer this request; check EYDP_SOURCE_URL"


def _parse[T](url: str, body: bytearray, parse: Callable[[str], list[T]]) -> list[T]:
    try:
        return parse(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        # Not chained: the error quotes the body.
        raise BadAnswerError(f"GET {url} answered text that is not UTF-8") from None
    except RecursionError:
        raise BadAnswerError(f"GET {url} answered JSON that is nested too deeply") from None
    except ValueError as error:
        raise BadAnswerError(f"GET {url} answered {len(body)} bytes that are no JSON list: {error}") from None


def _values(text: str) -> list[Any]:
    return [value for value, _, _ in _elements(text)]


def _records(text: str) -> list[RawRecord]:
    return [RawRecord(value, text[start:end]) for value, start, end in _elements(text)]


def _elements(text: str) -> Iterator[tuple[Any, int, int]]:
    """Yield each element of a JSON list with where its text starts and ends."""
    decode = json.JSONDecoder(parse_constant=_no_constant).raw_decode
    at = _next(text, 0)
    if not text[at:]:
        raise ValueError("the body is empty")
    if text[at] != "[":
        raise ValueError("the body is null" if text[at:].strip() == "null" else "it does not begin with [")
    at = _next(text, at + 1)
    if text[at : at + 1] != "]":
        while True:
            value, end = decode(text, at)
            yield value, at, end
            at = _next(text, end)
            if text[at : at + 1] != ",":
                break
            at = _next(text, at + 1)
    if text[at : at + 1] != "]":
        raise ValueError(f"it is cut off or malformed at character {at}")
    if _next(text, at + 1) != len(text):
        raise ValueError(f"something follows its end at character {at + 1}")


def _next(text: str, at: int) -> int:
    """Return where the next token begins."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _no_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is not JSON")
