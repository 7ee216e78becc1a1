"""`StreamingPull`: one task reads what the client sends, one writes what it gets."""

import asyncio
from typing import Any

from google.protobuf.message import DecodeError

from dataplatform.clock import Clock
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.consumer import Consumer
from localcloud.pubsub.errors import Code, PubsubError, invalid
from localcloud.pubsub.faults import Faults
from localcloud.pubsub.protos import Proto, StreamingPullRequest, StreamingPullResponse
from localcloud.pubsub.subscriber import check_ack_deadline
from localcloud.pubsub.subscription import Subscription

MAX_RESPONSE_MESSAGES = 1_000
MAX_RESPONSE_BYTES = 1_000_000
_STREAM_DEADLINE_LOW, _STREAM_DEADLINE_HIGH = 10, 600
_DROPPED = "The service was unable to fulfill your request. Please try again."


class StreamingPull:
    """The handler of all streams: `serve` lives as long as one of them.

    Args:
        broker: where the subscriptions are.
        faults: may refuse, delay or drop streams.
        clock: decides when a stream is dropped.
        end_of_stream: what the call's `read` returns when the client has no more to send.
    """

    def __init__(self, broker: Broker, faults: Faults, clock: Clock, end_of_stream: object) -> None:
        self._broker = broker
        self._faults = faults
        self._clock = clock
        self._end = end_of_stream

    async def serve(self, call: Any) -> None:
        """Run one stream on a call that reads and writes bytes.

        Raises:
            PubsubError: the stream ends with an error.
        """
        await self._faults.before("StreamingPull")
        first = await call.read()
        if first is self._end:
            return
        try:
            request = StreamingPullRequest.FromString(first)
        except DecodeError:
            raise invalid("The StreamingPullRequest can't be decoded.") from None
        _check_first(request)
        subscription = self._broker.subscription(request.subscription)
        subscription.check_open()
        session = _Session(subscription, request)
        subscription.backlog.attach(session.consumer)
        reader = asyncio.create_task(self._read(call, session, request))
        try:
            await self._write(call, session)
        finally:
            reader.cancel()
            subscription.backlog.detach(session.consumer)

    async def _read(self, call: Any, session: "_Session", first: Proto) -> None:
        try:
            session.handle(first)
            while (received := await call.read()) is not self._end:
                request = StreamingPullRequest.FromString(received)
                _check_later(request)
                session.handle(request)
            session.end(None)
        except PubsubError as error:
            session.end(error)
        except DecodeError:
            session.end(invalid("A StreamingPullRequest can't be decoded."))

    async def _write(self, call: Any, session: "_Session") -> None:
        subscription, consumer = session.subscription, session.consumer
        opened = self._clock.monotonic()
        properties = session.properties()
        if properties:
            await call.write(properties)
        while True:
            session.check()
            for confirmation in session.take_confirmations():
                await call.write(confirmation)
            delivery = subscription.backlog.take(consumer, MAX_RESPONSE_MESSAGES, MAX_RESPONSE_BYTES)
            if delivery is not None:
                # Properties can change while the stream is open, and each response carries them, as in the
                # service.
                await call.write(session.properties() + delivery.payload)
            elif not session.ended:
                await self._wait(session, opened)
            every = self._faults.drop_streams_every_seconds
            if every is not None and self._clock.monotonic() - opened >= every:
                raise PubsubError(Code.UNAVAILABLE, _DROPPED)
            if session.ended:
                session.check()
                return

    async def _wait(self, session: "_Session", opened: float) -> None:
        every = self._faults.drop_streams_every_seconds
        left = None if every is None else max(0.0, opened + every - self._clock.monotonic())
        try:
            async with asyncio.timeout(left):
                await session.news.wait()
        except TimeoutError:
            return
        session.news.clear()


