"""Load on the push service from a process of its own: prints one line of JSON with what it measured.

    python benchmarks/rig/push_load.py URL_HOST PORT KEY_FILE rate REQUESTS RATE CONNECTIONS
    python benchmarks/rig/push_load.py URL_HOST PORT KEY_FILE batches REQUESTS CARTS CONNECTIONS

`rate` sends single carts at a fixed rate and measures each latency from the moment at which it was due, so that a slow
answer does not hide the ones behind it. `batches` sends bodies of many carts as fast as so many connections can.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from carts_poller.push.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

_DATE = "2026-11-24T12:00:00.000Z"


def cart(number: int) -> bytes:
    """Return a cart of about 250 bytes with an id of its own."""
    products = [{"productId": (number + line) % 20 + 1, "quantity": line + 1} for line in range(4)]
    record = {"id": number, "userId": number % 10 + 1, "date": _DATE, "products": products, "__v": 0}
    return json.dumps(record, separators=(",", ":")).encode()


def request(key: bytes, body: bytes, kind: str) -> bytes:
    """Return the bytes of a signed request."""
    at = int(time.time())
    lines = [
        "POST /v1/carts/events HTTP/1.1",
        "Host: push",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        f"{TIMESTAMP_HEADER}: {at}",
        f"{SIGNATURE_HEADER}: {sign(key, at, body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time. An answer must come in one piece, as small ones do."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream is needed")
        self._transport = transport

    def send(self, payload: bytes, due: float | None) -> None:
        """Send a request that was due at this time, or is due now."""
        if self._transport is None:
            raise RuntimeError("not connected")
        self._due = time.perf_counter() if due is None else due
        self._transport.write(payload)

    def data_received(self, data: bytes) -> None:
        """Take an answer."""
        self._pool.answered(self, data[9:12].decode(), time.perf_counter() - self._due)


class Pool:
    """Connections that are idle, requests that wait for one, and what was measured."""

    def __init__(self, total: int) -> None:
        self.idle: deque[Connection] = deque()
        self.waiting: deque[tuple[bytes, float | None]] = deque()
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.done = asyncio.Event()
        self._total = total

    def send(self, payload: bytes, due: float | None) -> None:
        """Send now, or as soon as a connection is idle."""
        if self.idle:
            self.idle.pop().send(payload, due)
        else:
            self.waiting.append((payload, due))

    def answered(self, connection: Connection, status: str, latency: float) -> None:
        """Note an answer and use its connection again."""
        self.latencies.append(latency)
        self.statuses[status] += 1
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.idle.append(connection)
        if len(self.latencies) == self._total:
            self.done.set()


async def run(host: str, port: int, payloads: Sequence[bytes], rate: float, connections: int) -> dict[str, object]:
    """Send the requests at a rate, or as fast as they are answered when it is 0, and return the figures."""
    loop, pool = asyncio.get_running_loop(), Pool(len(payloads))
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: Connection(pool), host, port)
        pool.idle.append(connection)
    start = time.perf_counter()
    for index, payload in enumerate(payloads):
        due = start + index / rate if rate else None
        if due and (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        pool.send(payload, due)
    await pool.done.wait()
    seconds = time.perf_counter() - start
    ordered = sorted(pool.latencies)
    return {
        "seconds": seconds,
        "rate": len(payloads) / seconds,
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(len(ordered) * 0.99)],
        "max": ordered[-1],
        "statuses": dict(pool.statuses),
        "generator_cpu": time.process_time(),
    }


def main(arguments: Sequence[str]) -> None:
    """Do what the command line asks."""
    host, port, key_file, mode, requests, size, connections = arguments
    key = Path(key_file).read_bytes().strip()
    count = int(requests)
    base = time.time_ns()  # ids of its own: the same body within one second would be refused as a replay
    if mode == "rate":
        payloads = [request(key, cart(base + number), "application/json") for number in range(count)]
        print(json.dumps(asyncio.run(run(host, int(port), payloads, float(size), int(connections)))))
        return
    carts = int(size)
    bodies = [
        b"\n".join(cart(base + first + number) for number in range(carts)) for first in range(0, count * carts, carts)
    ]
    payloads = [request(key, body, "application/x-ndjson") for body in bodies]
    print(json.dumps(asyncio.run(run(host, int(port), payloads, 0, int(connections)))))


if __name__ == "__main__":
    main(sys.argv[1:])
