"""What is remembered, and that it is never more than allowed."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carts_poller.push.limits import Room, TokenBucket
from carts_poller.push.memory import Answers, Signatures
from carts_poller.push.problem import Code, ProblemError
from support.clock import FakeClock


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 600)), max_size=100))
def test_a_signature_is_remembered_through_its_last_second_and_no_longer(steps: list[tuple[int, int]]) -> None:
    memory, model, now = Signatures(10_000), {}, 0
    for number, (pause, span) in enumerate(steps):
        now += pause
        memory.sweep(now)
        mac = number.to_bytes(4, "big")
        memory.remember(mac, now + span)
        model[mac] = now + span
        assert {mac for mac in model if mac in memory} == {mac for mac, until in model.items() if until >= now}
        assert len(memory) == sum(until >= now for until in model.values())


def test_a_signature_that_was_forgotten_and_came_again_ends_by_its_new_time() -> None:
    memory = Signatures(10)
    memory.remember(b"a", 100)
    memory.forget(b"a")
    assert b"a" not in memory
    memory.remember(b"a", 200)
    memory.sweep(150)
    assert b"a" in memory
    memory.sweep(201)
    assert b"a" not in memory


def test_no_more_signatures_are_remembered_than_allowed_and_none_is_dropped_for_it() -> None:
    memory = Signatures(2)
    memory.remember(b"a", 100)
    before = memory.full
    memory.remember(b"b", 100)
    assert (before, memory.full) == (False, True)
    assert b"a" in memory


async def test_an_answer_is_remembered_for_its_time() -> None:
    clock = FakeClock()
    answers = Answers(clock, seconds=600, max_count=10)
    begun = answers.begin("key", b"body")
    begun.taken.set_result(3)
    clock.advance(599)
    assert answers.find("key") is begun
    clock.advance(1)
    assert answers.find("key") is None


async def test_the_oldest_answers_make_room() -> None:
    answers = Answers(FakeClock(), seconds=600, max_count=3)
    for number in range(10):
        answers.begin(str(number), b"")
        assert len(answers) <= 3
    assert [key for key in map(str, range(10)) if answers.find(key)] == ["7", "8", "9"]


async def test_a_failure_is_told_to_those_who_wait_and_forgotten() -> None:
    answers = Answers(FakeClock(), seconds=600, max_count=3)
    begun = answers.begin("key", b"")
    waiting = asyncio.create_task(asyncio.wait_for(asyncio.shield(begun.taken), 10))
    await asyncio.sleep(0)
    answers.fail("key", begun, ProblemError(Code.UNAVAILABLE, "later"))
    with pytest.raises(ProblemError):
        await waiting
    assert answers.find("key") is None


@given(st.lists(st.floats(0, 3), max_size=60))
def test_a_bucket_lets_no_more_pass_than_burst_and_rate_allow(pauses: list[float]) -> None:
    clock = FakeClock()
    bucket, passed, spent = TokenBucket(clock, rate=2, burst=3), 0, 0.0
    for pause in pauses:
        clock.advance(pause)
        spent += pause
        if wait := bucket.wait():
            assert 0 < wait <= 0.5
        else:
            passed += 1
        assert passed <= 3 + 2 * spent + 1e-6


def test_whoever_waits_as_told_passes() -> None:
    clock = FakeClock()
    bucket = TokenBucket(clock, rate=2, burst=1)
    assert not bucket.wait()
    clock.advance(bucket.wait())
    assert not bucket.wait()


def test_there_is_room_for_so_many_requests_and_bytes_and_again_when_they_are_gone() -> None:
    room = Room(max_requests=2, max_bytes=100, retry_after=7)
    with room.enter(60):
        with pytest.raises(ProblemError) as raised, room.enter(41):
            pass
        assert raised.value.code is Code.BUSY
        assert raised.value.headers == {"Retry-After": "7"}
        with room.enter(40), pytest.raises(ProblemError), room.enter(0):
            pass
    assert (room.requests, room.bytes) == (0, 0)
    with room.enter(500):  # alone
        assert room.requests == 1
