"""One Publish request to one topic, of plain protobuf messages: every message confirmed, or an error."""

from typing import Any

from google.api_core import exceptions as google

from dataplatform.retry import Retrier


class ConfirmedPublisher:
    """Sends requests through a raw `google.pubsub_v1.PublisherAsyncClient`.

    `message` makes a message, of `data`, `attributes` and `ordering_key`.
    """

    def __init__(self, client: Any, topic: str, retrier: Retrier, *, timeout_seconds: float) -> None:
        """`retrier` is the only retry layer; `timeout_seconds` is the deadline of one request."""
        from google.pubsub_v1 import PublishRequest, PubsubMessage

        self._client = client
        self._topic = topic
        self._retry = retrier
        self._timeout = timeout_seconds
        # Plain protobuf classes: the wrappers of proto-plus cost twenty times as much a message.
        self._request: Any = type(PublishRequest.pb(PublishRequest()))
        self.message: Any = type(PubsubMessage.pb(PubsubMessage()))
        self._wrap = PublishRequest.wrap

    async def send(self, messages: list[Any]) -> None:
        """Return when Pub/Sub has confirmed every message.

        Raises:
            UnavailableError: not confirmed until the retry deadline; some may have been published.
            google.api_core.exceptions.GoogleAPICallError: the topic is gone, or may not be used.
        """
        request = self._request(topic=self._topic, messages=messages)

        async def attempt() -> None:
            answer = await self._client.publish(self._wrap(request), retry=None, timeout=self._timeout)
            ids = type(answer).pb(answer).message_ids
            if len(ids) != len(messages) or not all(ids):
                raise google.ServiceUnavailable(f"{len(ids)} of {len(messages)} messages were confirmed")

        await self._retry(f"publishing to {self._topic}", attempt)
