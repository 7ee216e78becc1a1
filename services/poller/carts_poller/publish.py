"""Publishing: direct `Publish` requests of many events, a bounded number in flight, every result confirmed."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from carts_poller.confirmed import ConfirmedPublisher
from carts_poller.event import Event
from carts_poller.settings import PollerSettings
from dataplatform.retry import Retrier

#: Attributes, ordering key and framing of one message.
_OVERHEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the events: those that are not confirmed, in their order, and why, when there are any."""

    left: tuple[Event, ...]
    error: Exception | None


def batches(events: Iterable[Event], *, max_messages: int, max_bytes: int) -> Iterator[list[Event]]:
    """Yield the events in order, in groups within both bounds; an event larger than the bound goes alone."""
    batch: list[Event] = []
    size = 0
    for event in events:
        weight = len(event.data) + _OVERHEAD_BYTES
        if batch and (len(batch) == max_messages or size + weight > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += weight
    if batch:
        yield batch


class Publisher:
    """Publishes to one topic through a raw `google.pubsub_v1.PublisherAsyncClient`."""

    def __init__(
        self, client: Any, topic: str, settings: PollerSettings, retrier: Retrier, *, timeout_seconds: float
    ) -> None:
        """`retrier` is the only retry layer; `timeout_seconds` is the deadline of one request."""
        self._settings = settings
        self._requests = ConfirmedPublisher(client, topic, retrier, timeout_seconds=timeout_seconds)

    async def publish(self, events: tuple[Event, ...]) -> Outcome:
        """Publish the events and return what is not confirmed.

        A request that fails for good, or until the retry deadline, ends the attempt: those in flight are finished,
        no new one is begun. Events of one cart must not be in one call, as requests overtake each other.
        """
        confirmed: set[str] = set()
        errors: list[Exception] = []
        waiting = batches(
            events,
            max_messages=self._settings.publish_batch_messages,
            max_bytes=self._settings.publish_batch_bytes,
        )

        async def work() -> None:
            for batch in waiting:
                try:
                    await self._send(batch)
                except Exception as error:  # noqa: BLE001 - the caller raises it, after the others are finished
                    errors.append(error)
                else:
                    confirmed.update([event.event_id for event in batch])
                if errors:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(self._settings.publish_max_in_flight):
                group.create_task(work())
        return Outcome(tuple(event for event in events if event.event_id not in confirmed), next(iter(errors), None))

    async def _send(self, batch: list[Event]) -> None:
        keys, message = self._settings.ordering_keys, self._requests.message
        await self._requests.send(
            [
                message(data=event.data, attributes=event.attributes, ordering_key=str(event.cart_id) if keys else "")
                for event in batch
            ]
        )
