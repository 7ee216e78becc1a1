"""The table of all unary methods: what gRPC and REST have in common."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.iam.v1 import iam_policy_pb2
from google.protobuf import empty_pb2

from localcloud.pubsub.broker import Broker
from localcloud.pubsub.errors import unsupported
from localcloud.pubsub.faults import Faults
from localcloud.pubsub.iam import IamApi
from localcloud.pubsub.protos import Proto, raw
from localcloud.pubsub.publisher import PublisherApi
from localcloud.pubsub.subscriber import SubscriberApi

PUBLISHER = "google.pubsub.v1.Publisher"
SUBSCRIBER = "google.pubsub.v1.Subscriber"
SCHEMA_SERVICE = "google.pubsub.v1.SchemaService"
IAM_POLICY = "google.iam.v1.IAMPolicy"

type _Handler = Callable[[Proto], Proto | None]
type _Waiting = Callable[[Proto, float | None], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Rpc:
    """One unary method: its names, its request's class, and who answers it."""

    service: str
    name: str
    request: Any
    handler: _Handler | None = None
    waiting: _Waiting | None = None
    faults: Faults | None = None

    async def call(self, request: Proto, seconds_left: float | None) -> Proto | bytes:
        """Answer a request with a message, or with the bytes of one.

        Raises:
            PubsubError: the call is refused.
        """
        if self.faults is not None and self.faults.active:
            await self.faults.before(self.name)
        if self.waiting is not None:
            return await self.waiting(request, seconds_left)
        if self.handler is None:
            raise unsupported(f"{self.service}.{self.name}")
        response = self.handler(request)
        return empty_pb2.Empty() if response is None else response


def table(broker: Broker, faults: Faults) -> dict[str, Rpc]:
    """Return every unary method by its name."""
    publisher, subscriber, iam = PublisherApi(broker), SubscriberApi(broker), IamApi(broker)

    def topics(name: str, request: str, handler: _Handler) -> Rpc:
        return Rpc(PUBLISHER, name, raw(request), handler, faults=faults)

    def subscriptions(name: str, request: str, handler: _Handler) -> Rpc:
        return Rpc(SUBSCRIBER, name, raw(request), handler, faults=faults)

    rpcs = [
        topics("CreateTopic", "Topic", publisher.create_topic),
        topics("UpdateTopic", "UpdateTopicRequest", publisher.update_topic),
        topics("Publish", "PublishRequest", publisher.publish),
        topics("GetTopic", "GetTopicRequest", publisher.get_topic),
        topics("ListTopics", "ListTopicsRequest", publisher.list_topics),
        topics("ListTopicSubscriptions", "ListTopicSubscriptionsRequest", publisher.list_topic_subscriptions),
        topics("ListTopicSnapshots", "ListTopicSnapshotsRequest", publisher.list_topic_snapshots),
        topics("DeleteTopic", "DeleteTopicRequest", publisher.delete_topic),
        topics("DetachSubscription", "DetachSubscriptionRequest", publisher.detach_subscription),
        subscriptions("CreateSubscription", "Subscription", subscriber.create_subscription),
        subscriptions("GetSubscription", "GetSubscriptionRequest", subscriber.get_subscription),
        subscriptions("UpdateSubscription", "UpdateSubscriptionRequest", subscriber.update_subscription),
        subscriptions("ListSubscriptions", "ListSubscriptionsRequest", subscriber.list_subscriptions),
        subscriptions("DeleteSubscription", "DeleteSubscriptionRequest", subscriber.delete_subscription),
        subscriptions("ModifyAckDeadline", "ModifyAckDeadlineRequest", subscriber.modify_ack_deadline),
        subscriptions("Acknowledge", "AcknowledgeRequest", subscriber.acknowledge),
        subscriptions("ModifyPushConfig", "ModifyPushConfigRequest", subscriber.modify_push_config),
        subscriptions("GetSnapshot", "GetSnapshotRequest", subscriber.get_snapshot),
        subscriptions("ListSnapshots", "ListSnapshotsRequest", subscriber.list_snapshots),
        subscriptions("CreateSnapshot", "CreateSnapshotRequest", subscriber.create_snapshot),
        subscriptions("UpdateSnapshot", "UpdateSnapshotRequest", subscriber.update_snapshot),
        subscriptions("DeleteSnapshot", "DeleteSnapshotRequest", subscriber.delete_snapshot),
        subscriptions("Seek", "SeekRequest", subscriber.seek),
        Rpc(SUBSCRIBER, "Pull", raw("PullRequest"), waiting=subscriber.pull, faults=faults),
        Rpc(IAM_POLICY, "SetIamPolicy", iam_policy_pb2.SetIamPolicyRequest, iam.set_iam_policy, faults=faults),
        Rpc(IAM_POLICY, "GetIamPolicy", iam_policy_pb2.GetIamPolicyRequest, iam.get_iam_policy, faults=faults),
        Rpc(
            IAM_POLICY,
            "TestIamPermissions",
            iam_policy_pb2.TestIamPermissionsRequest,
            iam.test_iam_permissions,
            faults=faults,
        ),
        *(Rpc(SCHEMA_SERVICE, name, empty_pb2.Empty) for name in _SCHEMA_METHODS),
    ]
    return {rpc.name: rpc for rpc in rpcs}


_SCHEMA_METHODS = (
    "CreateSchema",
    "GetSchema",
    "ListSchemas",
    "ListSchemaRevisions",
    "CommitSchema",
    "RollbackSchema",
    "DeleteSchemaRevision",
    "DeleteSchema",
    "ValidateSchema",
    "ValidateMessage",
)
