"""Quarantine: messages that can't become rows, kept with reason and original bytes, in the bucket and in BigQuery."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.api_core import exceptions as google
from google.cloud.bigquery_storage_v1 import types
from isal import igzip

from carts_consumer.decode import Invalid, microseconds, publish_microseconds, stamp
from carts_consumer.rows import RowType
from dataplatform import rawzone, redrive, schemas
from dataplatform.clock import rfc3339
from dataplatform.envelope import opaque_line

ENTITY = "carts_events"
#: Serialised rows in one append request; the API takes 10 MB.
_MAX_REQUEST_BYTES = 8_000_000
#: Larger originals stand in the object alone, because their row would not fit a request.
MAX_ORIGINAL_BYTES = 5_500_000


class Quarantine:
    """Writes the object first, then the rows; both may be repeated.

    Rows go to the table's default stream, at least once: their `quarantine_id` follows from message and bytes, so
    that readers see each record once. A record that was redriven and is invalid again gets the id of its first
    quarantine, and is told from it by the attempt in its attributes.
    """

    def __init__(self, zone: rawzone.RawZone, client: Any, table: str, *, source: str, timeout_seconds: float) -> None:
        """`client` is a `BigQueryWriteAsyncClient`, `table` is `project.dataset.table`."""
        project, dataset, name = table.split(".")
        self._zone = zone
        self._client = client
        self._stream = f"projects/{project}/datasets/{dataset}/tables/{name}/streams/_default"
        self._rows = RowType(schemas.QUARANTINE)
        self._source = source
        self._timeout = timeout_seconds

    async def put(self, invalid: Sequence[Invalid], now: datetime, *, stage: str) -> None:
        """Keep the messages; returns when object and rows are durable. Not retried here."""
        text = b"".join([opaque_line(_fields(item, now, stage), item.message.message.data) for item in invalid])
        # The name follows from the messages, not from the time, so that a second try finds the first; an entry that
        # comes back is kept anew, as its reason may be another one.
        key = rawzone.digest("".join(_occurrence(item) for item in invalid).encode() + stage.encode())
        name = rawzone.quarantine_object(ENTITY, now, key)
        if await self._zone.read(name) is None:
            await self._zone.create(name, igzip.compress(text, 1, mtime=0), metadata={"count": str(len(invalid))})
        rows = [self._row(item, now, stage, self._zone.uri(name)) for item in invalid]
        start = size = 0
        for i, row in enumerate(rows):
            if size and size + len(row) > _MAX_REQUEST_BYTES:
                await self._append(rows[start:i])
                start, size = i, 0
            size += len(row)
        await self._append(rows[start:])

    def _row(self, item: Invalid, now: datetime, stage: str, uri: str) -> bytes:
        message = item.message.message
        original = message.data if len(message.data) <= MAX_ORIGINAL_BYTES else b""
        row = self._rows.message(
            quarantine_id=quarantine_id(item),
            entity=ENTITY,
            stage=stage,
            reason=item.reason,
            detail=item.detail,
            source=message.attributes.get("source", self._source),
            message_id=message.message_id,
            published_at=publish_microseconds(message),
            delivery_attempt=item.message.delivery_attempt,
            attributes=json.dumps(dict(message.attributes)),
            original=base64.b64encode(original).decode(),
            quarantined_at=microseconds(now),
            raw_uri=uri,
        )
        serialised: bytes = row.SerializeToString()
        return serialised

    async def _append(self, rows: Sequence[bytes]) -> None:
        request = types.AppendRowsRequest(write_stream=self._stream)
        request.proto_rows.writer_schema.proto_descriptor = self._rows.descriptor
        request.proto_rows.rows.serialized_rows = list(rows)

        async def one() -> Any:
            yield request

        call = await self._client.append_rows(requests=one(), retry=None, timeout=self._timeout)
        try:
            response = await call.read()
        finally:
            call.cancel()
        if not isinstance(response, types.AppendRowsResponse):
            raise google.ServiceUnavailable("the append of quarantined rows was not answered")
        if response.error.code:
            raise google.from_grpc_status(response.error.code, response.error.message)


def quarantine_id(item: Invalid) -> str:
    """Return the stable id of a message's quarantine entry; a redriven message has that of its first one."""
    message = item.message.message
    return redrive.quarantine_id(message.attributes, message.message_id, message.data)


def _occurrence(item: Invalid) -> str:
    """Return the entry and, when it came back, after which redrive: copies of one publish are one occurrence."""
    attempt = redrive.attempt(item.message.message.attributes)
    return f"{quarantine_id(item)}/{attempt}" if attempt else quarantine_id(item)


def _fields(item: Invalid, now: datetime, stage: str) -> dict[str, Any]:
    message = item.message.message
    return {
        "quarantine_id": quarantine_id(item),
        "stage": stage,
        "reason": item.reason,
        "detail": item.detail,
        "message_id": message.message_id,
        "publish_time": stamp(publish_microseconds(message)),
        "attributes": dict(message.attributes),
        "delivery_attempt": item.message.delivery_attempt,
        "quarantined_at": rfc3339(now),
    }
