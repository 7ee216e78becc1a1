"""Whatever clients do in whatever order, no message is lost, doubled or invented."""

from collections import deque
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from localcloud.pubsub.backlog import Backlog
from localcloud.pubsub.consumer import Consumer
from localcloud.pubsub.message import store
from localcloud.pubsub.policy import Backoff, Policy
from localcloud.pubsub.protos import PubsubMessage, PullResponse

MAX_OUTSTANDING = 7
few = st.integers(1, 5)


class Time:
    """A clock that the machine moves."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class BacklogMachine(RuleBasedStateMachine):
    """One backlog with exactly-once delivery, and what must be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Time()
        self.published: set[bytes] = set()
        self.acked: set[bytes] = set()
        self.held: deque[tuple[str, bytes]] = deque()
        self.consumer = Consumer(lambda: None, 10, max_messages=MAX_OUTSTANDING)

    @initialize(ordered=st.booleans(), backoff=st.booleans())
    def start(self, *, ordered: bool, backoff: bool) -> None:
        policy = Policy(ordered=ordered, exactly_once=True, backoff=Backoff(1, 4) if backoff else None)
        self.backlog = Backlog(1, policy, self.clock, lambda _message, _attempts: False)
        self.backlog.attach(self.consumer)

    @rule(count=few, key=st.sampled_from(["", "a", "b"]))
    def publish(self, count: int, key: str) -> None:
        for _ in range(count):
            number = len(self.published) + 1
            message = PubsubMessage(data=b"%d" % number, ordering_key=key)
            self.published.add(message.data)
            self.backlog.add(store([message], number, 0, self.clock.now()))

    @rule(room=few)
    def take(self, room: int) -> None:
        for ack_id, data in self._take(room):
            assert data not in self.acked
            self.held.append((ack_id, data))

    def _take(self, room: int) -> list[tuple[str, bytes]]:
        delivery = self.backlog.take(self.consumer, room, 1_000)
        if delivery is None:
            return []
        received = PullResponse.FromString(delivery.payload).received_messages
        return [(item.ack_id, item.message.data) for item in received]

    def _choose(self, count: int) -> list[tuple[str, bytes]]:
        return [self.held.popleft() for _ in range(min(count, len(self.held)))]

    @rule(count=few)
    def acknowledge(self, count: int) -> None:
        chosen = self._choose(count)
        stale = self.backlog.acknowledge([ack_id for ack_id, _ in chosen])
        self.acked |= {data for ack_id, data in chosen if ack_id not in stale}

    @rule(count=few, seconds=st.sampled_from([0, 1, 20]))
    def extend(self, count: int, seconds: int) -> None:
        self.backlog.extend([ack_id for ack_id, _ in self._choose(count)], seconds)

    @rule(count=few)
    def look_at_others_first(self, count: int) -> None:
        self.held.rotate(count)

    @rule(seconds=st.sampled_from([0.5, 3, 11]))
    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.backlog.tick()

    @invariant()
    def everything_unacknowledged_is_there(self) -> None:
        if hasattr(self, "backlog"):
            counts = self.backlog.counts()
            unacked = [message.proto().data for message in self.backlog.unacked()]
            assert sorted(unacked) == sorted(self.published - self.acked)
            assert counts.ready + counts.leased == len(unacked)
            assert self.consumer.messages == counts.leased <= MAX_OUTSTANDING
            assert (self.consumer.bytes > 0) == (counts.leased > 0)

    def teardown(self) -> None:
        for _ in range(len(self.published) + 10):
            self.clock.seconds += 30
            self.backlog.tick()
            for ack_id, data in self._take(100):
                assert self.backlog.acknowledge([ack_id]) == []
                self.acked.add(data)
        assert self.acked == self.published


TestBacklog = BacklogMachine.TestCase
TestBacklog.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
