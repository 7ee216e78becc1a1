"""Appends to BigQuery: one COMMITTED stream of this process, offsets, several requests in flight.

An offset makes a retry harmless: the same request at the same offset is appended once, however often it is sent.
One task owns the connection. After any trouble the connection is thrown away, and all requests without an answer
are sent again in order, at the same offsets:

- ALREADY_EXISTS: an earlier try arrived; success.
- OUT_OF_RANGE: an earlier request is missing; all are sent again from there.
- row errors: the request was refused as a whole; it is sent again without the bad rows, the later ones move up.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.api_core import exceptions as google
from google.cloud.bigquery_storage_v1 import types

from carts_consumer.columns import added
from carts_consumer.rows import RowType
from dataplatform.clock import Clock
from dataplatform.errors import PlatformError
from dataplatform.logs import logger
from dataplatform.retry import RetryPolicy, Verdict, classify, describe

#: Requests must stay under 10 MB; the rest is room for the envelope.
MAX_REQUEST_BYTES = 9_000_000
_CONNECT_SECONDS = 5.0
_OUT_OF_RANGE = 11
_ALREADY_EXISTS = 6

BadRows = dict[int, str]


class AbandonedError(PlatformError):
    """A lease ran out before the rows were sent: whether they may still be appended, nobody knows."""


class _AgainError(Exception):
    """The connection is done; what has no answer is sent again on a new one."""


@dataclass(slots=True, eq=False)
class _Request:
    """Rows of one request; `index` maps each to its place in what the caller gave."""

    rows: list[bytes]
    index: list[int]
    may_send: Callable[[], bool]
    answer: "asyncio.Future[BadRows]"
    bad: BadRows = field(default_factory=dict)
    sent_on: object | None = None

    def without(self, bad: BadRows) -> None:
        """Take out the rows that BigQuery refused; `bad` is keyed by place in this request."""
        self.bad.update({self.index[i]: message for i, message in bad.items()})
        keep = [i for i in range(len(self.rows)) if i not in bad]
        self.rows, self.index = [self.rows[i] for i in keep], [self.index[i] for i in keep]


class Listener(Protocol):
    """Who wants to know how the connection fares."""

    def trouble(self, reason: str) -> None:
        """The connection failed and is tried again."""
        ...

    def recovered(self) -> None:
        """An append was answered."""
        ...


class Appender:
    """Appends rows in the order of `submit()`. Run `run()` in a task; it ends with an error that no retry mends."""

    def __init__(
        self,
        client: Any,
        table: str,
        row_type: RowType,
        clock: Clock,
        listener: Listener,
        *,
        timeout_seconds: float,
        generation: Callable[[], int] = int,
    ) -> None:
        """`client` is a `BigQueryWriteAsyncClient`, `table` is `project.dataset.table`.

        When `generation` changes, the client has another channel, and the connection is opened again on that.
        """
        self._generation = generation
        project, dataset, name = table.split(".")
        self._client = client
        self._parent = f"projects/{project}/datasets/{dataset}/tables/{name}"
        self.row_type = row_type
        self._clock = clock
        self._listener = listener
        self._timeout = timeout_seconds
        self._policy = RetryPolicy(deadline_seconds=float("inf"), maximum_seconds=5)
        self._stream = ""
        self._confirmed = 0
        self._queue: deque[_Request] = deque()
        self._submitted = asyncio.Event()
        self._connection: object | None = None

    async def open(self) -> None:
        """Create a stream; what was submitted meanwhile goes to it. BigQuery limits how many are made."""
        stream = types.WriteStream(type_=types.WriteStream.Type.COMMITTED)
        created = await self._client.create_write_stream(
            parent=self._parent, write_stream=stream, retry=None, timeout=self._timeout
        )
        self._stream = created.name
        self._confirmed = 0
        self._learn(created.table_schema)

    def _learn(self, schema: Any) -> None:
        """Follow the table: rows submitted from now on may fill the columns that it has beyond the contract."""
        columns = added(schema.fields, self.row_type.table)
        if columns != self.row_type.added:
            self.row_type = RowType(self.row_type.table, columns)
            logger().info("table has other columns", added=[column.name for column in columns])

    def forget(self) -> None:
        """Drop what was submitted and not answered; whoever waits for it must be cancelled by the caller."""
        self._queue.clear()

    def submit(self, rows: Sequence[bytes], may_send: Callable[[], bool]) -> Awaitable[BadRows]:
        """Queue rows; awaiting the result tells which of them BigQuery refused, once all others are appended.

        No rows at all are done when everything submitted before is. `may_send` is asked right before rows leave;
        when it says no, `run()` ends with `AbandonedError`.
        """
        loop = asyncio.get_running_loop()
        requests = [
            _Request(list(rows[piece]), list(range(piece.start, piece.stop)), may_send, loop.create_future())
            for piece in _pieces(rows)
        ]
        self._queue.extend(requests)
        self._finish_empty()
        self._submitted.set()
        return _merged([request.answer for request in requests])

    async def run(self) -> None:
        """Talk to BigQuery until cancelled.

        Raises:
            AbandonedError: `may_send` said no.
            Exception: an answer that trying again does not mend (permission, table or stream gone, wrong schema).
        """
        attempt = 0
        while True:
            while not self._queue:
                self._submitted.clear()
                await self._submitted.wait()
            before = self._confirmed
            try:
                await self._converse()
            except _AgainError as error:
                reason = str(error)
            except Exception as error:
                if isinstance(error, PlatformError) or classify(error) is not Verdict.TRANSIENT:
                    raise
                reason = describe(error)
            attempt = 1 if self._confirmed > before else attempt + 1
            self._listener.trouble(reason)
            await self._clock.sleep(self._policy.delay(attempt, random.random()))  # noqa: S311 - jitter is no secret

    async def finalize(self) -> None:
        """Close the stream for good, so that BigQuery need not wait for its expiry."""
        if self._stream:
            await self._client.finalize_write_stream(name=self._stream, retry=None, timeout=self._timeout)

    async def _converse(self) -> None:
        """Use one connection until it ends, which always raises."""
        connection = object()
        abandoned, generation = asyncio.Event(), self._generation()
        self._connection = connection
        call = None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):  # a call waits for its channel to connect, however long
                call = await self._client.append_rows(
                    requests=self._requests(connection, abandoned), retry=None, timeout=None
                )
            while True:
                response = await self._answer(call, abandoned, generation)
                if not isinstance(response, types.AppendRowsResponse):
                    raise _AgainError("the connection was closed")
                self._handle(response, connection)
                self._listener.recovered()
        finally:
            # A call that the server ended does not end its requests: they would take rows that are the next one's.
            self._connection = None
            self._submitted.set()
            if call is not None:
                call.cancel()

    async def _requests(self, connection: object, abandoned: asyncio.Event) -> AsyncIterator[Any]:
        """Yield what has no answer yet, in order, then whatever is submitted."""
        offset = self._confirmed
        described: RowType | None = None
        while self._connection is connection:
            request = next((r for r in self._queue if r.sent_on is not connection and r.rows), None)
            if request is None:
                self._submitted.clear()
                await self._submitted.wait()
                continue
            if not request.may_send():
                abandoned.set()
                return
            request.sent_on = connection
            yield self._message(request.rows, offset, described)
            offset += len(request.rows)
            described = self.row_type

    async def _answer(self, call: Any, abandoned: asyncio.Event, generation: int) -> Any:
        """Return the next answer, waiting for one that is owed no longer than the timeout."""
        reading = asyncio.ensure_future(call.read())
        waited = 0.0
        tick = min(1.0, self._timeout / 4)
        while True:
            await asyncio.wait({reading}, timeout=tick)
            waited = waited + tick if self._queue else 0.0
            cut = generation != self._generation()
            if abandoned.is_set() or ((cut or waited >= self._timeout) and not reading.done()):
                reading.cancel()
                await asyncio.wait({reading})
                if abandoned.is_set():
                    raise AbandonedError("a lease ran out before its rows were sent")
                raise _AgainError("it could not connect" if cut else f"no answer for {waited:.0f} s")
            if reading.done():
                return reading.result()

    def _handle(self, response: Any, connection: object) -> None:
        if "updated_schema" in response:
            self._learn(response.updated_schema)
        head = self._queue[0] if self._queue else None
        if head is None or head.sent_on is not connection:
            raise _AgainError("an answer came to nothing that was asked")
        if response.row_errors:
            head.without({error.index: error.message for error in response.row_errors})
            self._finish_empty()
            raise _AgainError(f"{len(response.row_errors)} rows were refused")
        code = response.error.code
        if code == _OUT_OF_RANGE:
            raise _AgainError("an earlier append is missing")
        if code and code != _ALREADY_EXISTS:
            raise google.from_grpc_status(code, response.error.message)
        self._confirmed += len(head.rows)
        self._queue.popleft()
        _finish(head)
        self._finish_empty()

    def _finish_empty(self) -> None:
        while self._queue and not self._queue[0].rows:
            _finish(self._queue.popleft())

    def _message(self, rows: list[bytes], offset: int, described: RowType | None) -> Any:
        """Return a request; a connection learns its stream from the first one, and its rows' form when it changes."""
        request = types.AppendRowsRequest.pb(types.AppendRowsRequest())
        request.offset.value = offset
        request.proto_rows.rows.serialized_rows.extend(rows)
        if described is None:
            request.write_stream = self._stream
        if described is not self.row_type:
            request.proto_rows.writer_schema.proto_descriptor.CopyFrom(self.row_type.descriptor)
        return types.AppendRowsRequest.wrap(request)


async def _merged(answers: "list[asyncio.Future[BadRows]]") -> BadRows:
    merged: BadRows = {}
    for answer in answers:
        merged |= await answer
    return merged


def _finish(request: _Request) -> None:
    if not request.answer.done():
        request.answer.set_result(request.bad)


def _pieces(rows: Sequence[bytes]) -> list[slice]:
    """Cut rows into at least one slice, each of which fits one request."""
    pieces, start, size = [], 0, 0
    for i, row in enumerate(rows):
        if i > start and size + len(row) > MAX_REQUEST_BYTES:
            pieces.append(slice(start, i))
            start, size = i, 0
        size += len(row) + 8
    pieces.append(slice(start, len(rows)))
    return pieces
