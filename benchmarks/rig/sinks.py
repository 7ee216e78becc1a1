"""Sinks that answer at once over the real protocols: a BigQuery Write API and a Cloud Storage endpoint that discard.

`python benchmarks/sinks.py` prints one line of JSON with its two addresses, then serves until its parent goes.
`GET /stats` tells what arrived; `POST /delay` with `{"append": s, "upload": s}` slows the answers.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from aiohttp import web
from google.cloud.bigquery_storage_v1 import types

_SERVICE = "google.cloud.bigquery.storage.v1.BigQueryWrite"
_APPEND = type(types.AppendRowsRequest.pb(types.AppendRowsRequest()))
_ANSWER = type(types.AppendRowsResponse.pb(types.AppendRowsResponse()))
_STREAM = type(types.WriteStream.pb(types.WriteStream()))
_CREATE = type(types.CreateWriteStreamRequest.pb(types.CreateWriteStreamRequest()))
_FINALIZE = type(types.FinalizeWriteStreamRequest.pb(types.FinalizeWriteStreamRequest()))
_FINALIZED = type(types.FinalizeWriteStreamResponse.pb(types.FinalizeWriteStreamResponse()))


class Sinks:
    """Counts what arrives."""

    def __init__(self) -> None:
        self.rows = self.objects = self.bytes = self.streams = self.inserted = 0
        self.first_at = self.last_at = 0.0
        self.first_rows = 0
        self.delay = {"append": 0.0, "upload": 0.0}
        self.keep_latency = False
        self.latencies: list[float] = []

    def _arrived(self, rows: int) -> None:
        now = time.time()
        if not self.first_at:
            self.first_at, self.first_rows = now, rows
        self.last_at = now
        self.rows += rows

    async def create(self, request: Any, _: Any) -> Any:
        """Answer CreateWriteStream."""
        self.streams += 1
        return _STREAM(name=f"{request.parent}/streams/s{self.streams}")

    async def finalize(self, _: Any, __: Any) -> Any:
        """Answer FinalizeWriteStream."""
        return _FINALIZED(row_count=self.rows)

    async def append(self, requests: AsyncIterator[Any], _: Any) -> AsyncIterator[Any]:
        """Answer each AppendRows request at once, or after the delay."""
        async for request in requests:
            rows = request.proto_rows.rows.serialized_rows
            if self.delay["append"]:
                await asyncio.sleep(self.delay["append"])
            self._arrived(len(rows))
            if self.keep_latency:
                self._latency(rows)
            answer = _ANSWER()
            answer.append_result.offset.value = request.offset.value
            yield answer

    def _latency(self, rows: Any) -> None:
        """Read published_at (field 13, a varint) out of each row: publish to appended."""
        now = time.time() * 1e6
        self.latencies += [(now - _varint_field(row, 13)) / 1e6 for row in rows]

    async def upload(self, request: web.Request) -> web.Response:
        """Take an object and forget it."""
        body = await request.read()
        if self.delay["upload"]:
            await asyncio.sleep(self.delay["upload"])
        self.objects += 1
        self.bytes += len(body)
        return web.json_response({"name": "o", "bucket": "b", "generation": "1", "metageneration": "1"})

    async def insert_all(self, request: web.Request) -> web.Response:
        """Take the rows of `insertAll` and forget them."""
        body = await request.json()
        self.inserted += len(body["rows"])
        self._arrived(len(body["rows"]))
        return web.json_response({"kind": "bigquery#tableDataInsertAllResponse"})

    async def stats(self, _: web.Request) -> web.Response:
        """Tell what arrived."""
        kept = {name: value for name, value in vars(self).items() if name != "latencies"}
        return web.json_response({**kept, "latencies": sorted(self.latencies)})

    async def set_delay(self, request: web.Request) -> web.Response:
        """Slow the answers, or keep latencies."""
        given = await request.json()
        self.keep_latency = bool(given.pop("latency", self.keep_latency))
        self.delay.update(given)
        return web.json_response(self.delay)


def _varint_field(row: bytes, wanted: int) -> int:
    position = 0
    while position < len(row):
        key, position = _varint(row, position)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, position = _varint(row, position)
            if number == wanted:
                return value
        elif kind == 2:
            length, position = _varint(row, position)
            position += length
        else:
            raise ValueError(f"wire type {kind} is not one of the rows'")
    raise ValueError(f"no field {wanted}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


async def main() -> None:
    """Serve until cancelled."""
    sinks = Sinks()
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    unary = grpc.unary_unary_rpc_method_handler
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                _SERVICE,
                {
                    "CreateWriteStream": unary(sinks.create, _CREATE.FromString, _STREAM.SerializeToString),
                    "FinalizeWriteStream": unary(sinks.finalize, _FINALIZE.FromString, _FINALIZED.SerializeToString),
                    "AppendRows": grpc.stream_stream_rpc_method_handler(
                        sinks.append, _APPEND.FromString, _ANSWER.SerializeToString
                    ),
                },
            ),
        )
    )
    grpc_port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    app = web.Application(client_max_size=64 << 20)
    ok = {"id": "x", "name": "b", "kind": "x", "tableReference": {"projectId": "p", "datasetId": "d", "tableId": "t"}}

    async def found(_: web.Request) -> web.Response:
        return web.json_response(ok)

    app.router.add_get("/stats", sinks.stats)
    app.router.add_post("/delay", sinks.set_delay)
    app.router.add_post("/upload/storage/v1/b/{bucket}/o", sinks.upload)
    app.router.add_get("/storage/v1/b/{bucket}", found)
    app.router.add_get("/bigquery/v2/projects/{p}/datasets/{d}/tables/{t}", found)
    app.router.add_post("/bigquery/v2/projects/{p}/datasets/{d}/tables/{t}/insertAll", sinks.insert_all)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"http": f"127.0.0.1:{runner.addresses[0][1]}", "grpc": f"127.0.0.1:{grpc_port}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
