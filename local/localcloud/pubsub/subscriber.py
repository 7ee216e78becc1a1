"""The methods of `google.pubsub.v1.Subscriber`, except the streaming one (`streaming`)."""

import asyncio
from collections.abc import Iterable, Sequence

from localcloud.pubsub import names
from localcloud.pubsub.backlog import Delivery
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.consumer import Consumer
from localcloud.pubsub.errors import Code, PubsubError, invalid, out_of_bounds, unsupported
from localcloud.pubsub.masks import merged
from localcloud.pubsub.paging import page
from localcloud.pubsub.policy import seconds
from localcloud.pubsub.protos import Proto, raw
from localcloud.pubsub.resources import complete_subscription
from localcloud.pubsub.snapshots import check_same_topic, take_snapshot
from localcloud.pubsub.subscription import Subscription

MAX_PULL_MESSAGES = 1_000
MAX_PULL_BYTES = 3_500_000
"""A client that knows only the emulator's address opens its channel with gRPC's limit of 4 MiB an answer."""
PULL_WAIT_SECONDS = 5.0
MAX_ACK_DEADLINE_SECONDS = 600
MAX_ACK_REQUEST_BYTES = 524_288

_FIXED = (
    "name",
    "topic",
    "filter",
    "enable_message_ordering",
    "detached",
    "state",
    "topic_message_retention_duration",
    "tags",
)


class SubscriberApi:
    """One method a call: request in, response out, `PubsubError` when refused. Only `pull` waits."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def create_subscription(self, request: Proto) -> Proto:
        """Create a subscription; it receives what is published from now on."""
        names.topic(request.topic, field="topic")
        complete_subscription(request)
        self._check_dead_letter_topic(request)
        request.ClearField("detached")
        return self._broker.add_subscription(request).shown()

    def _check_dead_letter_topic(self, resource: Proto) -> None:
        name = resource.dead_letter_policy.dead_letter_topic
        if name and name not in self._broker.topics:
            raise PubsubError(Code.NOT_FOUND, f"Dead letter topic not found (resource={names.short(name)}).")

    def get_subscription(self, request: Proto) -> Proto:
        """Return a subscription."""
        return self._broker.subscription(request.subscription).shown()

    def update_subscription(self, request: Proto) -> Proto:
        """Change the fields of a subscription that the mask names."""
        subscription = self._broker.subscription(request.subscription.name)
        changed = merged(subscription.resource, request.subscription, request.update_mask.paths, _FIXED)
        complete_subscription(changed)
        self._check_dead_letter_topic(changed)
        subscription.configure(changed, self._broker.next_sequence)
        return subscription.shown()

    def list_subscriptions(self, request: Proto) -> Proto:
        """Return one page of a project's subscriptions."""
        prefix = names.project(request.project) + "/"
        mine = {name: item for name, item in self._broker.subscriptions.items() if name.startswith(prefix)}
        items, token = page(mine, request.page_size, request.page_token)
        return raw("ListSubscriptionsResponse")(subscriptions=[item.shown() for item in items], next_page_token=token)

    def delete_subscription(self, request: Proto) -> None:
        """Delete a subscription."""
        self._broker.remove_subscription(request.subscription)

    def modify_push_config(self, request: Proto) -> None:
        """Accept an empty push configuration, which means pulling; refuse any other."""
        subscription = self._broker.subscription(request.subscription)
        if request.push_config.push_endpoint:
            raise unsupported("push subscriptions")
        subscription.resource.push_config.CopyFrom(request.push_config)

    def acknowledge(self, request: Proto) -> None:
        """Acknowledge messages."""
        subscription = self._broker.subscription(request.subscription)
        _check_ack_ids(request)
        _report_stale(subscription, subscription.backlog.acknowledge(request.ack_ids))

    def modify_ack_deadline(self, request: Proto) -> None:
        """Extend leases, or give messages back with a deadline of 0."""
        subscription = self._broker.subscription(request.subscription)
        _check_ack_ids(request)
        check_ack_deadline(request.ack_deadline_seconds)
        _report_stale(subscription, subscription.backlog.extend(request.ack_ids, request.ack_deadline_seconds))

    async def pull(self, request: Proto, seconds_left: float | None) -> bytes:
        """Return a serialised `PullResponse`, empty when nothing came within 5 seconds or `seconds_left`."""
        subscription = self._broker.subscription(request.subscription)
        subscription.check_open()
        if request.max_messages <= 0:
            raise invalid(
                f"The value for max_messages is too small. You passed {request.max_messages} in the request, "
                "but the minimum value is 1."
            )
        news = asyncio.Event()
        consumer = Consumer(news.set, subscription.policy.ack_deadline_seconds)
        room = min(request.max_messages, MAX_PULL_MESSAGES)
        delivery = subscription.backlog.take(consumer, room, MAX_PULL_BYTES)
        if delivery is None and not request.return_immediately:
            wait = PULL_WAIT_SECONDS if seconds_left is None else min(PULL_WAIT_SECONDS, seconds_left - 0.25)
            delivery = await _wait_for_delivery(subscription, consumer, room, news, wait)
        return delivery.payload if delivery else b""

    def get_snapshot(self, request: Proto) -> Proto:
        """Return a snapshot."""
        return self._broker.snapshot(request.snapshot).resource

    def list_snapshots(self, request: Proto) -> Proto:
        """Return one page of a project's snapshots."""
        prefix = names.project(request.project) + "/"
        mine = {name: item.resource for name, item in self._broker.snapshots.items() if name.startswith(prefix)}
        items, token = page(mine, request.page_size, request.page_token)
        return raw("ListSnapshotsResponse")(snapshots=items, next_page_token=token)

    def create_snapshot(self, request: Proto) -> Proto:
        """Keep which messages of a subscription are unacknowledged now."""
        names.snapshot(request.name)
        subscription = self._broker.subscription(request.subscription)
        now = self._broker.clock.now().timestamp()
        snapshot = take_snapshot(request.name, request.labels, subscription, self._broker.next_sequence, now)
        self._broker.add_snapshot(snapshot)
        return snapshot.resource

    def update_snapshot(self, request: Proto) -> Proto:
        """Change the fields of a snapshot that the mask names."""
        snapshot = self._broker.snapshot(request.snapshot.name)
        snapshot.resource = merged(snapshot.resource, request.snapshot, request.update_mask.paths, ("name", "topic"))
        return snapshot.resource

    def delete_snapshot(self, request: Proto) -> None:
        """Delete a snapshot."""
        self._broker.remove_snapshot(request.snapshot)

    def seek(self, request: Proto) -> Proto:
        """Move a subscription to a time or to a snapshot."""
        subscription = self._broker.subscription(request.subscription)
        subscription.check_open()
        target = request.WhichOneof("target")
        if target == "time":
            subscription.seek_time(seconds(request.time))
        elif target == "snapshot":
            snapshot = self._broker.snapshot(request.snapshot)
            check_same_topic(subscription, snapshot)
            subscription.seek_messages(list(snapshot.messages()))
        else:
            raise invalid("No target was specified in the SeekRequest. Must specify either a time or a snapshot.")
        return raw("SeekResponse")()


