"""A name server of the tests' own: every name is 127.0.0.1, or no name can be resolved."""

import asyncio
import struct
from types import TracebackType
from typing import Any, Self

_A = 1
_SERVFAIL = 2


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP. An async context manager; `failing` makes it answer SERVFAIL. It counts both kinds."""

    def __init__(self) -> None:
        self.address = ""
        self.failing = False
        self.resolved = 0
        self.failed = 0
        self._transport: Any = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._transport.get_extra_info('sockname')[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        (number,) = struct.unpack_from("!H", data)
        end = 12
        while data[end]:
            end += data[end] + 1
        question = data[12 : end + 5]
        (kind,) = struct.unpack_from("!H", question, len(question) - 4)
        answers = b""
        if self.failing:
            self.failed += 1
        elif kind == _A:
            self.resolved += 1
            answers = struct.pack("!HHHIH", 0xC00C, _A, 1, 1, 4) + bytes((127, 0, 0, 1))
        flags = 0x8180 | (_SERVFAIL if self.failing else 0)
        head = struct.pack("!HHHHHH", number, flags, 1, bool(answers), 0, 0)
        self._transport.sendto(head + question + answers, addr)
