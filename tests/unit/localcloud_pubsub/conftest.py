"""A clock that tests move, and messages for them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from localcloud.pubsub.backlog import Backlog
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.consumer import Consumer
from localcloud.pubsub.message import StoredMessage, store
from localcloud.pubsub.policy import Policy
from localcloud.pubsub.protos import PubsubMessage, PullResponse


class FakeClock:
    """Time stands still until `advance`."""

    def __init__(self) -> None:
        self._seconds = 1_000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds


class Desk:
    """One backlog, with short ways to do what a client does."""

    def __init__(self, clock: FakeClock, **policy: Any) -> None:
        self.clock = clock
        self.dead: list[tuple[bytes, int]] = []
        self.forwards = True
        self.backlog = Backlog(7, Policy(**policy), clock, self._dead_letter)
        self._sequences = count(1)

    def _dead_letter(self, message: StoredMessage, attempts: int) -> bool:
        if self.forwards:
            self.dead.append((message.proto().data, attempts))
        return self.forwards

    def consumer(self, *, lease: float = 10, attach: bool = False, **bounds: int) -> Consumer:
        """Make a consumer."""
        consumer = Consumer(lambda: None, lease, **bounds)
        if attach:
            self.backlog.attach(consumer)
        return consumer

    def publish(self, *payloads: bytes, key: str = "") -> None:
        """Line up messages."""
        for payload in payloads:
            message = PubsubMessage(data=payload, ordering_key=key)
            self.backlog.add(store([message], next(self._sequences), 0, self.clock.now()))

    def take(self, consumer: Consumer | None = None, room: int = 1_000, byte_room: int = 1 << 20) -> list[Any]:
        """Return what a consumer gets now, decoded."""
        delivery = self.backlog.take(consumer or self.consumer(), room, byte_room)
        if delivery is None:
            return []
        received = list(PullResponse.FromString(delivery.payload).received_messages)
        assert len(received) == delivery.messages
        return received

    def wait(self, seconds: float) -> None:
        """Let time pass, and let the backlog notice."""
        self.clock.advance(seconds)
        self.backlog.tick()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def desk(clock: FakeClock) -> Callable[..., Desk]:
    """Make a backlog with a policy."""
    return lambda **policy: Desk(clock, **policy)


@pytest.fixture
def broker(clock: FakeClock) -> Broker:
    """An empty broker."""
    return Broker(clock)


@pytest.fixture(name="payloads")
def _payloads() -> Callable[[Sequence[Any]], list[bytes]]:
    """Return the data of received messages."""
    return lambda received: [item.message.data for item in received]


@pytest.fixture(name="ids")
def _ids() -> Callable[[Sequence[Any]], list[str]]:
    """Return the ack ids of received messages."""
    return lambda received: [item.ack_id for item in received]
