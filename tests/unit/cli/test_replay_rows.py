"""What a replay makes of the raw zone's lines: the consumer's rows, as a load job takes them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dataplatform.clock import rfc3339
from dataplatform.envelope import opaque_line, read_lines, record_line
from dataplatform.schemas import CART_EVENTS, QUARANTINE
from eydp.replay.quarantined import day_of, quarantine_row, row_day
from eydp.replay.rows import EventRows, Made
from support.events import NOW, event
from support.upkeep import NOON, cart, message, object_of

URI = "gs://b/carts_events/x.jsonl.gz"


def made_of(messages: list[Any], live: list[dict[str, Any]] | None = None, refused: tuple[str, ...] = ()) -> Made:
    import gzip

    lines = read_lines(gzip.decompress(object_of(messages).data))
    found = Made()
    for some in EventRows(live or [], frozenset(refused)).of(lines, URI, NOW):
        found.lines += some.lines
        found.days |= some.days
        found.invalid += some.invalid
        found.refused += some.refused
    return found


def rows_of(messages: list[Any], **more: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made_of(messages, **more).lines]


def test_a_row_has_the_columns_of_the_table_and_the_payload_as_it_came() -> None:
    [row] = rows_of([message(cart(3), at=NOON)])
    assert row == {
        "event_id": cart(3)["event_id"],
        "event_type": "cart_created",
        "schema_version": 1,
        "source": "fakestore",
        "epoch": 7,
        "cart_id": 3,
        "version": 1,
        "user_id": 3,
        "cart_date": "2020-03-02T00:00:00.000000Z",
        "products": [{"product_id": 1, "quantity": 4}, {"product_id": 2, "quantity": 1}],
        "total_items": 5,
        "observed_at": rfc3339(NOON),
        "published_at": rfc3339(NOON),
        "ingested_at": rfc3339(NOW),
        "message_id": "3-1",
        "raw_uri": URI,
        "payload": cart(3),
    }
    assert set(row) == {column.name for column in CART_EVENTS.columns}


def test_a_deleted_cart_has_neither_owner_nor_lines() -> None:
    [row] = rows_of([message(event(cart_id=4, event_type="cart_deleted", cart=None))])
    assert (row["products"], row["total_items"]) == ([], 0)
    assert not {"user_id", "cart_date"} & set(row)


def test_numbers_that_a_double_can_not_hold_go_as_text() -> None:
    [row] = rows_of([message(event(cart_id=1, version=2**62))])
    assert row["version"] == str(2**62)


def test_a_payload_with_line_breaks_is_one_line() -> None:
    payload = json.dumps(cart(5), indent=1).encode()
    [line] = made_of([message(payload)]).lines
    assert line.count(b"\n") == 1
    assert json.loads(line)["payload"] == cart(5)


def test_a_column_that_was_added_to_the_table_is_filled() -> None:
    live = [{"name": "channel", "type": "STRING", "mode": "NULLABLE"}, {"name": "score", "type": "INTEGER"}]
    [row] = rows_of([message(event(channel="web", score=7))], live=live)
    assert (row["channel"], row["score"]) == ("web", 7)


def test_the_days_are_those_of_the_events_and_not_of_the_publishing() -> None:
    old = datetime(2026, 11, 1, tzinfo=UTC)
    assert made_of([message(cart(1, observed=old)), message(cart(2))]).days == {old.date(), NOON.date()}


def test_lines_that_are_no_rows_are_counted() -> None:
    found = made_of([message(cart(1)), message(cart(2))], refused=("2-1",))
    assert (len(found.lines), found.refused, found.invalid) == (1, 1, 0)
    lines = gzip_lines([message(cart(1))])
    [later] = EventRows([], frozenset()).of(read_lines(lines), URI, NOON + timedelta(days=20 * 365))
    assert (later.lines, later.invalid) == ([], 1), "the table takes no row of its day any more"


def gzip_lines(messages: list[Any]) -> bytes:
    import gzip

    return gzip.decompress(object_of(messages).data)


def row_of(line: bytes, name: str = "quarantine/carts_events/dt=2026-11-20/x.jsonl.gz", **given: Any) -> dict[str, Any]:
    created = given.get("created", NOON)
    return quarantine_row(next(read_lines(line)), name, f"gs://b/{name}", created, "shop")


POLLED = {"quarantine_id": "c", "stage": "parse", "reason": "wrong_type", "detail": "id", "source": "fakestore"}


def test_a_quarantined_row_has_the_columns_of_the_table() -> None:
    row = row_of(record_line(POLLED, b'{"id": "x"}'))
    assert set(row) == {column.name for column in QUARANTINE.columns}
    assert row["attributes"] is None


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (NOON, "2026-11-20T12:00:00.000000Z"),
        (NOON + timedelta(days=1), "2026-11-20T23:59:59.999999Z"),
        (NOON - timedelta(days=1), "2026-11-20T00:00:00.000000Z"),
    ],
)
def test_a_line_without_a_time_was_quarantined_when_its_object_was_made_on_its_day(
    created: datetime, expected: str
) -> None:
    row = row_of(record_line(POLLED, b"{}"), created=created)
    assert row["quarantined_at"] == expected
    assert row_day(row) == day_of("quarantine/carts_events/dt=2026-11-20/x.jsonl.gz") == date(2026, 11, 20)


def test_a_message_without_a_source_is_of_the_shop() -> None:
    line = opaque_line({**POLLED, "source": None, "attributes": {}, "message_id": "1"}, b"{")
    assert row_of(line)["source"] == "shop"


def test_an_original_that_is_too_large_for_a_row_stays_in_the_object() -> None:
    assert row_of(opaque_line(POLLED, bytes(6_000_000)))["original"] == ""
