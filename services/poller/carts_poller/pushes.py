"""Pushed carts: taken from their subscription, recorded in the same history as polled ones, and only then acknowledged.

A cart that is pushed twice, delivered twice or polled meanwhile makes one event: the history knows its content, and
when it was accepted. Unary pulls do here: a request of up to a thousand carts costs what a hundred of them cost to
record.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from google.api_core import exceptions as google

from carts_poller.canonical import cart_digest, cart_id
from carts_poller.changes import Invalid, Sighting
from carts_poller.history import History, Progress
from carts_poller.loop import is_expected
from carts_poller.pushed import Pushed, read
from carts_poller.state import Requests, State
from carts_poller.table import ABSENT
from dataplatform.logs import logger
from dataplatform.metrics import PollerMetrics
from dataplatform.retry import Retrier, describe
from dataplatform.runtime import Stop

#: Pub/Sub gives 1,000 messages a pull at most, and takes as many acknowledgements at once.
_PULL_MESSAGES = 1_000
_PULLS_AT_ONCE = 4
_PULL_SECONDS = 5.0
_PAUSE_SECONDS = 1.0


@dataclass(slots=True)
class Batch:
    """Pushed carts that are recorded together."""

    sightings: list[Sighting] = field(default_factory=list)
    invalid: list[Invalid] = field(default_factory=list)
    requests: list[tuple[str, int]] = field(default_factory=list)
    repeated: int = 0


def gathered(messages: Sequence[tuple[bytes, dict[str, str]]], source: str, known: Requests) -> Batch:
    """Return what messages say about carts of `source`: their data and attributes, in their order. Pure.

    A record of a request that is known already is left out and counted as repeated.
    """
    batch, seen = Batch(), set[str]()
    for data, attributes in messages:
        try:
            pushed = read(data, attributes)
            sighting = _sighting(pushed, source)
        except (ValueError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            text = data.decode(errors="replace")
            batch.invalid.append(Invalid(text, "too_deep" if deep else "wrong_value", f"a pushed cart: {error}"))
            continue
        if pushed.request is not None:
            if pushed.request in known or pushed.request in seen:
                batch.repeated += 1
                continue
            seen.add(pushed.request)
            batch.requests.append((pushed.request, pushed.accepted_at))
        batch.sightings.append(sighting)
    return batch


def _sighting(pushed: Pushed, source: str) -> Sighting:
    if pushed.source != source:
        raise ValueError("it is of another source")
    if pushed.text is None:
        return Sighting(pushed.cart_id, ABSENT, None, pushed.accepted_at)
    try:
        cart = json.loads(pushed.text)
    except ValueError:
        raise ValueError("its data is no JSON") from None  # the error quotes the data
    if cart_id(cart) != pushed.cart_id:
        raise ValueError("its id is not that of its attributes")
    return Sighting(pushed.cart_id, cart_digest(cart), pushed.text, pushed.accepted_at)


class Pushes:
    """Takes pushed carts in while this process holds the history."""

    def __init__(
        self,
        client: Any,
        subscription: str,
        source: str,
        history: History,
        retrier: Retrier,
        metrics: PollerMetrics,
        at: Progress,
        *,
        timeout_seconds: float,
    ) -> None:
        """`client` is a raw `google.pubsub_v1.SubscriberAsyncClient`; `source` is the only one whose carts count."""
        self._client = client
        self._subscription = subscription
        self._source = source
        self._history = history
        self._retry = retrier
        self._metrics = metrics
        self._at = at
        self._timeout = timeout_seconds

    async def run(self, stop: Stop) -> None:
        """Take in what comes until `stop`. What fails is logged, comes again, and is tried again.

        Raises:
            Exception: a bug.
        """
        while not stop.requested:
            try:
                idle = not self._history.is_open or not await self._once()
            except Exception as error:
                if not is_expected(error):
                    raise
                logger().error("pushed carts not taken in, they come again", reason=describe(error))
                idle = True
            if idle:
                await stop.wait_for(_PAUSE_SECONDS)

    async def _once(self) -> bool:
        """Take in what is there; return whether anything was."""
        received = [message for some in await self._pull() for message in some]
        if not received:
            return False
        state = self._history.state
        messages = [(message.message.data, dict(message.message.attributes)) for message in received]
        batch = await self._history.think(lambda: gathered(messages, self._source, state.requests))
        await self._take(state, batch)
        await self._acknowledge([message.ack_id for message in received])
        await self._history.tidy(state, self._at)
        return True

    async def _take(self, state: State, batch: Batch) -> None:
        recorded = await self._history.record(
            state, batch.sightings, self._at, invalid=batch.invalid, requests=batch.requests
        )
        self._metrics.pushed.labels("recorded").inc(len(batch.sightings) - recorded.invalid + len(batch.invalid))
        self._metrics.pushed.labels("repeated").inc(batch.repeated)
        self._metrics.pushed.labels("invalid").inc(recorded.invalid)
        logger().info("pushed carts recorded", carts=len(batch.sightings), events=recorded.published)

    async def _pull(self) -> list[Any]:
        async def pull() -> Any:
            request = {"subscription": self._subscription, "max_messages": _PULL_MESSAGES}
            try:
                answer = await self._client.pull(request=request, retry=None, timeout=_PULL_SECONDS)
            except google.DeadlineExceeded:  # nothing came
                return ()
            return type(answer).pb(answer).received_messages

        first = await pull()
        if len(first) < _PULL_MESSAGES:
            return [first]
        return [first, *await asyncio.gather(*[pull() for _ in range(_PULLS_AT_ONCE - 1)])]

    async def _acknowledge(self, ack_ids: list[str]) -> None:
        for some in batched(ack_ids, _PULL_MESSAGES, strict=False):
            request = {"subscription": self._subscription, "ack_ids": list(some)}

            async def acknowledge(request: dict[str, Any] = request) -> None:
                await self._client.acknowledge(request=request, retry=None, timeout=self._timeout)

            await self._retry(f"acknowledging pushed carts of {self._subscription}", acknowledge)
