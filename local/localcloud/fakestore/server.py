"""The HTTP server around one shop, to be run as a program or inside a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from dataplatform.clock import Clock
from localcloud.fakestore.admin import PREFIX, AdminError, AdminRoutes
from localcloud.fakestore.changes import Pace
from localcloud.fakestore.data import compact
from localcloud.fakestore.options import Options
from localcloud.fakestore.query import BadQueryError
from localcloud.fakestore.routes import PublicRoutes, add_not_found
from localcloud.fakestore.shop import Shop

CHANGE_TICK_SECONDS = 0.1
"""How often carts are changed when they change over time."""

SHUTDOWN_SECONDS = 0.2
"""What an answer under way may still take when the server ends."""

MAX_BODY_BYTES = 64 * 1024 * 1024

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(shop: Shop) -> web.Application:
    """Return the shop as an aiohttp application, its changes over time included."""

    @web.middleware
    async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadQueryError as error:
            return web.Response(
                status=400,
                body=compact({"status": "error", "message": str(error)}),
                content_type="application/json",
            )
        except AdminError as error:
            return web.Response(
                status=error.status, body=compact({"error": error.sentence}), content_type="application/json"
            )

    @web.middleware
    async def public_only(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(f"{PREFIX}/"):
            return await handler(request)
        resource = request.match_info.route.resource
        known = resource is not None and not resource.canonical.startswith("/{")
        shop.requests[f"{request.method} {resource.canonical if resource and known else 'other'}"] += 1
        if not request.headers.get("User-Agent"):
            # The proxy in front of the real service turns such clients away.
            page = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"
            return web.Response(status=403, text=page, content_type="text/html")
        return await handler(request)

    app = web.Application(middlewares=[errors_as_json, public_only], client_max_size=MAX_BODY_BYTES)
    AdminRoutes(shop).add_to(app)
    PublicRoutes(shop).add_to(app)
    add_not_found(app)

    async def changing(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_change_over_time(shop))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(changing)
    return app


@asynccontextmanager
async def serving(options: Options, clock: Clock, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve a shop while the block runs; yield `HOST:PORT`, with the real port where 0 was asked for.

    Raises:
        OSError: The address can't be bound.
    """
    # Cancelled handlers are how a hanging answer learns that its client has left.
    runner = web.AppRunner(
        application(Shop(options, clock)),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        yield f"{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()


async def _change_over_time(shop: Shop) -> None:
    pace = Pace(shop.clock.monotonic())
    while True:
        await shop.clock.sleep(CHANGE_TICK_SECONDS)
        due = pace.due(shop.clock.monotonic(), shop.settings.change_rate)
        if due:
            shop.change_carts(due)
