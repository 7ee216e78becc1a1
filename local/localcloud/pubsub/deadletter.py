"""Dead letters: a message that was delivered too often, wrapped as the service wraps it."""

from datetime import UTC, datetime

from localcloud.pubsub import names
from localcloud.pubsub.message import StoredMessage
from localcloud.pubsub.protos import Proto

_PREFIX = "CloudPubSubDeadLetterSource"


def dead_letter(message: StoredMessage, subscription: str, attempts: int) -> Proto:
    """Return the message for the dead-letter topic: the same data, key and attributes, and where it is from.

    Args:
        message: as it was published on the source topic.
        subscription: full name of the subscription that gave it up.
        attempts: how often it was delivered.
    """
    letter = message.proto()
    letter.ClearField("message_id")
    letter.ClearField("publish_time")
    published = datetime.fromtimestamp(message.published, UTC)
    letter.attributes[f"{_PREFIX}DeliveryCount"] = str(attempts)
    letter.attributes[f"{_PREFIX}Subscription"] = names.short(subscription)
    letter.attributes[f"{_PREFIX}SubscriptionProject"] = names.project_id(subscription)
    letter.attributes[f"{_PREFIX}TopicPublishTime"] = published.isoformat(timespec="milliseconds")
    return letter
