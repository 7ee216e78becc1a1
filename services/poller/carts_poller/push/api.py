"""The HTTP edge: headers and bytes in, JSON out, every answer counted."""

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from carts_poller.push.limits import Room
from carts_poller.push.openapi import EVENTS_PATH, OPENAPI_PATH, described
from carts_poller.push.problem import PROBLEM_TYPE, Code, ProblemError, shape
from carts_poller.push.service import Incoming, Kind, Service
from carts_poller.push.settings import PushSettings
from carts_poller.push.signature import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from dataplatform.clock import Clock
from dataplatform.logs import logger
from dataplatform.metrics import PushMetrics

_KINDS: dict[str, Kind] = {"application/json": "json", "application/x-ndjson": "ndjson"}
_STATUSES = frozenset({202, *(code.status for code in Code)})

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """The routes of the push service."""

    def __init__(self, service: Service, settings: PushSettings, clock: Clock, metrics: PushMetrics) -> None:
        self._service = service
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self.room = Room(
            max_requests=settings.max_concurrent_requests,
            max_bytes=settings.max_concurrent_bytes,
            retry_after=settings.retry_after_seconds,
        )
        self.stopping = False
        self._description = json.dumps(described(settings)).encode()

    def application(self) -> web.Application:
        """Return the application to serve."""
        app = web.Application(client_max_size=self._settings.max_body_bytes, middlewares=[self._answered])
        app.router.add_post(EVENTS_PATH, self._events)
        app.router.add_get(OPENAPI_PATH, self._openapi)
        return app

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=self._description, content_type="application/json")

    async def _events(self, request: web.Request) -> web.Response:
        kind = _kind(request)
        if self.stopping:
            raise ProblemError(Code.STOPPING, "another replica takes it", retry_after=1)
        # A body of unknown length may be as long as any.
        size = self._settings.max_body_bytes if request.content_length is None else request.content_length
        if size > self._settings.max_body_bytes:
            raise self._too_large()
        claim = self._service.claimed(request.headers.get(TIMESTAMP_HEADER), request.headers.get(SIGNATURE_HEADER))
        with self.room.enter(size):
            self._metrics.in_flight.set(self.room.requests)
            try:
                body = await self._body(request)
                incoming = Incoming(kind, claim, request.headers.get(IDEMPOTENCY_HEADER), body)
                taken = await self._service.accept(incoming)
            finally:
                self._metrics.in_flight.set(self.room.requests - 1)
        return web.Response(status=202, body=b'{"accepted": %d}' % taken, content_type="application/json")

    async def _body(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._settings.body_timeout_seconds):
                return await request.read()
        except TimeoutError:
            raise ProblemError(Code.SLOW, f"{self._settings.body_timeout_seconds:g} s are given to the body") from None
        except web.HTTPRequestEntityTooLarge:
            raise self._too_large() from None
        except (web.RequestPayloadError, ConnectionError):  # nobody may be there any more to be told
            raise ProblemError(Code.NOT_JSON, "the body broke off, or its framing is malformed") from None

    def _too_large(self) -> ProblemError:
        return ProblemError(Code.TOO_LARGE, f"split it: {self._settings.max_body_bytes} bytes are taken at once")

    @web.middleware
    async def _answered(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Turn whatever goes wrong into one shape, and count what is pushed."""
        started = self._clock.monotonic()
        try:
            response = await handler(request)
        except ProblemError as problem:
            response = _problem(problem.code.status, problem.body(), problem.headers)
        except web.HTTPException as error:  # no such route, or not this method
            allowed = {name: value for name, value in error.headers.items() if name == hdrs.ALLOW}
            word = error.reason.lower().replace(" ", "_")
            response = _problem(error.status, shape(error.status, word, error.reason, "see /v1/openapi.json"), allowed)
        except Exception as error:  # noqa: BLE001 - a bug: the client is told so, and the log says where
            logger().error("a request failed", reason=type(error).__name__, where=_where(error))
            response = _problem(500, shape(500, "internal", "Internal error", "this is a fault of the service"), {})
        if request.path == EVENTS_PATH:
            known = response.status in _STATUSES
            self._metrics.requests.labels(str(response.status) if known else "other").inc()
            self._metrics.request_seconds.observe(self._clock.monotonic() - started)
        return response


def _where(error: Exception) -> str:
    """Return the line that raised it. The error's own words may quote what was sent."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.name}, line {last.lineno} of {last.filename}"


def _kind(request: web.Request) -> Kind:
    kind = _KINDS.get(request.content_type)
    if kind is None:
        raise ProblemError(Code.UNSUPPORTED, f"send {' or '.join(_KINDS)}")
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise ProblemError(Code.UNSUPPORTED, "send the body without a content encoding")
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise ProblemError(Code.UNSUPPORTED, "send UTF-8")
    return kind


def _problem(status: int, body: dict[str, Any], headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type=PROBLEM_TYPE, headers=headers)
