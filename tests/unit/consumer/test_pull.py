"""A streaming pull against a Pub/Sub that sends, ends, refuses and is not read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.api_core import exceptions as google
from google.pubsub_v1 import types

from carts_consumer.pull import PullStream
from dataplatform.clock import SystemClock
from support.events import event, received


class Call:
    """One stream: answers with what it is given, raises what is an exception, then stays silent until cancelled."""

    def __init__(self, answers: Sequence[Any]) -> None:
        self._answers = list(answers)
        self.cancelled = asyncio.Event()

    async def read(self) -> Any:
        if not self._answers:
            await self.cancelled.wait()
            return object()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self) -> None:
        self.cancelled.set()


@dataclass
class PubSub:
    """A `SubscriberAsyncClient` whose streams are planned; those beyond the plan are silent."""

    plan: list[Sequence[Any]]
    calls: list[Call] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def streaming_pull(self, **_: Any) -> Call:
        call = Call(self.plan.pop(0) if self.plan else [])
        self.calls.append(call)
        if not self.plan:
            self.opened.set()
        return call


@dataclass
class Heard:
    """Listens to the stream."""

    ends: list[str] = field(default_factory=list)

    def stream_ended(self, reason: str) -> None:
        self.ends.append(reason)

    def stream_alive(self) -> None:
        """Nothing to note."""


def _answer(cart_id: int) -> Any:
    return types.StreamingPullResponse.wrap(
        types.StreamingPullResponse.pb()(received_messages=[received(event(cart_id), ack_id=str(cart_id))])
    )


def _stream(pubsub: PubSub, heard: Heard, on_messages: Any) -> "asyncio.Task[None]":
    stream = PullStream(
        pubsub, "s", SystemClock(), heard, on_messages, lease_seconds=1, max_messages=10, max_bytes=1 << 20
    )
    return asyncio.create_task(stream.run())


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


async def test_a_stream_that_ends_is_opened_again() -> None:
    taken: list[str] = []
    pubsub, heard = PubSub([[_answer(1), google.ServiceUnavailable("half an hour is over")], [_answer(2)], []]), Heard()

    async def take(messages: Sequence[Any]) -> None:
        taken.extend(message.ack_id for message in messages)
        if len(taken) == 2:
            pubsub.calls[-1].cancel()

    task = _stream(pubsub, heard, take)
    await asyncio.wait_for(pubsub.opened.wait(), 20)
    await _end(task)
    assert taken == ["1", "2"]
    assert "half an hour" in heard.ends[0]
    assert heard.ends[1] == "it was closed"
    assert pubsub.calls[-1].cancelled.is_set()


async def test_a_refusal_ends_the_stream_for_good() -> None:
    async def take(_: Sequence[Any]) -> None:
        pytest.fail("nothing was sent")

    with pytest.raises(google.PermissionDenied):
        await _stream(PubSub([[google.PermissionDenied("no")]]), Heard(), take)


async def test_a_stream_is_dropped_while_there_is_no_room_for_what_it_holds() -> None:
    room = asyncio.Event()
    pubsub, heard = PubSub([[_answer(1), _answer(2)], []]), Heard()
    taken: list[str] = []
    began = asyncio.Event()

    async def take(messages: Sequence[Any]) -> None:
        taken.extend(message.ack_id for message in messages)
        began.set()
        await room.wait()

    task = _stream(pubsub, heard, take)
    await asyncio.wait_for(began.wait(), 20)
    await asyncio.wait_for(pubsub.calls[0].cancelled.wait(), 20)
    assert len(pubsub.calls) == 1  # as long as there is no room, no other stream is opened
    room.set()
    await asyncio.wait_for(pubsub.opened.wait(), 20)
    await _end(task)
    assert taken == ["1"]  # the second comes again, to whoever has room
    assert heard.ends == ["there was no room for what it holds"]


async def test_a_stream_is_kept_when_there_is_room_in_time() -> None:
    pubsub, heard = PubSub([[_answer(1), _answer(2)]]), Heard()
    taken: list[str] = []
    both = asyncio.Event()

    async def take(messages: Sequence[Any]) -> None:
        taken.extend(message.ack_id for message in messages)
        if len(taken) == 2:
            both.set()
        await asyncio.sleep(0)

    task = _stream(pubsub, heard, take)
    await asyncio.wait_for(both.wait(), 20)
    await _end(task)
    assert taken == ["1", "2"]
    assert heard.ends == []
