"""The topic of pushed carts: one Publish request, confirmed or an error."""

from collections.abc import Sequence
from typing import Any

from carts_poller.confirmed import ConfirmedPublisher
from carts_poller.pushed import Pushed, attributes, data, ordering_key
from dataplatform.metrics import PushMetrics
from dataplatform.retry import Retrier


class Topic:
    """Publishes through a raw `google.pubsub_v1.PublisherAsyncClient`."""

    def __init__(
        self, client: Any, name: str, retrier: Retrier, metrics: PushMetrics, *, timeout_seconds: float
    ) -> None:
        """`retrier` is the only retry layer; `timeout_seconds` is the deadline of one request."""
        self._publisher = ConfirmedPublisher(client, name, retrier, timeout_seconds=timeout_seconds)
        self._metrics = metrics

    async def send(self, records: Sequence[Pushed]) -> None:
        """Return when Pub/Sub has confirmed every record. Raises what `ConfirmedPublisher.send` raises."""
        message = self._publisher.message
        await self._publisher.send(
            [
                message(data=data(pushed), attributes=attributes(pushed), ordering_key=ordering_key(pushed))
                for pushed in records
            ]
        )
        self._metrics.groups.inc()
