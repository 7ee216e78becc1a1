"""A small platform for the tests of replay, rebuild and compaction: objects and rows as a consumer leaves them."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from carts_consumer import archive
from carts_consumer.decode import decode, microseconds
from carts_consumer.records import records
from carts_consumer.rows import RowType
from dataplatform.clock import rfc3339
from dataplatform.envelope import read_lines
from dataplatform.models import partition_range
from dataplatform.schemas import CART_EVENTS
from eydp.environment import context
from eydp.replay.rows import EventRows
from eydp.replay.wiring import Upkeep, working_with
from localcloud.state import StackState
from support.events import event, received
from support.programs import own_names
from support.redrive import World

#: Long enough ago for every margin.
DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class ShiftedClock:
    """The machine's clock, ahead or behind by some time."""

    ahead: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


def cart(number: int, *, observed: datetime = NOON, version: int = 1) -> dict[str, Any]:
    """An event of a cart, observed at some time."""
    return event(cart_id=number, version=version, observed_at=rfc3339(observed))


def message(payload: dict[str, Any] | bytes, *, at: datetime = NOON, attempt: int = 1, copy: int = 1) -> Any:
    """The received message of an event; `copy` tells several publishes of one event apart."""
    key = payload["cart_id"] if isinstance(payload, dict) else len(payload)
    made = received(payload, message_id=f"{key}-{copy}", attempt=attempt)
    made.message.publish_time.FromDatetime(at)
    return made


def object_of(messages: Sequence[Any], *, consumer: str = "consumer-1", sequence: int = 1) -> archive.Archive:
    """The object that a consumer makes of messages."""
    found = records(decode(messages, partition_range(NOON)), RowType(CART_EVENTS))
    return archive.build(consumer, sequence, found.lines, found.published)


@dataclass(frozen=True)
class Place:
    """Names of a test's own on the stack. `world` calls `eydp` in this process."""

    world: World

    def with_tools[T](self, work: Callable[[Upkeep], Awaitable[T]], ahead: timedelta = timedelta()) -> T:
        """Run a coroutine with the tools of a command, at a time ahead of now."""
        return working_with(context(), "test", work, ShiftedClock(ahead))

    def archived(self, messages: Sequence[Any], *, consumer: str = "consumer-1", sequence: int = 1) -> str:
        """Put the messages' object into the raw zone; return its name."""
        made = object_of(messages, consumer=consumer, sequence=sequence)
        self.with_tools(lambda tools: tools.zone.create(made.name, made.data, metadata=made.metadata))
        return made.name

    def appended(self, messages: Sequence[Any], name: str, *, taken: datetime) -> None:
        """Put the messages' rows into the table, as if a consumer had taken them at some time."""
        lines = b"".join(records(decode(messages, partition_range(taken)), RowType(CART_EVENTS)).lines)

        async def load(tools: Upkeep) -> int:
            made = EventRows([], frozenset()).of(read_lines(lines), tools.zone.uri(name), taken)
            rows = [line for some in made for line in some.lines]
            table = tools.platform.raw_table(CART_EVENTS.name)
            job = f"test_{tools.run_id}_{microseconds(taken)}"
            return await tools.jobs.load(rows, table, CART_EVENTS.columns, job_id=job, truncate=False)

        assert self.with_tools(load) == len(messages)

    def quarantined(self, name: str, lines: Sequence[bytes]) -> None:
        """Put an object into quarantine."""
        import gzip

        data = gzip.compress(b"".join(lines), mtime=0)
        self.with_tools(lambda tools: tools.zone.create(name, data, metadata={"count": str(len(lines))}))

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Ask the warehouse; `{raw}` stands for the raw dataset."""
        return self.world.rows(query)

    def carts(self) -> list[int]:
        """The cart of each row, sorted."""
        return [row["cart_id"] for row in self.rows("select cart_id from {raw}.carts_events order by cart_id")]

    def staging_tables(self) -> list[str]:
        """The staging tables that are there."""

        async def names(tools: Upkeep) -> list[str]:
            found = await asyncio.to_thread(
                lambda: list(tools.bigquery.list_tables(tools.platform.dataset_raw, timeout=20))
            )
            return [table.table_id for table in found if table.table_id.startswith("_staging")]

        return self.with_tools(names)


def original(row: Mapping[str, Any]) -> Any:
    """What a row of quarantine keeps."""
    return json.loads(base64.b64decode(row["original"]))


@contextmanager
def place(stack: StackState, stack_env: Mapping[str, str], folder: Any) -> Iterator[Place]:
    """Provision, and let the environment of this process be the platform's while the block runs."""
    environment = {**own_names(stack_env), "HOME": str(folder), "EYDP_REPLAY_RAW_MARGIN_SECONDS": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        made = Place(World(environment, stack.endpoints["pubsub_admin"]))
        made.world.eydp("provision")
        yield made
