"""The appender against a Write API that fails on purpose: offsets make every retry harmless."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.cloud.bigquery_storage_v1 import types

from carts_consumer.append import AbandonedError, Appender, BadRows
from carts_consumer.rows import RowType
from dataplatform import clients
from dataplatform.clock import Clock, SystemClock
from dataplatform.schemas import CART_EVENTS
from dataplatform.settings import EmulatorSettings
from support.clock import FakeClock

_ANSWER: Any = types.AppendRowsResponse.pb()


@dataclass
class WriteApi:
    """Keeps rows by offset as BigQuery does; `plan` says what to do with the next requests."""

    rows: list[bytes] = field(default_factory=list)
    plan: list[str] = field(default_factory=list)
    connections: int = 0
    bad: frozenset[bytes] = frozenset()
    columns: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    described: list[list[str]] = field(default_factory=list)

    async def append(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        self.connections += 1
        async for request in requests:
            step = self.plan.pop(0) if self.plan else "answer"
            if step == "drop before":
                await context.abort(grpc.StatusCode.UNAVAILABLE, "dropped")
            if step == "lose" and request.offset.value >= len(self.rows):
                continue  # the next request finds a gap: OUT_OF_RANGE
            if step == "slow":
                await asyncio.sleep(0.005)
            if step == "hold":
                self.held.set()
                await self.release.wait()
            if step == "hang":
                await asyncio.sleep(3600)
            answer = self._take(request)
            if step == "drop after":
                await context.abort(grpc.StatusCode.UNAVAILABLE, "dropped")
            if step == "deny":
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not yours")
            yield answer

    def _take(self, request: Any) -> Any:
        answer = _ANSWER()
        if request.proto_rows.HasField("writer_schema"):
            self.described.append([column.name for column in request.proto_rows.writer_schema.proto_descriptor.field])
        given, offset = list(request.proto_rows.rows.serialized_rows), request.offset.value
        refused = [i for i, row in enumerate(given) if row in self.bad]
        if offset < len(self.rows):
            answer.error.code = 6
        elif offset > len(self.rows):
            answer.error.code = 11
        elif refused:
            answer.error.code = 3
            for i in refused:
                answer.row_errors.add(index=i, message=f"bad {given[i].decode()}")
        else:
            self.rows += given
            answer.append_result.offset.value = offset
            for name in self.columns:
                answer.updated_schema.fields.add(name=name, type_=types.TableFieldSchema.Type.STRING, mode=1)
            self.columns = []
        return answer


@dataclass
class Reasons:
    """Listens to the appender."""

    heard: list[str] = field(default_factory=list)

    def trouble(self, reason: str) -> None:
        self.heard.append(reason)

    def recovered(self) -> None:
        self.heard.append("recovered")


@pytest.fixture
async def api() -> AsyncIterator[tuple[WriteApi, Appender, Reasons]]:
    async with _api(SystemClock()) as made:
        yield made


@asynccontextmanager
async def _api(clock: Clock) -> AsyncIterator[tuple[WriteApi, Appender, Reasons]]:
    write = WriteApi()
    stream: Any = types.WriteStream.pb()
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])

    async def create(request: Any, _: Any) -> Any:
        return stream(name=f"{request.parent}/streams/s")

    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "google.cloud.bigquery.storage.v1.BigQueryWrite",
                {
                    "CreateWriteStream": grpc.unary_unary_rpc_method_handler(
                        create, types.CreateWriteStreamRequest.pb().FromString, stream.SerializeToString
                    ),
                    "AppendRows": grpc.stream_stream_rpc_method_handler(
                        write.append, types.AppendRowsRequest.pb().FromString, _ANSWER.SerializeToString
                    ),
                },
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = clients.write_client(EmulatorSettings(bigquery_storage_emulator_host=f"127.0.0.1:{port}"))
    reasons = Reasons()
    appender = Appender(client, "p.d.t", RowType(CART_EVENTS), clock, reasons, timeout_seconds=0.5)
    await appender.open()
    yield write, appender, reasons
    await client.transport.close()
    await server.stop(None)


def _always() -> bool:
    return True


async def _append(appender: Appender, *batches: list[bytes], may_send: Callable[[], bool] = _always) -> list[BadRows]:
    running: asyncio.Future[Any] = asyncio.ensure_future(appender.run())
    answers: asyncio.Future[list[BadRows]] = asyncio.gather(*(appender.submit(batch, may_send) for batch in batches))
    both: set[asyncio.Future[Any]] = {running, answers}
    done, _ = await asyncio.wait(both, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    if answers not in done:
        answers.cancel()
        with suppress(asyncio.CancelledError):
            await answers
    if running in done:
        running.result()
    await asyncio.wait({running})
    return answers.result()


async def test_rows_arrive_in_the_order_submitted(api: tuple[WriteApi, Appender, Reasons]) -> None:
    write, appender, reasons = api
    assert await _append(appender, [b"a", b"b"], [], [b"c"]) == [{}, {}, {}]
    assert write.rows == [b"a", b"b", b"c"]
    assert set(reasons.heard) == {"recovered"}


@pytest.mark.parametrize("step", ["drop before", "drop after", "lose", "hang"])
async def test_trouble_with_the_connection_neither_loses_nor_doubles(
    api: tuple[WriteApi, Appender, Reasons], step: str
) -> None:
    write, appender, reasons = api
    write.plan = ["answer", step]
    assert await _append(appender, [b"a"], [b"b"], [b"c"]) == [{}, {}, {}]
    assert write.rows == [b"a", b"b", b"c"]
    assert write.connections == 2
    assert [reason for reason in reasons.heard if reason != "recovered"]


async def test_a_connection_that_the_server_ended_takes_no_rows_any_more(
    api: tuple[WriteApi, Appender, Reasons],
) -> None:
    write, appender, _ = api
    write.plan = ["answer", "drop before", "hold"]
    running = asyncio.ensure_future(appender.run())
    await appender.submit([b"a"], _always)
    first = asyncio.ensure_future(appender.submit([b"b"], _always))
    async with asyncio.timeout(20):
        await write.held.wait()  # b is on the second connection, the first one's requests still wait for more
        second = asyncio.ensure_future(appender.submit([b"c"], _always))
        await asyncio.sleep(0)
        write.release.set()
        assert [await first, await second, await appender.submit([b"d"], _always)] == [{}, {}, {}]
    running.cancel()
    assert write.rows == [b"a", b"b", b"c", b"d"]
    assert write.connections == 2


async def test_bad_rows_are_split_off_and_only_those(api: tuple[WriteApi, Appender, Reasons]) -> None:
    write, appender, _ = api
    write.bad = frozenset({b"x", b"y"})
    answers = await _append(appender, [b"a", b"x", b"b"], [b"y"], [b"c", b"d"])
    assert answers == [{1: "bad x"}, {0: "bad y"}, {}]
    assert write.rows == [b"a", b"b", b"c", b"d"]


async def test_rows_too_many_for_one_request_are_cut(api: tuple[WriteApi, Appender, Reasons]) -> None:
    write, appender, _ = api
    rows = [bytes([i]) * 700_000 for i in range(20)]
    assert await _append(appender, rows) == [{}]
    assert write.rows == rows


async def test_rows_whose_lease_is_gone_are_not_sent(api: tuple[WriteApi, Appender, Reasons]) -> None:
    write, appender, _ = api
    with pytest.raises(AbandonedError):
        await _append(appender, [b"a"], may_send=lambda: False)
    assert write.rows == []


async def test_a_refusal_that_no_retry_mends_ends_the_run(api: tuple[WriteApi, Appender, Reasons]) -> None:
    write, appender, _ = api
    write.plan = ["deny"]
    with pytest.raises(Exception, match="not yours"):
        await _append(appender, [b"a"])


async def test_rows_submitted_while_the_stream_is_being_opened_are_appended(
    api: tuple[WriteApi, Appender, Reasons],
) -> None:
    write, appender, _ = api
    early = asyncio.ensure_future(appender.submit([b"a"], _always))
    await appender.open()
    assert await _append(appender, [b"b"]) == [{}]
    assert early.done()
    assert write.rows == [b"a", b"b"]


async def test_forgotten_rows_are_not_appended(api: tuple[WriteApi, Appender, Reasons]) -> None:
    write, appender, _ = api
    dropped = asyncio.ensure_future(appender.submit([b"a"], _always))
    appender.forget()
    assert await _append(appender, [b"b"]) == [{}]
    dropped.cancel()
    assert write.rows == [b"b"]


async def test_a_column_added_to_the_table_is_described_with_the_next_request_of_the_same_connection(
    api: tuple[WriteApi, Appender, Reasons],
) -> None:
    write, appender, _ = api
    running = asyncio.ensure_future(appender.run())
    contract = [column.name for column in CART_EVENTS.columns]
    await appender.submit([b"a"], _always)
    write.columns = [*contract, "coupon"]
    await appender.submit([b"b"], _always)
    assert [column.name for column in appender.row_type.added] == ["coupon"]
    await appender.submit([b"c"], _always)
    await appender.submit([b"d"], _always)
    running.cancel()
    assert write.described == [contract, [*contract, "coupon"]]
    assert (write.rows, write.connections) == ([b"a", b"b", b"c", b"d"], 1)


async def test_a_new_stream_knows_the_columns_that_its_table_has(api: tuple[WriteApi, Appender, Reasons]) -> None:
    write, appender, _ = api
    write.columns = ["coupon"]
    await _append(appender, [b"a"])
    assert appender.row_type.added
    await appender.open()  # the table of this fake is made without them
    assert appender.row_type.added == ()


async def _history(seed: int) -> None:
    """Submit rows at random moments while the Write API does a random thing with each request."""
    chance = random.Random(seed)
    async with _api(FakeClock()) as (write, appender, _):
        steps = ["answer", "slow", "drop before", "drop after", "lose", "hang"]
        write.plan = chance.choices(steps, weights=[8, 8, 3, 3, 1, 0.3], k=25)
        write.bad = frozenset(f"{i}/0".encode() for i in range(12) if chance.random() < 0.1)
        running = asyncio.ensure_future(appender.run())
        answers, wanted = [], []
        for i in range(12):
            rows = [f"{i}/{j}".encode() for j in range(chance.randrange(4))]
            wanted += [row for row in rows if row not in write.bad]
            answers.append(asyncio.ensure_future(_told(appender, rows)))
            await asyncio.sleep(chance.choice([0, 0, 0.002, 0.01]))
        async with asyncio.timeout(60):
            bad = await asyncio.gather(*answers)
        running.cancel()
        await asyncio.wait({running})
        assert write.rows == wanted, f"seed {seed}"
        assert {f"{i}/{j}".encode() for i, found in enumerate(bad) for j in found} <= write.bad, f"seed {seed}"


async def _told(appender: Appender, rows: list[bytes]) -> BadRows:
    return await appender.submit(rows, _always)


async def test_random_histories_neither_lose_nor_double_nor_reorder() -> None:
    for seed in range(15):
        await _history(seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(20))
async def test_a_thousand_random_histories_neither_lose_nor_double_nor_reorder(block: int) -> None:
    for seed in range(1_000 + 50 * block, 1_050 + 50 * block):
        await _history(seed)
