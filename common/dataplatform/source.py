"""The shop's REST API: one list a request, read while it arrives, under one retry policy.

Every misbehaviour becomes a typed error. What may come back from the real service: 429 and 5xx, hangs, empty and
`null` bodies, cut-off JSON, 403 to a client that does not name itself. Error sentences never quote the body: it may
hold personal data.
"""

import asyncio
import codecs
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp

from dataplatform.errors import ConfigurationError
from dataplatform.headers import secret_headers
from dataplatform.jsonlist import ListParser, RawRecord
from dataplatform.retry import BadAnswerError, Retrier, StatusError
from dataplatform.settings import SourceSettings

__all__ = ["RawRecord", "SourceClient", "Take", "Validators", "retry_after_seconds"]

#: Bytes that are parsed at once: a few milliseconds of work in a thread.
_CHUNK_BYTES = 1 << 18

#: Takes the records of one answer, chunk by chunk, to the end, and returns what it made of them.
type Take[T] = Callable[[AsyncIterator[list[RawRecord]]], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Validators:
    """What a source said to recognise an answer by, to be sent back with the next request (RFC 9110, section 13)."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for an answer only if it would be another one."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True)
class _Answer[T]:
    value: T
    validators: Validators = field(default_factory=Validators)


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
        validated; an element may be anything at all. Raises what `stream` raises.
        """
        return [record.value for record in await self.get_records(path)]

    async def get_records(self, path: str) -> list[RawRecord]:
        """Return the same elements, each with its original text. Raises what `stream` raises."""
        return await self.stream(path, _all)

    async def stream[T](self, path: str, take: Take[T]) -> T:
        """Return what `take` makes of the list at `path`; it gets the records while they arrive, in their order.

        An attempt is one request. When its answer breaks off or turns out to be no list, the iteration raises, and
        the next attempt calls `take` anew: whatever it made of the first answer must be forgotten. A `take` that ends
        before its iterator does leaves the rest of the answer unread and unchecked.

        Raises:
            UnavailableError: no good answer until the retry deadline; the last error is its cause.
            ConfigurationError: the source refuses the request, or the answer is larger than allowed.
            Exception: what `take` raises.
        """
        answer = await self._ask(path, take, {})
        if answer is None:
            raise ConfigurationError(f"GET {self._url(path)} answered 304, which was not asked for")
        return answer.value

    async def stream_changed[T](self, path: str, take: Take[T], known: Validators) -> tuple[T, Validators] | None:
        """Do as `stream`, or return None when the source says that the answer is the one known by `known`."""
        answer = await self._ask(path, take, known.headers())
        return None if answer is None else (answer.value, answer.validators)

    async def _ask[T](self, path: str, take: Take[T], asked: Mapping[str, str]) -> _Answer[T] | None:
        url = self._url(path)
        try:
            return await self._retry(f"GET {url}", lambda: self._attempt(url, take, asked))
        except StatusError as error:
            raise ConfigurationError(f"{error}: {_advice(error.status)}") from error
        except aiohttp.InvalidURL as error:
            raise ConfigurationError(f"{url} is no address that can be asked: correct EYDP_SOURCE_URL") from error

    def _url(self, path: str) -> str:
        return f"{self._settings.url.rstrip('/')}{path}"

    async def _attempt[T](self, url: str, take: Take[T], asked: Mapping[str, str]) -> _Answer[T] | None:
        # Read for each request: a secret that was rotated counts from the next one on.
        secret = secret_headers(self._settings.headers_dir)
        try:
            async with self._session.get(
                url,
                headers={**self._headers, **asked, **secret},
                timeout=self._timeout,
                allow_redirects=not secret,  # another host must not be told the secret
            ) as response:
                if asked and response.status == HTTPStatus.NOT_MODIFIED:
                    return None
                if response.status != HTTPStatus.OK:
                    raise StatusError(
                        response.status,
                        f"GET {url} answered {response.status} {response.reason or ''}".rstrip(),
                        retry_after_seconds(response.headers.get("Retry-After"), response.headers.get("Date")),
                    )
                async with aclosing(self._records(url, response)) as records:
                    value = await take(records)
                validators = Validators(response.headers.get("ETag"), response.headers.get("Last-Modified"))
                return _Answer(value, validators)
        except aiohttp.ClientResponseError as error:  # no HTTP, or redirects without end
            raise BadAnswerError(f"GET {url} did not answer in HTTP: {type(error).__name__}") from error

    async def _records(self, url: str, response: aiohttp.ClientResponse) -> AsyncGenerator[list[RawRecord]]:
        parser = ListParser(self._settings.max_record_chars)
        text = codecs.getincrementaldecoder("utf-8-sig")()
        size = 0
        ended = False
        while not ended:
            body = bytearray()
            while len(body) < _CHUNK_BYTES and not ended:
                piece = await response.content.read(_CHUNK_BYTES)
                body += piece
                ended = not piece
            size += len(body)
            if size > self._settings.max_body_bytes:  # counted after decompression
                raise ConfigurationError(
                    f"GET {url} answered more than {self._settings.max_body_bytes} bytes: raise "
                    "EYDP_SOURCE_MAX_BODY_BYTES if the source really is that large"
                )
            # The event loop has probes to answer meanwhile.
            yield await asyncio.to_thread(_parse, url, size, text, parser, body, ended)


async def _all(chunks: AsyncIterator[list[RawRecord]]) -> list[RawRecord]:
    return [record async for chunk in chunks for record in chunk]


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


def _parse(
    url: str, size: int, text: codecs.IncrementalDecoder, parser: ListParser, body: bytearray, ended: bool
) -> list[RawRecord]:
    """Return the records that `body` makes whole; `size` is what of the answer has come so far, in bytes."""
    try:
        found = parser.feed(text.decode(body, ended))
        return found + parser.close() if ended else found
    except UnicodeDecodeError:
        # Not chained: the error quotes the body.
        raise BadAnswerError(f"GET {url} answered text that is not UTF-8") from None
    except RecursionError:
        raise BadAnswerError(f"GET {url} answered JSON that is nested too deeply") from None
    except ValueError as error:
        raise BadAnswerError(f"GET {url} answered {size} bytes that are no JSON list: {error}") from None