async def _wait_for_delivery(
    subscription: Subscription, consumer: Consumer, room: int, news: asyncio.Event, wait_seconds: float
) -> Delivery | None:
    backlog = subscription.backlog
    backlog.attach(consumer)
    delivery = None
    try:
        async with asyncio.timeout(max(wait_seconds, 0.0)):
            while delivery is None:
                await news.wait()
                news.clear()
                subscription.check_open()
                delivery = backlog.take(consumer, room, MAX_PULL_BYTES)
    except TimeoutError:
        return None
    finally:
        backlog.detach(consumer)
    return delivery


def check_ack_deadline(given: int) -> None:
    """Raise `INVALID_ARGUMENT` for a deadline that no lease can have."""
    if not 0 <= given <= MAX_ACK_DEADLINE_SECONDS:
        raise out_of_bounds("ack_deadline_seconds", given, 0, MAX_ACK_DEADLINE_SECONDS)


def _check_ack_ids(request: Proto) -> None:
    if not request.ack_ids:
        raise invalid("No ack ids specified.")
    size = request.ByteSize()
    if size > MAX_ACK_REQUEST_BYTES:
        raise invalid(f"Request payload size exceeds the limit: {MAX_ACK_REQUEST_BYTES} bytes (it has {size}).")


def _report_stale(subscription: Subscription, stale: Sequence[str]) -> None:
    if stale and subscription.policy.exactly_once:
        raise PubsubError(
            Code.FAILED_PRECONDITION,
            "Some acknowledgement ids in the request were invalid.",
            ack_errors=_permanent(stale),
        )


def _permanent(ack_ids: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(ack_ids, "PERMANENT_FAILURE_INVALID_ACK_ID")
