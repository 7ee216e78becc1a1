"""The methods of `google.pubsub.v1.Publisher`."""

from localcloud.pubsub import names
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.masks import merged
from localcloud.pubsub.message import check_request
from localcloud.pubsub.paging import page
from localcloud.pubsub.protos import Proto, PublishResponse, raw
from localcloud.pubsub.resources import complete_topic

_FIXED = ("name", "kms_key_name", "satisfies_pzs", "state", "tags")


class PublisherApi:
    """One method a call: request in, response out, `PubsubError` when refused."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def create_topic(self, request: Proto) -> Proto:
        """Create a topic."""
        complete_topic(request)
        return self._broker.add_topic(request).resource

    def update_topic(self, request: Proto) -> Proto:
        """Change the fields of a topic that the mask names."""
        topic = self._broker.topic(request.topic.name)
        changed = merged(topic.resource, request.topic, request.update_mask.paths, _FIXED)
        complete_topic(changed)
        topic.resource = changed
        return changed

    def publish(self, request: Proto) -> Proto:
        """Publish up to 1,000 messages of 10 MB together."""
        topic = self._broker.topic(request.topic)
        messages = request.messages
        check_request(messages, len(messages), request.ByteSize())
        return PublishResponse(message_ids=self._broker.publish(topic, messages))

    def get_topic(self, request: Proto) -> Proto:
        """Return a topic."""
        return self._broker.topic(request.topic).resource

    def list_topics(self, request: Proto) -> Proto:
        """Return one page of a project's topics."""
        prefix = names.project(request.project) + "/"
        mine = {name: topic.resource for name, topic in self._broker.topics.items() if name.startswith(prefix)}
        items, token = page(mine, request.page_size, request.page_token)
        return raw("ListTopicsResponse")(topics=items, next_page_token=token)

    def list_topic_subscriptions(self, request: Proto) -> Proto:
        """Return one page of the names of a topic's subscriptions."""
        topic = self._broker.topic(request.topic)
        mine = {subscription.name: subscription.name for subscription in topic.subscriptions}
        items, token = page(mine, request.page_size, request.page_token)
        return raw("ListTopicSubscriptionsResponse")(subscriptions=items, next_page_token=token)

    def list_topic_snapshots(self, request: Proto) -> Proto:
        """Return one page of the names of a topic's snapshots."""
        topic = self._broker.topic(request.topic)
        mine = {snapshot.resource.name: snapshot.resource.name for snapshot in topic.snapshots}
        items, token = page(mine, request.page_size, request.page_token)
        return raw("ListTopicSnapshotsResponse")(snapshots=items, next_page_token=token)

    def delete_topic(self, request: Proto) -> None:
        """Delete a topic; its subscriptions stay, with the topic `_deleted-topic_`."""
        self._broker.remove_topic(request.topic)

    def detach_subscription(self, request: Proto) -> Proto:
        """Cut a subscription off from its topic and drop its backlog."""
        self._broker.subscription(request.subscription).detach()
        return raw("DetachSubscriptionResponse")()
