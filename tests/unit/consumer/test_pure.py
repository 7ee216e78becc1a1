"""The pure parts: window, circuit, batches, leases, rows, archive."""

import gzip
import json
from typing import Any

import pytest

from carts_consumer import archive
from carts_consumer.batch import BatchBuilder
from carts_consumer.chunk import Chunk
from carts_consumer.circuit import Circuit
from carts_consumer.decode import decode, microseconds
from carts_consumer.leases import LeaseBook
from carts_consumer.records import Records, records
from carts_consumer.rows import RowType, ending
from carts_consumer.window import Window
from dataplatform.envelope import read_lines
from dataplatform.models import partition_range
from dataplatform.redrive import MARK
from dataplatform.schemas import CART_EVENTS, QUARANTINE
from support.events import NOW, event, received


def _chunk(now: float = 0.0, messages: int = 1, lease: float = 60) -> Chunk:
    answer = [received(event(), ack_id=f"a{i}") for i in range(messages)]
    decoded = decode(answer, partition_range(NOW))
    return Chunk.of(answer, decoded, records(decoded, RowType(CART_EVENTS)), now=now, lease_seconds=lease)


def test_the_window_knows_the_latest_ids_only() -> None:
    window = Window(2)
    assert [window.add(key) for key in ("a", "b", "a", "c", "a")] == [True, True, False, True, True]
    assert len(window) == 2


def test_a_cleared_window_knows_nothing() -> None:
    window = Window(5)
    window.add("a")
    window.clear()
    assert window.add("a")


def _circuit() -> Circuit:
    return Circuit(max_ratio=0.5, min_messages=100, max_run=50, cooldown_seconds=60)


def test_the_circuit_opens_on_a_run_of_invalid_messages() -> None:
    circuit = _circuit()
    assert circuit.observe(0, 49, now=0)
    assert not circuit.observe(0, 1, now=0)
    assert "50 invalid messages in a row" in circuit.reason
    assert circuit.open(now=59)
    assert not circuit.open(now=60)


def test_the_circuit_opens_on_the_share_of_invalid_messages() -> None:
    circuit = _circuit()
    assert circuit.observe(49, 50, now=0)
    assert not circuit.observe(1, 2, now=0)
    assert "52 of the latest 102" in circuit.reason


def test_a_valid_message_ends_the_run_and_half_is_not_too_much() -> None:
    circuit = _circuit()
    for _ in range(20):
        assert circuit.observe(40, 40, now=0)


@pytest.mark.parametrize(("messages", "now", "reason"), [(1, 0.5, None), (3, 0.0, "rows"), (1, 1.0, "age")])
def test_a_batch_is_due_by_rows_or_age(messages: int, now: float, reason: str | None) -> None:
    builder = BatchBuilder(max_rows=3, max_bytes=1 << 20, max_age_seconds=1)
    builder.add(_chunk(messages=messages))
    assert builder.due(now) == reason


def test_a_batch_is_due_by_bytes_and_starts_anew_after_it_was_taken() -> None:
    builder = BatchBuilder(max_rows=100, max_bytes=10, max_age_seconds=1)
    builder.add(_chunk())
    assert builder.due(0) == "bytes"
    assert builder.take("bytes").messages == 1
    assert builder.due(100) is None


def test_a_lost_chunk_leaves_its_batch() -> None:
    builder = BatchBuilder(max_rows=9, max_bytes=1 << 20, max_age_seconds=1)
    old, new = _chunk(now=0, lease=10), _chunk(now=5, lease=10)
    builder.add(old)
    builder.add(new)
    batch = builder.take("age")
    assert batch.lost(10)
    assert batch.drop_lost(10) == [old]
    assert batch.chunks == [new]


def test_leases_are_due_at_half_their_time_and_never_after_they_are_lost() -> None:
    book, chunk = LeaseBook(60), _chunk(now=0)
    book.add(chunk)
    assert book.due(29) == []
    assert book.due(31) == [chunk]
    assert book.due(60) == []
    book.extended(chunk, asked_at=31)
    assert not chunk.lost(90)
    assert chunk.lost(91)
    book.settle(chunk)
    book.settle(chunk)
    assert len(book) == 0
    assert book.size == 0


def _records(*messages: Any) -> Records:
    return records(decode(messages, partition_range(NOW)), RowType(CART_EVENTS))


def _row(made: Records, place: int = 0, tail: bytes = b"") -> Any:
    return RowType(CART_EVENTS).message.FromString(made.rows[place] + tail)


def test_a_row_holds_what_the_event_says() -> None:
    payload = json.dumps(event()).encode()
    tail = ending(RowType(CART_EVENTS), ingested_at=6, raw_uri="gs://b/o")
    row = _row(_records(received(payload, message_id="9")), tail=tail)
    assert (row.cart_id, row.version, row.user_id, row.total_items) == (1, 1, 3, 5)
    assert [(line.product_id, line.quantity) for line in row.products] == [(1, 4), (2, 1)]
    assert row.observed_at == microseconds(NOW)
    assert (row.message_id, row.published_at) == ("9", microseconds(NOW))
    assert (row.ingested_at, row.raw_uri) == (6, "gs://b/o")
    assert row.payload.encode() == payload


def test_the_row_of_a_deleted_cart_has_no_owner() -> None:
    row = _row(_records(received(event(event_type="cart_deleted", cart=None))))
    assert not row.HasField("user_id")
    assert not row.HasField("cart_date")
    assert row.total_items == 0


def test_a_line_stands_in_the_row_as_often_as_in_the_cart() -> None:
    body = event()
    body["cart"]["products"] = [{"productId": 1, "quantity": 2}] * 2 + [{"productId": 2, "quantity": 1}]
    made = _records(received(body), received(event()))
    assert [(line.product_id, line.quantity) for line in _row(made).products] == [(1, 2), (1, 2), (2, 1)]
    assert [(line.product_id, line.quantity) for line in _row(made, 1).products] == [(1, 4), (2, 1)]


def test_messages_that_came_before_or_were_published_again_are_suspects() -> None:
    made = _records(received(event()), received(event(), attempt=1), received(event(), attempt=2))
    again = received(event())
    again.message.attributes[MARK] = "x"
    made.extend(_records(received(event()), again))
    assert made.suspects == [2, 4]
    assert len(made) == len(made.lines) == len(made.event_ids) == 5


@pytest.mark.parametrize("table", [CART_EVENTS, QUARANTINE], ids=lambda table: table.name)
def test_a_descriptor_has_every_column(table: object) -> None:
    assert table in {CART_EVENTS, QUARANTINE}
    wanted = CART_EVENTS if table is CART_EVENTS else QUARANTINE
    assert [field.name for field in RowType(wanted).descriptor.field] == [column.name for column in wanted.columns]


def test_the_archive_keeps_the_bytes_received_and_its_name_follows_from_them() -> None:
    payloads = [json.dumps(event(version=1 + v), indent=v or None).encode() for v in (0, 1, 2)]
    messages = [received(payload, message_id=str(i), attempt=i) for i, payload in enumerate(payloads)]
    taken = _records(*messages)
    made = [archive.build("pod", 1, taken.lines, taken.published) for _ in range(2)]
    lines = list(read_lines(gzip.decompress(made[0].data)))
    assert made[0] == made[1]
    assert [line.payload for line in lines] == payloads
    assert [line.fields["message_id"] for line in lines] == ["0", "1", "2"]
    assert lines[2].fields["delivery_attempt"] == 2
    assert made[0].name.startswith("carts_events/dt=2026-11-24/hr=06/pod-")
    assert made[0].metadata["count"] == "3"
