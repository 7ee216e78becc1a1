"""A proxy of connections: passes bytes on, and can break every connection or refuse new ones."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class TcpProxy:
    """Stands before `target`, `host:port`. An async context manager.

    While `refusing` is set, connections are reset as soon as they are made. `broken` counts those that were broken.
    """

    def __init__(self, target: str) -> None:
        self.address = ""
        self.refusing = False
        self.broken = 0
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.break_all()
        if self._passing:
            await asyncio.wait(self._passing)
        await self._server.wait_closed()

    def break_all(self) -> None:
        """Reset every open connection."""
        for writer in tuple(self._open):
            writer.transport.abort()
        self.broken += len(self._open) // 2

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        if self.refusing:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        ends = {writer, there_writer}
        self._open |= ends
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):  # a broken connection is what this proxy is for
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    if not writer.is_closing() and writer.can_write_eof():
        with suppress(OSError):
            writer.write_eof()
