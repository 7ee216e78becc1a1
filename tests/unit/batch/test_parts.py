"""Parts are bounded, the same every time, and readable."""

from datetime import UTC, date, datetime

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from isal import igzip

from batch_ingest import parts, quarantine
from batch_ingest.entities import ENTITIES
from batch_ingest.identity import Run
from batch_ingest.records import MAX_RECORD_BYTES, Invalid
from dataplatform import schemas
from dataplatform.clock import SystemClock
from dataplatform.envelope import read_lines
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy

from .records import product, raw, read

RUN = Run(ENTITIES["products"], date(2026, 11, 24), "20261124-ab", "fakestore", datetime(2026, 11, 24, 6, tzinfo=UTC))
RECORDS = read("products", *(raw(product(id=number)) for number in range(10))).valid


@pytest.fixture
def zone() -> RawZone:
    client = storage.Client("p", AnonymousCredentials())
    return RawZone(client, "bucket", Retrier(RetryPolicy(1), SystemClock()), timeout_seconds=1)


def test_parts_hold_every_line_in_order_and_none_is_larger_than_the_bound(zone: RawZone) -> None:
    built = list(parts.build(RUN, RECORDS, zone, max_bytes=1_000))

    texts = [igzip.decompress(part.data) for part in built]
    assert len(built) > 1
    assert all(len(text) <= 1_000 for text in texts)
    assert [line.fields["id"] for text in texts for line in read_lines(text)] == list(range(10))
    assert [part.count for part in built] == [text.count(b"\n") for text in texts]


def test_a_line_larger_than_the_bound_has_a_part_of_its_own(zone: RawZone) -> None:
    assert [part.count for part in parts.build(RUN, RECORDS, zone, max_bytes=1)] == [1] * 10


def test_a_line_names_its_run_and_the_object_it_is_in(zone: RawZone) -> None:
    for number, part in enumerate(parts.build(RUN, RECORDS, zone, max_bytes=1_000)):
        assert part.name == f"products/dt=2026-11-24/run=20261124-ab/part-{number:05d}.jsonl.gz"
        for line in read_lines(igzip.decompress(part.data)):
            assert line.fields["raw_uri"] == f"gs://bucket/{part.name}"
            assert line.fields["run_id"] == "20261124-ab"
            assert line.fields["ingested_at"] == "2026-11-24T06:00:00.000000Z"
            assert {*line.fields, "payload"} == {column.name for column in schemas.PRODUCTS.columns}


def test_the_same_run_makes_the_same_bytes(zone: RawZone) -> None:
    assert list(parts.build(RUN, RECORDS, zone, max_bytes=700)) == list(parts.build(RUN, RECORDS, zone, max_bytes=700))


def test_quarantined_records_are_rows_and_lines_with_the_same_id(zone: RawZone) -> None:
    invalid = [Invalid(b'{"id":2}', "missing_field", "why"), Invalid(b"null", "not_an_object", "why")]

    (found,) = quarantine.build(RUN, invalid, zone)

    lines = list(read_lines(igzip.decompress(found.part.data)))
    assert [line.payload for line in lines] == [b"null", b'{"id":2}']
    assert [line.fields["quarantine_id"] for line in lines] == [row["quarantine_id"] for row in found.rows]
    assert all(set(row) <= {column.name for column in schemas.QUARANTINE.columns} for row in found.rows)
    assert list(quarantine.build(RUN, invalid[::-1], zone)) == [found]


def test_a_record_too_large_for_a_row_is_in_the_object_alone(zone: RawZone) -> None:
    payload = b'"' + b"x" * MAX_RECORD_BYTES + b'"'

    (found,) = quarantine.build(RUN, [Invalid(payload, "too_large", "why")], zone)

    assert found.rows[0]["original"] == ""
    assert [line.payload for line in read_lines(igzip.decompress(found.part.data))] == [payload]
