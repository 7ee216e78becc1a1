"""Records of many requests in few publish requests: who waits for whom, and who learns of which failure."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carts_poller.push.group import Bounds, Group
from carts_poller.pushed import Pushed
from dataplatform.errors import UnavailableError
from support.clock import FakeClock

from .pushing import BOUNDS, Topic, pushed, turns


@asynccontextmanager
async def group(topic: Topic, bounds: Bounds = BOUNDS, clock: FakeClock | None = None) -> AsyncIterator[Group]:
    made = Group(topic.send, bounds, clock or FakeClock())
    working = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        working.cancel()
        await asyncio.wait({working})


async def test_requests_that_arrive_together_share_one_publish_request() -> None:
    topic = Topic()
    async with group(topic) as made:
        await asyncio.gather(*(made.submit([pushed(number)]) for number in range(20)))
    assert [len(records) for records in topic.published] == [20]


async def test_records_are_published_in_groups_within_both_bounds() -> None:
    topic = Topic()
    async with group(topic, replace(BOUNDS, batch_messages=4)) as made:
        await made.submit([pushed(number) for number in range(10)])
    assert [len(records) for records in topic.published] == [4, 4, 2]

    topic = Topic()
    async with group(topic, replace(BOUNDS, batch_bytes=3000)) as made:
        await made.submit([Pushed("shop", number, "x" * 1000, 1, None) for number in range(3)])
        await made.submit([Pushed("shop", 4, "x" * 9000, 1, None)])
    assert [len(records) for records in topic.published] == [1, 1, 1, 1]


async def test_text_that_is_not_ascii_counts_with_its_bytes() -> None:
    topic = Topic()
    async with group(topic, replace(BOUNDS, batch_bytes=5000)) as made:
        await made.submit([Pushed("shop", number, "\u20ac" * 1000, 1, None) for number in range(2)])
    assert [len(records) for records in topic.published] == [1, 1]


async def test_a_request_is_done_when_all_of_its_records_are_and_not_before() -> None:
    topic = Topic()
    topic.open.clear()
    async with group(topic, replace(BOUNDS, batch_messages=2)) as made:
        done = made.submit([pushed(number) for number in range(4)])
        await turns()
        assert len(topic.published) == 2
        assert not done.done()
        topic.open.set()
        await done


async def test_a_later_record_of_a_cart_waits_while_an_earlier_one_is_in_flight_and_others_pass() -> None:
    topic = Topic()
    topic.open.clear()
    async with group(topic) as made:
        first = made.submit([pushed(1, at=1)])
        await turns()
        second, third, other = made.submit([pushed(1, at=2)]), made.submit([pushed(1, at=3)]), made.submit([pushed(2)])
        await turns()
        assert [[record.cart_id for record in records] for records in topic.published] == [[1], [2]]
        topic.open.set()
        await asyncio.gather(first, second, third, other)
    assert [record.accepted_at for record in topic.records if record.cart_id == 1] == [1, 2, 3]


async def test_a_failure_is_told_to_every_request_in_the_group_and_to_no_other() -> None:
    topic = Topic()
    async with group(topic) as made:
        topic.down = True
        failed = [made.submit([pushed(number)]) for number in range(3)]
        for done in failed:
            with pytest.raises(UnavailableError):
                await done
        topic.down = False
        await made.submit([pushed(9)])
    assert [record.cart_id for record in topic.records] == [9]


async def test_what_is_left_of_a_request_that_failed_is_not_published() -> None:
    topic = Topic()
    async with group(topic, replace(BOUNDS, batch_messages=2, in_flight=1)) as made:
        topic.down = True
        done = made.submit([pushed(number) for number in range(6)])
        with pytest.raises(UnavailableError):
            await done
        topic.down = False
        await made.submit([pushed(7)])
    assert [record.cart_id for record in topic.records] == [7]


async def test_no_more_publish_requests_are_in_flight_than_allowed() -> None:
    topic = Topic()
    topic.open.clear()
    async with group(topic, replace(BOUNDS, batch_messages=1, in_flight=3)) as made:
        done = made.submit([pushed(number) for number in range(10)])
        await turns()
        assert len(topic.published) == 3
        topic.open.set()
        await done
    assert len(topic.published) == 10


async def test_it_is_idle_without_work_and_its_patience_is_measured_from_the_last_answer() -> None:
    clock, topic = FakeClock(), Topic()
    async with group(topic, clock=clock) as made:
        clock.advance(500)
        assert not made.idle_seconds
        topic.open.clear()
        done = made.submit([pushed(1)])
        await turns()
        clock.advance(40)
        assert made.idle_seconds == pytest.approx(40, abs=1)
        topic.open.set()
        await done
        await turns()
        assert not made.idle_seconds


@dataclass
class _Network:
    """Answers publish requests in whatever order the draw says, some of them with an error."""

    choices: list[tuple[int, bool]]
    open: list[tuple[Sequence[Pushed], "asyncio.Future[None]"]] = field(default_factory=list)
    delivered: list[Pushed] = field(default_factory=list)

    async def send(self, records: Sequence[Pushed]) -> None:
        answer = asyncio.get_running_loop().create_future()
        self.open.append((records, answer))
        await answer

    def step(self) -> None:
        if not self.open:
            return
        pick, fails = self.choices.pop() if self.choices else (0, False)
        records, answer = self.open.pop(pick % len(self.open))
        if fails:
            answer.set_exception(UnavailableError("down"))
        else:
            self.delivered += records
            answer.set_result(None)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), max_size=12),
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30),
    st.integers(1, 4),
    st.integers(1, 4),
)
async def test_in_whatever_order_answers_come_each_carts_records_arrive_in_theirs_and_no_confirmed_one_is_missing(
    requests: list[list[int]], choices: list[tuple[int, bool]], batch: int, in_flight: int
) -> None:
    network = _Network(choices)
    made = Group(network.send, Bounds(0, batch, 1 << 20, in_flight), FakeClock())
    working = asyncio.create_task(made.run())
    submitted: list[tuple[list[Pushed], asyncio.Future[None]]] = []
    at = 0
    for carts in requests:
        records = []
        for cart in carts:
            at += 1
            records.append(pushed(cart, at))
        submitted.append((records, made.submit(records)))
        await turns(3)
        network.step()
    for _ in range(10 * at):
        await turns(4)
        network.step()
    assert all(done.done() for _, done in submitted)
    working.cancel()
    await asyncio.wait({working})
    for records, done in submitted:
        if done.exception() is None:
            assert all(record in network.delivered for record in records)
    for cart in range(4):
        times = [record.accepted_at for record in network.delivered if record.cart_id == cart]
        assert times == sorted(times)
