"""Listening for clients, and ceasing to without losing a request."""

import os
from types import TracebackType
from typing import Self

from aiohttp import web

from carts_poller.push.api import Api
from dataplatform.errors import ConfigurationError


class Server:
    """Serves the API. An async context manager; leaving it finishes what is at work, for `drain_seconds` at most."""

    def __init__(self, api: Api, *, host: str, port: int, drain_seconds: float) -> None:
        """`port` 0 takes a free one; `port` tells it after start."""
        self._api = api
        self._host = host
        self.port = port
        self._runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=drain_seconds)

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            ConfigurationError: the port is taken, or the address is not one of this machine.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port, backlog=1024).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigurationError(
                f"cannot listen on port {self.port} of {self._host} ({os.strerror(error.errno or 0)}): "
                "correct EYDP_PUSH_HOST and EYDP_PUSH_PORT, or stop what listens there"
            ) from error
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening; answer what was begun; refuse what still comes on connections that are open."""
        self._api.stopping = True
        await self._runner.cleanup()
