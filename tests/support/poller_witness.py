"""Stands between pollers and a shop, passes everything on, and keeps what each poller was shown."""

import json
import time
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

from support.poller_truth import Shown, shown

_KEPT = ("Content-Type", "ETag", "Last-Modified", "Retry-After")


def microseconds_now() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class Witness:
    """An async context manager; `address` is where pollers ask. Each names itself by its User-Agent."""

    def __init__(self, shop: str) -> None:
        self.address = ""
        self.answers: list[Shown] = []
        self._shop = shop
        self._ended: dict[str, int] = {}
        self._by_tag: dict[str, list[Any]] = {}
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def ended_well(self, process: str, log: Mapping[str, Any]) -> None:
        """Note that the last poll of a process before this line of its log ended well."""
        # A line says the time to the millisecond or better.
        at = int(datetime.fromisoformat(log["timestamp"]).timestamp() * 1_000_000) + 1000
        last = next((one for one in reversed(self.answers) if one.process == process and one.asked_at <= at), None)
        if last is not None:
            last.done_at = at

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        asked_at = microseconds_now()
        process = request.headers["User-Agent"]
        passed = {name: request.headers[name] for name in ("User-Agent", "If-None-Match") if name in request.headers}
        url = URL(self._shop + request.raw_path, encoded=True)
        async with self._session.get(url, headers=passed) as answer:
            body = await answer.read()
        kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        response = web.Response(status=answer.status, body=body, headers=kept)
        await response.prepare(request)
        await response.write_eof()
        tag = request.headers.get("If-None-Match", "")
        records = self._by_tag.get(tag) if answer.status == 304 else _records(body)
        if records is not None:
            self._by_tag[answer.headers.get("ETag", "")] = records
            self.answers.append(shown(process, self._ended.get(process, 0), asked_at, records))
            self._ended[process] = microseconds_now()
        return response


def _records(body: bytes) -> list[Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, list) else None
