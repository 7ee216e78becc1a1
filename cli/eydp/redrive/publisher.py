"""Publishing again: requests within Pub/Sub's limits, one after the other, every message id confirmed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.api_core import exceptions as google

from dataplatform.redrive import message_bytes
from dataplatform.retry import Retrier

#: Pub/Sub takes 1,000 messages and 10 MB a request; the margin is for the framing.
MAX_REQUEST_MESSAGES = 1_000
MAX_REQUEST_BYTES = 9_000_000
_FRAMING_BYTES = 32


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish: the original bytes, and attributes that carry the mark."""

    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str = ""


def requests(messages: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    """Yield the messages in order, in groups that fit a request; one that is larger than the bound goes alone."""
    start = size = 0
    for place, message in enumerate(messages):
        weight = message_bytes(message.attributes, message.data) + _FRAMING_BYTES * (2 + len(message.attributes))
        if place > start and (place - start == MAX_REQUEST_MESSAGES or size + weight > MAX_REQUEST_BYTES):
            yield messages[start:place]
            start, size = place, 0
        size += weight
    if start < len(messages):
        yield messages[start:]


class Publisher:
    """Publishes to one topic. `client` is a `PublisherAsyncClient`; `retrier` is the only retry layer."""

    def __init__(self, client: Any, topic: str, retrier: Retrier, *, timeout_seconds: float) -> None:
        self._client = client
        self._topic = topic
        self._retry = retrier
        self._timeout = timeout_seconds

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Return the new message ids, in order. A request without an answer is sent again, which may make copies.

        Raises:
            UnavailableError: no answer within the retry deadline; some messages may have been published.
            google.api_core.exceptions.GoogleAPICallError: topic missing, permission denied, request refused.
        """
        ids: list[str] = []
        for group in requests(messages):
            ids += await self._retry(f"publishing to {self._topic}", partial(self._send, group))
        return ids

    async def _send(self, group: Sequence[Outgoing]) -> list[str]:
        from google.pubsub_v1 import types

        request = types.PublishRequest.pb()(topic=self._topic)
        for message in group:
            request.messages.add(data=message.data, attributes=message.attributes, ordering_key=message.ordering_key)
        answer = await self._client.publish(types.PublishRequest.wrap(request), retry=None, timeout=self._timeout)
        ids = list(types.PublishResponse.pb(answer).message_ids)
        if len(ids) != len(group) or not all(ids):
            raise google.ServiceUnavailable(f"{len(ids)} of {len(group)} messages were confirmed")
        return ids
