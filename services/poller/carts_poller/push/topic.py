"""The topic of pushed carts: one Publish request, confirmed or an error."""

from collections.abc import Sequence
from typing import Any

from google.api_core import exceptions as google

from carts_poller.pushed import Pushed, attributes, data, ordering_key
from dataplatform.metrics import PushMetrics
from dataplatform.retry import Retrier


class Topic:
    """Publishes through a raw `google.pubsub_v1.PublisherAsyncClient`."""

    def __init__(
        self, client: Any, name: str, retrier: Retrier, metrics: PushMetrics, *, timeout_seconds: float
    ) -> None:
        """`retrier` is the only retry layer; `timeout_seconds` is the deadline of one request."""
        from google.pubsub_v1 import PublishRequest, PubsubMessage

        self._client = client
        self._name = name
        self._retry = retrier
        self._metrics = metrics
        self._timeout = timeout_seconds
        # Plain protobuf classes: the wrappers of proto-plus cost twenty times as much a message.
        self._request: Any = type(PublishRequest.pb(PublishRequest()))
        self._message: Any = type(PubsubMessage.pb(PubsubMessage()))
        self._wrap = PublishRequest.wrap

    async def send(self, records: Sequence[Pushed]) -> None:
        """Return when Pub/Sub has confirmed every record.

        Raises:
            UnavailableError: not confirmed until the retry deadline; some may have been published.
            google.api_core.exceptions.GoogleAPICallError: the topic is gone, or may not be used.
        """
        message = self._message
        request = self._request(
            topic=self._name,
            messages=[
                message(data=data(pushed), attributes=attributes(pushed), ordering_key=ordering_key(pushed))
                for pushed in records
            ],
        )

        async def attempt() -> None:
            answer = await self._client.publish(self._wrap(request), retry=None, timeout=self._timeout)
            ids = type(answer).pb(answer).message_ids
            if len(ids) != len(records) or not all(ids):
                raise google.ServiceUnavailable(f"{len(ids)} of {len(records)} records were confirmed")

        await self._retry(f"publishing to {self._name}", attempt)
        self._metrics.groups.inc()
