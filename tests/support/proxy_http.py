"""An HTTP reverse proxy. A call's name is its method and path: `POST /upload/storage/v1/b/…`.

The name of an upload ends in that of its object, which is in the body.
"""

import re
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from support.proxy import DroppedError, Faults, RefusedError

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"})


class HttpProxy:
    """Stands before the server at `target`, `http://host:port`. An async context manager."""

    def __init__(self, target: str) -> None:
        self.faults = Faults()
        self.address = ""
        self._target = target
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # A call whose caller is gone is no longer passed on.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None))
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

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._pass_on(request)
        except RefusedError:
            error = {"code": 503, "message": "refused by the test's proxy", "errors": [{"reason": "backendError"}]}
            return web.json_response({"error": error}, status=503)
        except (DroppedError, aiohttp.ClientError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)  # nobody reads it

    async def _pass_on(self, request: web.Request) -> web.Response:
        assert self._session is not None
        call = f"{request.method} {request.path}"
        body = await request.read()
        if request.path.startswith("/upload/") and (name := re.search(rb'"name": ?"([^"]+)"', body[:4096])):
            call += f" {name[1].decode()}"
        await self.faults.meet(call, "request")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if body:
            headers["Content-Length"] = str(len(body))
        async with self._session.request(
            request.method,
            URL(self._target + request.raw_path, encoded=True),
            headers=headers,
            data=self._halves(call, body) if body else None,
            allow_redirects=False,
        ) as answer:
            payload = await answer.read()
        await self.faults.meet(call, "answer")
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
        return web.Response(status=answer.status, headers=kept, body=payload)

    async def _halves(self, call: str, body: bytes) -> AsyncIterator[bytes]:
        middle = len(body) // 2
        yield body[:middle]
        await self.faults.meet(call, "half")
        yield body[middle:]
