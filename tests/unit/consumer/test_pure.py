"""The pure parts: window, circuit, batches, leases, rows, archive."""

import gzip
import json

import pytest

from carts_consumer import archive
from carts_consumer.batch import BatchBuilder
from carts_consumer.chunk import Chunk
from carts_consumer.circuit import Circuit
from carts_consumer.decode import Decoded, decode, microseconds
from carts_consumer.leases import LeaseBook
from carts_consumer.rows import RowType, encode_events
from carts_consumer.window import Window
from dataplatform.envelope import read_lines
from dataplatform.models import partition_range
from dataplatform.schemas import CART_EVENTS, QUARANTINE
from support.events import NOW, event, received


def _chunk(now: float = 0.0, messages: int = 1, lease: float = 60) -> Chunk:
    return Chunk.of([received(event(), ack_id=f"a{i}") for i in range(messages)], now=now, lease_seconds=lease)


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
    builder.add(_chunk(messages=messages), Decoded())
    assert builder.due(now) == reason


def test_a_batch_is_due_by_bytes_and_starts_anew_after_it_was_taken() -> None:
    builder = BatchBuilder(max_rows=100, max_bytes=10, max_age_seconds=1)
    builder.add(_chunk(), Decoded())
    assert builder.due(0) == "bytes"
    assert builder.take("bytes").messages == 1
    assert builder.due(100) is None


def test_a_lost_chunk_leaves_its_batch() -> None:
    builder = BatchBuilder(max_rows=9, max_bytes=1 << 20, max_age_seconds=1)
    old, new = _chunk(now=0, lease=10), _chunk(now=5, lease=10)
    builder.add(old, Decoded())
    builder.add(new, Decoded())
    batch = builder.take("age")
    assert batch.lost(10)
    assert batch.drop_lost(10) == [old]
    assert list(batch.chunks) == [new]


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


def test_a_row_holds_what_the_event_says() -> None:
    row_type = RowType(CART_EVENTS)
    payload = json.dumps(event()).encode()
    decoded = decode([received(payload)], partition_range(NOW))
    rows = encode_events(row_type, decoded.events, decoded.payloads, ["9"], [5], ingested_at=6, raw_uri="gs://b/o")
    row = row_type.message.FromString(rows[0])
    assert (row.cart_id, row.version, row.user_id, row.total_items) == (1, 1, 3, 5)
    assert [(line.product_id, line.quantity) for line in row.products] == [(1, 4), (2, 1)]
    assert row.observed_at == microseconds(NOW)
    assert (row.message_id, row.published_at, row.ingested_at, row.raw_uri) == ("9", 5, 6, "gs://b/o")
    assert row.payload.encode() == payload


def test_the_row_of_a_deleted_cart_has_no_owner() -> None:
    row_type = RowType(CART_EVENTS)
    decoded = decode([received(event(event_type="cart_deleted", cart=None))], partition_range(NOW))
    rows = encode_events(row_type, decoded.events, decoded.payloads, ["9"], [5], ingested_at=6, raw_uri="")
    row = row_type.message.FromString(rows[0])
    assert not row.HasField("user_id")
    assert not row.HasField("cart_date")
    assert row.total_items == 0


@pytest.mark.parametrize("table", [CART_EVENTS, QUARANTINE], ids=lambda table: table.name)
def test_a_descriptor_has_every_column(table: object) -> None:
    assert table in {CART_EVENTS, QUARANTINE}
    wanted = CART_EVENTS if table is CART_EVENTS else QUARANTINE
    assert [field.name for field in RowType(wanted).descriptor.field] == [column.name for column in wanted.columns]


def test_the_archive_keeps_the_bytes_received_and_its_name_follows_from_them() -> None:
    payloads = [json.dumps(event(version=v), indent=v or None).encode() for v in (0, 1, 2)]
    messages = [received(payload, message_id=str(i), attempt=i) for i, payload in enumerate(payloads)]
    made = [archive.build("pod", 1, messages, payloads, [microseconds(NOW)] * 3) for _ in range(2)]
    lines = list(read_lines(gzip.decompress(made[0].data)))
    assert made[0] == made[1]
    assert [line.payload for line in lines] == payloads
    assert [line.fields["message_id"] for line in lines] == ["0", "1", "2"]
    assert lines[2].fields["delivery_attempt"] == 2
    assert made[0].name.startswith("carts_events/dt=2026-11-24/hr=06/pod-")
    assert made[0].metadata["count"] == "3"
