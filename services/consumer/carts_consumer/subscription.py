"""What is said to the subscription besides pulling: acknowledge, extend, give back; in requests of bounded size."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.pubsub_v1 import types

from dataplatform.retry import Retrier

#: A request is limited to 512 KiB, and ids can be 200 bytes long.
IDS_PER_REQUEST = 2_000
_AT_ONCE = 4
_ACKNOWLEDGE = types.AcknowledgeRequest.pb()
_MODIFY = types.ModifyAckDeadlineRequest.pb()


class Subscription:
    """The unary calls on one subscription. `client` is a `SubscriberAsyncClient`."""

    def __init__(self, client: Any, path: str, retrier: Retrier, *, timeout_seconds: float) -> None:
        self._client = client
        self._path = path
        self._retry = retrier
        self._timeout = timeout_seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Tell Pub/Sub that the messages are done. Ids whose lease is gone are ignored by it."""
        await asyncio.gather(*(self._acknowledge(ids) for ids in _pieces(ack_ids)))

    async def _acknowledge(self, ids: Sequence[str]) -> None:
        # The plain protobuf message: proto-plus would copy each id in Python.
        request = types.AcknowledgeRequest.wrap(_ACKNOWLEDGE(subscription=self._path, ack_ids=ids))

        async def send() -> None:
            await self._client.acknowledge(request=request, retry=None, timeout=self._timeout)

        async with self._slots:
            await self._retry("acknowledging messages", send)

    async def extend(self, ack_ids: Sequence[str], seconds: int) -> None:
        """Set the lease of the messages to `seconds` from now; 0 gives them back. Not retried: the next round is."""
        for ids in _pieces(ack_ids):
            request = types.ModifyAckDeadlineRequest(subscription=self._path, ack_ids=ids, ack_deadline_seconds=seconds)
            await self._client.modify_ack_deadline(request=request, retry=None, timeout=self._timeout)

    async def verify(self) -> None:
        """Prove that the subscription exists and may be read; raises Google's error otherwise."""
        await self._retry(
            f"looking for {self._path}",
            lambda: self._client.get_subscription(subscription=self._path, retry=None, timeout=self._timeout),
        )


def _pieces(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), IDS_PER_REQUEST):
        yield ids[start : start + IDS_PER_REQUEST]


def all_ids(chunks: Iterable[Any]) -> list[str]:
    """Return the ack ids of all chunks."""
    return [ack_id for chunk in chunks for ack_id in chunk.ack_ids]
