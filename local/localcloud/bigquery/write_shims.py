"""What local-bigquery's Write API does otherwise than BigQuery's; see `shims`."""

import concurrent.futures
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.cloud.bigquery_storage_v1 import types
from local_bigquery.catalog import tables
from local_bigquery.grpc import server, write

_SERVICE = "google.cloud.bigquery.storage.v1.BigQueryWrite"
#: BigQuery takes 10 MB; the rest is room for the message around it.
_MAX_REQUEST_BYTES = 11 << 20
#: Every open append connection holds a thread.
_CONNECTIONS = 64


def apply() -> None:
    """Put the shims in place; before the server starts."""
    server.start = _start
    write._message_class = _kept(write._message_class)  # noqa: SLF001 - the stated exception, see shims
    write._append = _one_at_a_time(write._append)  # noqa: SLF001 - the same
    columns = _ToldColumns()
    create = columns.remembered(write.create)
    append = columns.told(write.append)
    server.SERVICES[_SERVICE] |= {
        "CreateWriteStream": server._unary(create, types.CreateWriteStreamRequest, types.WriteStream),  # noqa: SLF001 - the stated exception, see shims
        "AppendRows": server._streaming(  # noqa: SLF001 - the same
            append, types.AppendRowsRequest, types.AppendRowsResponse, bidirectional=True
        ),
    }


def _one_at_a_time(append: Callable[..., Any]) -> Callable[..., Any]:
    """Let requests to one stream wait for each other, as in BigQuery.

    Without it a request that is sent again while the first one still inserts is inserted twice, and the stream's
    count moves too far: the next request is then taken for one that was there already, and its rows are lost.
    """
    locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def run(stream: Any, rows: Any, offset: int | None) -> Any:
        with locks[stream.name]:
            return append(stream, rows, offset)

    return run


def _kept(message_class: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make the class of one kind of rows once and keep it.

    Without it a descriptor pool is made for each connection and collected when that breaks, while rows of the class may
    still be in use: the emulator was seen to die of a segmentation fault in protobuf.
    """
    classes: dict[bytes, Any] = {}

    def run(descriptor: Any) -> Any:
        key = descriptor.SerializeToString(deterministic=True)
        if key not in classes:
            classes[key] = message_class(descriptor)
        return classes[key]

    return run


def _start(host: str, port: int) -> tuple[grpc.Server, int]:
    """Start the server for requests of BigQuery's size and many connections.

    Without it a request above gRPC's default of 4 MiB is refused, and the 17th append connection waits for ever.
    """
    started = grpc.server(
        concurrent.futures.ThreadPoolExecutor(max_workers=_CONNECTIONS),
        options=[("grpc.max_receive_message_length", _MAX_REQUEST_BYTES)],
    )
    started.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, handlers) for name, handlers in server.SERVICES.items()]
    )
    bound = started.add_insecure_port(f"{host}:{port}")
    started.start()
    return started, bound


class _ToldColumns:
    """Tells writers of a stream when its table got other columns, as BigQuery does; without it none can follow."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}

    def remembered(self, create: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(request: Any) -> Any:
            made = create(request)
            self._told[made.name] = made.table_schema
            return made

        return run

    def told(self, append: Callable[[Iterator[Any]], Iterator[Any]]) -> Callable[[Iterator[Any]], Iterator[Any]]:
        def run(requests: Iterator[Any]) -> Iterator[Any]:
            for response in append(requests):
                name = response.write_stream
                if "append_result" in response and self._changed(name):
                    response.updated_schema = self._told[name]
                yield response

        return run

    def _changed(self, name: str) -> bool:
        table = write._stream(name).table  # noqa: SLF001 - the stated exception, see shims
        now = types.TableSchema(fields=[write._field(column) for column in tables.columns(*table)])  # noqa: SLF001 - the same
        before = self._told.get(name)
        self._told[name] = now
        return before is not None and before != now
