"""Parts are bounded, the same every time, and readable."""

import asyncio
import gzip
import hashlib
import json
from typing import Any

import pytest
from isal import igzip

from batch_ingest import parts, quarantine
from batch_ingest.quarantine import Spool
from batch_ingest.records import MAX_RECORD_BYTES, Invalid
from dataplatform import schemas
from dataplatform.envelope import Line, read_lines
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import Versioned
from dataplatform.retry import BadAnswerError

from .records import Bucket, chunks, intake, product, raw, run, take

RECORDS = [raw(product(id=number)) for number in range(10)]


def lines_of(bucket: Bucket, name: str) -> list[Line]:
    return list(read_lines(gzip.decompress(bucket.objects[name])))


async def test_parts_hold_every_line_in_order_and_none_is_larger_than_the_bound() -> None:
    bucket = Bucket()

    taken = await take(bucket, *RECORDS, max_bytes=1_000)

    assert len(taken.parts) > 1
    assert all(len(gzip.decompress(data)) <= 1_000 for data in bucket.objects.values())
    found = [line.fields["id"] for part in taken.parts for line in lines_of(bucket, part.name)]
    assert found == list(range(10))
    assert [part.count for part in taken.parts] == [len(lines_of(bucket, part.name)) for part in taken.parts]
    assert [bucket.counts[part.name] for part in taken.parts] == [str(part.count) for part in taken.parts]


async def test_a_line_larger_than_the_bound_has_a_part_of_its_own() -> None:
    assert [part.count for part in (await take(Bucket(), *RECORDS, max_bytes=1)).parts] == [1] * 10


async def test_a_line_names_the_object_it_is_in_and_has_the_columns_of_the_load_table() -> None:
    bucket = Bucket()

    for part in (await take(bucket, *RECORDS, max_bytes=1_000)).parts:
        assert part.name == f"products/dt=2026-11-24/part-{part.digest}.jsonl.gz"
        for line in lines_of(bucket, part.name):
            assert line.fields["raw_uri"] == f"gs://bucket/{part.name}"
            assert {*line.fields, "payload"} == {column.name for column in schemas.PRODUCTS_LOAD.columns}


async def test_a_part_is_listed_with_the_size_and_the_checksum_of_its_object() -> None:
    bucket = Bucket()

    (part,) = (await take(bucket, *RECORDS)).parts

    data = bucket.objects[part.name]
    assert (part.bytes, part.md5) == (len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())
    assert parts.Part.read(json.loads(json.dumps(part.described()))) == part


async def test_the_same_records_make_the_same_objects_however_they_arrive() -> None:
    one, other = Bucket(), Bucket()

    await take(one, *RECORDS, max_bytes=700)
    await intake(other, max_bytes=700).take(chunks(RECORDS[:3], [], RECORDS[3:4], RECORDS[4:]))

    assert one.objects == other.objects


async def test_an_answer_that_breaks_off_leaves_no_upload_at_work() -> None:
    bucket = Bucket()

    async def broken() -> Any:
        yield RECORDS[:5]
        raise BadAnswerError("cut off")

    with pytest.raises(BadAnswerError):
        await intake(bucket, max_bytes=1).take(broken())
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Slow(Bucket):
    """Writes nothing before it is told to, and counts who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.full = asyncio.Event()
        self.waiting = 0
        self.most = 0

    async def create(self, name: str, data: bytes, **options: Any) -> bool:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        if self.waiting == 3:
            self.full.set()
        await self.go.wait()
        self.waiting -= 1
        return await super().create(name, data, **options)


async def test_no_more_parts_are_in_memory_than_may_be_written_at_once() -> None:
    bucket = Slow()
    taking = asyncio.create_task(take(bucket, *RECORDS, max_bytes=1, at_once=3))
    async with asyncio.timeout(10):
        await bucket.full.wait()
    bucket.go.set()

    assert len((await taking).parts) == 10
    assert bucket.most == 3


async def test_a_failed_upload_fails_the_run() -> None:
    class Full(Bucket):
        async def create(self, name: str, *_: Any, **__: Any) -> bool:
            raise ConnectionError(name)

    with pytest.raises(ConnectionError):
        await take(Full(), *RECORDS)


async def test_an_object_of_the_same_text_in_other_bytes_is_taken_as_it_is() -> None:
    class Taken(Bucket):
        async def create(self, name: str, *_: Any, **__: Any) -> bool:
            raise InvalidDataError(f"{name} exists with other content")

        async def read(self, name: str) -> Versioned | None:
            return Versioned(self.objects[name], 1)

    bucket = Taken()
    bucket.objects["a"] = gzip.compress(b"text", 9)
    zone: Any = bucket

    assert await parts.store(zone, "a", igzip.compress(b"text", 0), count=1) == bucket.objects["a"]
    with pytest.raises(InvalidDataError, match="other content"):
        await parts.store(zone, "a", igzip.compress(b"another text", 0), count=1)


def spool(*items: Invalid) -> Spool:
    found = Spool()
    for item in items:
        found.add(item)
    return found


def test_quarantined_records_are_rows_and_lines_with_the_same_id() -> None:
    (found,) = quarantine.build(
        run(), spool(Invalid(b'{"id":2}', "missing_field", "why"), Invalid(b"null", "not_an_object", "why"))
    )

    lines = list(read_lines(igzip.decompress(found.data)))
    rows = quarantine.rows("products", found.data, "gs://bucket/q")
    assert [line.payload for line in lines] == [b'{"id":2}', b"null"]
    assert [line.fields["quarantine_id"] for line in lines] == [row["quarantine_id"] for row in rows]
    assert all(set(row) <= {column.name for column in schemas.QUARANTINE.columns} for row in rows)
    assert {row["quarantined_at"] for row in rows} == {"2026-11-24T06:00:00.000000Z"}
    assert found.count == 2


def test_the_digest_of_quarantined_records_does_not_depend_on_their_order() -> None:
    one, other = Invalid(b"1", "not_an_object", "why"), Invalid(b"2", "not_an_object", "why")

    assert spool(one, other).digest == spool(other, one).digest
    assert len({spool().digest, spool(one).digest, spool(other).digest, spool(one, one).digest}) == 4


def test_a_record_too_large_for_a_row_is_in_the_object_alone() -> None:
    payload = b'"' + b"x" * MAX_RECORD_BYTES + b'"'

    (found,) = quarantine.build(run(), spool(Invalid(payload, "too_large", "why")))

    assert quarantine.rows("products", found.data, "u")[0]["original"] == ""
    assert [line.payload for line in read_lines(igzip.decompress(found.data))] == [payload]


def test_more_invalid_records_than_memory_should_hold_are_kept_all_the_same() -> None:
    items = [Invalid(str(number).encode() + b"x" * (1 << 20), "too_large", "why") for number in range(12)]
    found = spool(*items)

    assert [item.payload for item in found.items()] == [item.payload for item in items]
    found.close()
