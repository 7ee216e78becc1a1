"""The pipeline between edges that are slow, fail or answer late: what is acknowledged, and when."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from carts_consumer.append import AbandonedError, BadRows
from carts_consumer.parts import Parts
from carts_consumer.pipeline import Pipeline
from carts_consumer.rows import RowType
from carts_consumer.settings import ConsumerSettings
from carts_consumer.steadfast import Steadfast
from dataplatform.clock import SystemClock
from dataplatform.health import Health
from dataplatform.metrics import ConsumerMetrics
from dataplatform.redrive import MARK
from dataplatform.schemas import CART_EVENTS
from support.events import event, received

_SECONDS = 20


class Gate:
    """Lets through, or holds until it is opened."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = asyncio.Event()

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def pass_(self) -> None:
        self.waiting.set()
        await self._open.wait()


@dataclass
class Edges:
    """Everything the pipeline talks to, kept in lists."""

    acknowledged: list[str] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    quarantined: list[tuple[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    known: frozenset[str] = frozenset()
    refuse: frozenset[int] = frozenset()
    archive_gate: Gate = field(default_factory=Gate)
    append_gate: Gate = field(default_factory=Gate)
    broken: asyncio.Event = field(default_factory=asyncio.Event)
    row_type: RowType = field(default_factory=lambda: RowType(CART_EVENTS))

    # -- subscription

    async def acknowledge(self, ack_ids: Sequence[str]) -> None:
        self.acknowledged += ack_ids

    async def extend(self, ack_ids: Sequence[str], seconds: int) -> None:
        if not seconds:
            self.given_back += ack_ids

    # -- raw zone

    def uri(self, name: str) -> str:
        return f"gs://b/{name}"

    async def create(self, name: str, _: bytes, **__: Any) -> bool:
        await self.archive_gate.pass_()
        self.objects.append(name)
        return True

    # -- appender

    async def open(self) -> None:
        """Nothing to open."""

    def submit(self, rows: Sequence[bytes], may_send: Callable[[], bool]) -> Awaitable[BadRows]:
        ids = [self.row_type.message.FromString(row).event_id for row in rows]
        assert may_send()

        async def appended() -> BadRows:
            await self.append_gate.pass_()
            bad = {i: "refused" for i in range(len(ids)) if i in self.refuse}
            self.rows += [key for i, key in enumerate(ids) if i not in bad]
            return bad

        return appended()

    def forget(self) -> None:
        self.append_gate.open()

    async def run(self) -> None:
        await self.broken.wait()
        self.broken.clear()
        raise AbandonedError("a lease ran out")

    # -- guard and quarantine

    async def known_(self, event_ids: Sequence[str], _: Sequence[Any]) -> frozenset[str]:
        self.asked += event_ids
        return self.known

    async def put(self, invalid: Sequence[Any], _: Any, *, stage: str) -> None:
        self.quarantined += [(item.reason, stage) for item in invalid]


@dataclass
class _Guard:
    known: Any


@asynccontextmanager
async def _pipeline(edges: Edges, **settings: Any) -> AsyncIterator[Pipeline]:
    clock, registry = SystemClock(), CollectorRegistry()
    metrics = ConsumerMetrics(registry)
    health = Health(clock, stalled_after_seconds=60, conditions=("storage", "bigquery"))
    storage, bigquery = (Steadfast(name, clock, health, metrics.retries) for name in ("storage", "bigquery"))
    anything = cast("Any", edges)
    parts = Parts(
        subscription=anything,
        zone=anything,
        appender=anything,
        guard=cast("Any", _Guard(edges.known_)),
        quarantine=anything,
        row_type=edges.row_type,
        storage=storage,
        bigquery=bigquery,
    )
    chosen = ConsumerSettings(**{"flush_max_age_seconds": 0.01, **settings})
    pipeline = Pipeline(parts, chosen, clock, metrics, health)
    running = asyncio.create_task(pipeline.run())
    try:
        yield pipeline
    finally:
        running.cancel()
        await asyncio.wait({running})


def _message(cart_id: int, *, attempt: int = 1) -> Any:
    return received(event(cart_id), ack_id=f"ack-{cart_id}", message_id=str(cart_id), attempt=attempt)


def _id(cart_id: int) -> str:
    return str(event(cart_id)["event_id"])


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_SECONDS):
        while not condition():  # noqa: ASYNC110 - lists change, and nobody tells
            await asyncio.sleep(0.001)


async def _drained(pipeline: Pipeline) -> None:
    await asyncio.wait_for(pipeline.drain(), _SECONDS)


@pytest.mark.parametrize("slow", ["archive_gate", "append_gate"])
async def test_nothing_is_acknowledged_before_line_and_row_are_durable(slow: str) -> None:
    edges = Edges()
    gate: Gate = getattr(edges, slow)
    gate.close()
    async with _pipeline(edges) as pipeline:
        await pipeline.take([_message(1), _message(2)])
        await asyncio.wait_for(gate.waiting.wait(), _SECONDS)
        other = edges.rows if slow == "archive_gate" else edges.objects
        await _until(lambda: bool(other))
        assert edges.acknowledged == []
        gate.open()
        await _drained(pipeline)
    assert edges.acknowledged == ["ack-1", "ack-2"]
    assert edges.rows == [_id(1), _id(2)]
    assert len(edges.objects) == 1


async def test_a_message_that_came_before_is_looked_up_and_appended_only_when_missing() -> None:
    edges = Edges(known=frozenset({_id(1)}))
    marked = _message(3)
    marked.message.attributes[MARK] = "entry"
    async with _pipeline(edges) as pipeline:
        await pipeline.take([_message(1, attempt=2), _message(2, attempt=2), marked, _message(4)])
        await _drained(pipeline)
    assert edges.asked == [_id(1), _id(2), _id(3)]
    assert edges.rows == [_id(2), _id(3), _id(4)]
    assert len(edges.acknowledged) == 4


async def test_a_message_that_comes_twice_has_one_row_and_two_acknowledgements() -> None:
    edges = Edges()
    async with _pipeline(edges) as pipeline:
        await pipeline.take([_message(1)])
        await _drained(pipeline)
        await pipeline.take([_message(1)])
        await _drained(pipeline)
    assert edges.rows == [_id(1)]
    assert edges.acknowledged == ["ack-1", "ack-1"]
    assert len(edges.objects) == 2


async def test_what_is_invalid_or_refused_is_acknowledged_after_quarantine_has_it() -> None:
    edges = Edges(refuse=frozenset({1}))
    async with _pipeline(edges) as pipeline:
        await pipeline.take([_message(1), received(b"{", ack_id="ack-x"), _message(2), _message(3)])
        await _drained(pipeline)
    assert sorted(edges.quarantined) == [("append_refused", "append"), ("not_json", "decode")]
    assert edges.rows == [_id(1), _id(3)]
    assert sorted(edges.acknowledged) == ["ack-1", "ack-2", "ack-3", "ack-x"]


async def test_a_refused_event_that_is_redriven_is_appended_by_the_same_process() -> None:
    edges = Edges(refuse=frozenset({0}))
    async with _pipeline(edges) as pipeline:
        await pipeline.take([_message(1), _message(2)])
        await _drained(pipeline)
        edges.refuse = frozenset()
        again = _message(1)
        again.message.attributes[MARK] = "entry"
        await pipeline.take([again])
        await _drained(pipeline)
    assert edges.quarantined == [("append_refused", "append")]
    assert edges.rows == [_id(2), _id(1)]


async def test_after_an_append_in_doubt_all_in_flight_is_given_back_and_no_id_is_remembered() -> None:
    edges = Edges()
    edges.append_gate.close()
    async with _pipeline(edges) as pipeline:
        await pipeline.take([_message(1)])
        await asyncio.wait_for(edges.append_gate.waiting.wait(), _SECONDS)
        await pipeline.take([_message(1), _message(2)])  # its first message is left to the batch before
        await _until(lambda: len(edges.objects) == 2)
        edges.broken.set()
        await _until(lambda: len(edges.given_back) == 3)
        assert edges.acknowledged == []
        assert not pipeline.leases
        await pipeline.take([_message(1, attempt=2), _message(2, attempt=2)])
        await _drained(pipeline)
    assert sorted(edges.given_back) == ["ack-1", "ack-1", "ack-2"]
    assert edges.asked == [_id(1), _id(2)]
    assert edges.rows == [_id(1), _id(2)]
    assert edges.acknowledged == ["ack-1", "ack-2"]


async def test_taking_waits_while_as_many_bytes_are_held_as_may_be() -> None:
    edges = Edges()
    edges.append_gate.close()
    async with _pipeline(edges, max_outstanding_bytes=100) as pipeline:
        taking = asyncio.create_task(pipeline.take([_message(1)]))
        await asyncio.wait_for(edges.append_gate.waiting.wait(), _SECONDS)
        assert not taking.done()
        edges.append_gate.open()
        assert await asyncio.wait_for(taking, _SECONDS)


async def test_redriven_messages_that_are_invalid_again_do_not_open_the_circuit() -> None:
    edges = Edges()
    again = []
    for i in range(60):
        message = received(b"{", ack_id=f"ack-{i}")
        message.message.attributes[MARK] = "entry"
        again.append(message)
    async with _pipeline(edges, circuit_max_run=50) as pipeline:
        assert await pipeline.take(again)
        await _drained(pipeline)
        assert not await pipeline.take([received(b"{", ack_id=f"new-{i}") for i in range(50)])
    assert len(edges.acknowledged) == 60


async def test_what_is_not_finished_in_time_is_given_back_once() -> None:
    edges = Edges()
    edges.append_gate.close()
    async with _pipeline(edges) as pipeline:
        await pipeline.take([_message(1)])
        await asyncio.wait_for(edges.append_gate.waiting.wait(), _SECONDS)
        await pipeline.give_back()
        await pipeline.give_back()
    assert edges.given_back == ["ack-1"]
    assert edges.acknowledged == []
