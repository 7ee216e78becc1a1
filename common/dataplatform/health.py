"""Health and metrics over HTTP: `/livez`, `/readyz`, `/metrics`.

Liveness follows the progress of the working loop: the loop reports that it moved, and the probe fails when it has
not for too long, whatever side tasks still run. Readiness follows named conditions, each with the reason it is down.
"""

import errno
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from dataplatform.clock import Clock
from dataplatform.errors import ConfigurationError


class Health:
    """What the working loop says about itself."""

    def __init__(self, clock: Clock, *, stalled_after_seconds: float, conditions: Iterable[str] = ()) -> None:
        """All `conditions` start as not ready with the reason `starting`."""
        self._clock = clock
        self._stalled_after = stalled_after_seconds
        self._moved = clock.monotonic()
        self._reasons: dict[str, str] = dict.fromkeys(conditions, "starting")

    def progress(self) -> None:
        """Report that the working loop moved."""
        self._moved = self._clock.monotonic()

    def up(self, condition: str) -> None:
        """Report that a dependency or state is as it should be."""
        self._reasons[condition] = ""

    def down(self, condition: str, reason: str) -> None:
        """Report that it is not, and why, in one sentence."""
        self._reasons[condition] = reason or "down"

    @property
    def stalled(self) -> str:
        """Return why the process should be restarted, or an empty string."""
        idle = self._clock.monotonic() - self._moved
        return f"no progress for {idle:.0f} s" if idle > self._stalled_after else ""

    @property
    def not_ready(self) -> dict[str, str]:
        """Return the conditions that are down with their reasons."""
        return {name: reason for name, reason in self._reasons.items() if reason}


class HealthServer:
    """Serves one `Health` and one metrics registry. An async context manager."""

    def __init__(self, health: Health, registry: CollectorRegistry, *, host: str, port: int) -> None:
        """`port` 0 takes a free one; `port` tells it after start."""
        self._health = health
        self._registry = registry
        self._host = host
        self.port = port
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            ConfigurationError: the port is taken, or the address is not one of this machine.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                sentence = (
                    f"port {self.port} on {self._host} is taken: stop what listens there, or set EYDP_METRICS_PORT "
                    "to another one (0 takes any free one)"
                )
            else:
                sentence = (
                    f"cannot listen on port {self.port} of {self._host} ({os.strerror(error.errno or 0)}): "
                    "correct EYDP_METRICS_HOST and EYDP_METRICS_PORT"
                )
            raise ConfigurationError(sentence) from error
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        reason = self._health.stalled
        return web.json_response({"live": not reason, "reason": reason}, status=503 if reason else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        reasons = self._health.stalled
        down = {**self._health.not_ready, **({"progress": reasons} if reasons else {})}
        return web.json_response({"ready": not down, "reasons": down}, status=503 if down else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        body: bytes = generate_latest(self._registry)  # type: ignore[no-untyped-call]  # prometheus-client leaves it bare
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
