"""What the consumer relies on in the Storage Write API: offsets that make a repeated append harmless."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import grpc
import pyarrow as pa
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient, types
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from localcloud.state import StackState

SECONDS = 30.0


@pytest.fixture(scope="module")
def queries(stack: StackState) -> Iterator[bigquery.Client]:
    options = {"api_endpoint": stack.endpoints["bigquery"]}
    with closing(
        bigquery.Client(project=stack.project, credentials=AnonymousCredentials(), client_options=options)
    ) as client:
        client.create_dataset("write_api", exists_ok=True)
        yield client


@pytest.fixture(scope="module")
def writer(stack: StackState) -> Iterator[BigQueryWriteClient]:
    with grpc.insecure_channel(stack.endpoints["bigquery_storage"]) as channel:
        yield BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel))


@pytest.fixture
def table(queries: bigquery.Client) -> str:
    name = f"t_{uuid.uuid4().hex}"
    queries.query_and_wait(f"CREATE TABLE write_api.{name} (id INT64 NOT NULL, name STRING, at TIMESTAMP)")
    return name


@pytest.fixture
def stream(writer: BigQueryWriteClient, stack: StackState, table: str) -> str:
    parent = f"projects/{stack.project}/datasets/write_api/tables/{table}"
    kind = types.WriteStream(type_=types.WriteStream.Type.COMMITTED)
    return str(writer.create_write_stream(parent=parent, write_stream=kind, timeout=SECONDS).name)


def message() -> Any:
    """The class of a row: id, name, and `at` in microseconds since 1970."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{uuid.uuid4().hex}.proto", package=f"p{uuid.uuid4().hex}")
    row = file.message_type.add(name="Row")
    field = descriptor_pb2.FieldDescriptorProto
    for number, (name, kind) in enumerate(
        [("id", field.TYPE_INT64), ("name", field.TYPE_STRING), ("at", field.TYPE_INT64)], start=1
    ):
        row.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Row"))


def proto_request(stream: str, offset: int | None, *rows: dict[str, Any]) -> types.AppendRowsRequest:
    kind = message()
    schema = descriptor_pb2.DescriptorProto()
    kind.DESCRIPTOR.CopyToProto(schema)
    data = types.AppendRowsRequest.ProtoData(
        writer_schema=types.ProtoSchema(proto_descriptor=schema),
        rows=types.ProtoRows(serialized_rows=[kind(**row).SerializeToString() for row in rows]),
    )
    return types.AppendRowsRequest(write_stream=stream, offset=offset, proto_rows=data)


def arrow_request(stream: str, offset: int, rows: list[dict[str, Any]]) -> types.AppendRowsRequest:
    batch = pa.RecordBatch.from_pylist(
        rows, schema=pa.schema([("id", pa.int64()), ("name", pa.string()), ("at", pa.timestamp("us", "UTC"))])
    )
    data = types.AppendRowsRequest.ArrowData(
        writer_schema=types.ArrowSchema(serialized_schema=batch.schema.serialize().to_pybytes()),
        rows=types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes()),
    )
    return types.AppendRowsRequest(write_stream=stream, offset=offset, arrow_rows=data)


def append(writer: BigQueryWriteClient, *requests: types.AppendRowsRequest) -> list[types.AppendRowsResponse]:
    return list(writer.append_rows(iter(requests), timeout=SECONDS))


def ids(queries: bigquery.Client, table: str) -> list[int]:
    return [row["id"] for row in queries.query_and_wait(f"SELECT id FROM write_api.{table} ORDER BY id")]  # noqa: S608 - made up here


def test_appended_rows_can_be_read_at_once(
    writer: BigQueryWriteClient, queries: bigquery.Client, stream: str, table: str
) -> None:
    first, second = append(
        writer,
        proto_request(stream, 0, {"id": 1, "name": "a", "at": 1_700_000_000_000_001}, {"id": 2}),
        proto_request(stream, 2, {"id": 3}),
    )

    assert (first.append_result.offset, second.append_result.offset) == (0, 2)
    found = [tuple(row) for row in queries.query_and_wait(f"SELECT * FROM write_api.{table} ORDER BY id")]  # noqa: S608 - made up here
    assert [row[:2] for row in found] == [(1, "a"), (2, None), (3, None)]
    assert found[0][2].isoformat() == "2023-11-14T22:13:20.000001+00:00"


def test_a_repeated_append_is_told_and_not_doubled(
    writer: BigQueryWriteClient, queries: bigquery.Client, stream: str, table: str
) -> None:
    append(writer, proto_request(stream, 0, {"id": 1}))

    [repeated] = append(writer, proto_request(stream, 0, {"id": 1}))

    assert repeated.error.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    assert ids(queries, table) == [1]


def test_an_append_beyond_the_end_is_refused(
    writer: BigQueryWriteClient, queries: bigquery.Client, stream: str, table: str
) -> None:
    [gap] = append(writer, proto_request(stream, 5, {"id": 1}))

    assert gap.error.code == grpc.StatusCode.OUT_OF_RANGE.value[0]
    assert ids(queries, table) == []


def test_one_bad_row_rejects_the_request_and_is_named(
    writer: BigQueryWriteClient, queries: bigquery.Client, stream: str, table: str
) -> None:
    [refused] = append(writer, proto_request(stream, 0, {"id": 1}, {"name": "without its id"}))
    [mended] = append(writer, proto_request(stream, 0, {"id": 1}))

    assert refused.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert [error.index for error in refused.row_errors] == [1]
    assert mended.append_result.offset == 0
    assert ids(queries, table) == [1]


def test_arrow_rows_are_appended_like_protocol_buffers(
    writer: BigQueryWriteClient, queries: bigquery.Client, stream: str, table: str
) -> None:
    rows = [{"id": n, "name": f"n{n}", "at": None} for n in range(100)]

    [first] = append(writer, arrow_request(stream, 0, rows))
    [repeated] = append(writer, arrow_request(stream, 0, rows))

    assert first.append_result.offset == 0
    assert repeated.error.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    assert ids(queries, table) == list(range(100))


def test_the_default_stream_appends_without_offsets(
    writer: BigQueryWriteClient, queries: bigquery.Client, stack: StackState, table: str
) -> None:
    stream = f"projects/{stack.project}/datasets/write_api/tables/{table}/streams/_default"

    append(writer, proto_request(stream, None, {"id": 1}), proto_request(stream, None, {"id": 1}))

    assert ids(queries, table) == [1, 1]


def test_a_writer_is_told_once_of_a_column_added_meanwhile(
    writer: BigQueryWriteClient, queries: bigquery.Client, stream: str, table: str
) -> None:
    [before] = append(writer, proto_request(stream, 0, {"id": 1}))
    queries.query_and_wait(f"ALTER TABLE write_api.{table} ADD COLUMN coupon STRING")
    told, after = append(writer, proto_request(stream, 1, {"id": 2}), proto_request(stream, 2, {"id": 3}))

    assert "updated_schema" not in before
    assert [field.name for field in told.updated_schema.fields] == ["id", "name", "at", "coupon"]
    assert "updated_schema" not in after


def test_a_request_may_have_the_size_that_bigquery_takes(
    writer: BigQueryWriteClient, queries: bigquery.Client, stream: str, table: str
) -> None:
    [answer] = append(writer, proto_request(stream, 0, {"id": 1, "name": "x" * 9_000_000}))

    assert not answer.error.code
    found = queries.query_and_wait(f"SELECT length(name) AS n FROM write_api.{table}")  # noqa: S608 - made up here
    assert [row["n"] for row in found] == [9_000_000]