class _Session:
    """What one stream knows: its subscription, its consumer, and what it has yet to tell the client."""

    def __init__(self, subscription: Subscription, first: Proto) -> None:
        self.subscription = subscription
        self.news = asyncio.Event()
        self.consumer = Consumer(
            self.news.set,
            first.stream_ack_deadline_seconds,
            first.max_outstanding_messages,
            first.max_outstanding_bytes,
        )
        self.ended = False
        self._error: PubsubError | None = None
        self._confirmations: list[bytes] = []

    def properties(self) -> bytes:
        """Return the serialised properties of the subscription, empty when they are the default."""
        policy = self.subscription.policy
        if not (policy.exactly_once or policy.ordered):
            return b""
        response = StreamingPullResponse()
        response.subscription_properties.exactly_once_delivery_enabled = policy.exactly_once
        response.subscription_properties.message_ordering_enabled = policy.ordered
        return bytes(response.SerializeToString())

    def handle(self, request: Proto) -> None:
        """Do what a request asks for: acknowledge, extend, change the deadline of later deliveries."""
        if request.stream_ack_deadline_seconds:
            self.consumer.ack_deadline_seconds = request.stream_ack_deadline_seconds
        backlog, confirm = self.subscription.backlog, self.subscription.policy.exactly_once
        if request.ack_ids:
            stale = backlog.acknowledge(request.ack_ids)
            if confirm:
                response = StreamingPullResponse()
                _confirm(response.acknowledge_confirmation, request.ack_ids, stale)
                self._confirmations.append(response.SerializeToString())
        if request.modify_deadline_ack_ids:
            by_deadline: dict[int, list[str]] = {}
            for ack_id, deadline in zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True):
                by_deadline.setdefault(deadline, []).append(ack_id)
            stale = [ack_id for deadline, ids in by_deadline.items() for ack_id in backlog.extend(ids, deadline)]
            if confirm:
                response = StreamingPullResponse()
                _confirm(response.modify_ack_deadline_confirmation, request.modify_deadline_ack_ids, stale)
                self._confirmations.append(response.SerializeToString())
        if self._confirmations:
            self.news.set()

    def take_confirmations(self) -> list[bytes]:
        """Return the confirmations that are due, once."""
        due, self._confirmations = self._confirmations, []
        return due

    def end(self, error: PubsubError | None) -> None:
        """Note that the client sends no more, or sent what must not be."""
        self.ended = True
        self._error = error
        self.news.set()

    def check(self) -> None:
        """Raise when the stream can't go on."""
        if self._error is not None:
            raise self._error
        self.subscription.check_open()


def _confirm(confirmation: Proto, ack_ids: Proto, stale: list[str]) -> None:
    invalid_ids = set(stale)
    confirmation.SetInParent()
    confirmation.ack_ids.extend(ack_id for ack_id in ack_ids if ack_id not in invalid_ids)
    confirmation.invalid_ack_ids.extend(stale)


def _check_first(request: Proto) -> None:
    if not request.subscription:
        raise invalid("The first StreamingPullRequest must set subscription.")
    if not request.stream_ack_deadline_seconds:
        raise invalid("The first StreamingPullRequest must set stream_ack_deadline_seconds.")
    _check_any(request)


def _check_later(request: Proto) -> None:
    for field in ("subscription", "max_outstanding_messages", "max_outstanding_bytes", "protocol_version"):
        if getattr(request, field):
            raise invalid(f"{field} may only be set in the first StreamingPullRequest.")
    _check_any(request)


def _check_any(request: Proto) -> None:
    deadline = request.stream_ack_deadline_seconds
    if deadline and not _STREAM_DEADLINE_LOW <= deadline <= _STREAM_DEADLINE_HIGH:
        raise invalid(
            f"stream_ack_deadline_seconds must be between {_STREAM_DEADLINE_LOW} and {_STREAM_DEADLINE_HIGH} seconds."
        )
    if len(request.modify_deadline_ack_ids) != len(request.modify_deadline_seconds):
        raise invalid("modify_deadline_ack_ids and modify_deadline_seconds must have the same size.")
    for seconds in set(request.modify_deadline_seconds):
        check_ack_deadline(seconds)
