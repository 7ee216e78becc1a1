"""What each stage of the consumer costs: `stages.py EVENTS` calls them one after the other on received messages.

Prints one line of JSON: stage to CPU microseconds an event. What they do not cover is waiting and talking: gRPC, HTTP,
the event loop; `consumer.py` puts the difference to the whole process's figure under that name.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from google.cloud.bigquery_storage_v1 import types as storage
from google.pubsub_v1 import types

from carts_consumer import archive, rows
from carts_consumer.chunk import Chunk
from carts_consumer.decode import decode
from carts_consumer.records import Records, records
from carts_consumer.tuning import tune
from carts_consumer.window import Window
from dataplatform.clock import rfc3339
from dataplatform.models import partition_range
from dataplatform.schemas import CART_EVENTS
from rig.backlog import message

_PER_ANSWER = 1_000
_ANSWERS_PER_FLUSH = 5
_ANSWER: Any = types.StreamingPullResponse.pb()
_REQUEST: Any = storage.AppendRowsRequest.pb()


class Stages:
    """Runs the stages as the pipeline does and adds up their CPU time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._row_type = rows.RowType(CART_EVENTS)
        self._window = Window(50_000)
        self._days = partition_range(datetime.now(UTC))

    def _timed[T](self, stage: str, work: Callable[[], T]) -> T:
        began = time.process_time()
        result = work()
        self.seconds[stage] += time.process_time() - began
        return result

    def take(self, answer: bytes) -> Chunk:
        """Parse, decode, make records and chunk of one answer."""
        messages = self._timed("parse the answer", lambda: _ANSWER.FromString(answer)).received_messages
        decoded = self._timed("decode and validate", lambda: decode(messages, self._days))
        made = self._timed("make rows and lines", lambda: records(decoded, self._row_type))
        chunk = self._timed("chunk", lambda: Chunk.of(messages, decoded, made, now=0, lease_seconds=60))
        self._timed("drop the events", decoded.events.clear)
        return chunk

    def flush(self, chunks: list[Chunk]) -> None:
        """Deduplicate, compress, complete rows and encode the append request of one flush."""
        taken = self._timed("chunk", lambda: _merged(chunks))
        self._timed("deduplicate", lambda: [key for key in taken.event_ids if self._window.add(key)])
        made = self._timed("compress the object", lambda: archive.build("bench", 1, taken.lines, taken.published))
        uri = f"gs://bucket/{made.name}"
        tail = rows.ending(self._row_type, ingested_at=1, raw_uri=uri)
        whole = self._timed("encode the append", lambda: [row + tail for row in taken.rows])
        request = _REQUEST()
        self._timed("encode the append", lambda: request.proto_rows.rows.serialized_rows.extend(whole))
        self._timed("encode the append", request.SerializeToString)


def _merged(chunks: list[Chunk]) -> Records:
    taken = Records()
    for chunk in chunks:
        taken.extend(chunk.records)
    return taken


def _answers(events: int) -> Iterator[bytes]:
    observed_at = rfc3339(datetime.now(UTC))
    for start in range(0, events, _PER_ANSWER):
        answer = _ANSWER()
        for i in range(start, start + _PER_ANSWER):
            received = answer.received_messages.add(ack_id=f"subscription:{i:040d}", delivery_attempt=1)
            given = message(i, observed_at)
            received.message.data = given["data"]
            received.message.message_id = f"{i:016d}"
            received.message.publish_time.FromSeconds(1_764_000_000 + start)
            received.message.attributes.update(given["attributes"])
        yield answer.SerializeToString()


def main() -> None:
    """Run the stages on so many events and print what they cost."""
    events = int(sys.argv[1])
    tune()
    stages = Stages()
    chunks: list[Chunk] = []
    for answer in _answers(events):
        chunks.append(stages.take(answer))
        if len(chunks) == _ANSWERS_PER_FLUSH:
            stages.flush(chunks)
            chunks = []
    print(json.dumps({stage: seconds / events * 1e6 for stage, seconds in stages.seconds.items()}))


if __name__ == "__main__":
    main()
