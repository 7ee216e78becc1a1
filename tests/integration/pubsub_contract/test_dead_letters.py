"""Dead letters: forwarded after the attempts are used up, with what the service says about their origin."""

from typing import Any

import pytest

ATTEMPTS = 5
PREFIX = "CloudPubSubDeadLetterSource"


def give_up(cloud: Any, subscription: str) -> Any:
    """Nack the only message until its attempts are used up; return it as it came last."""
    for attempt in range(1, ATTEMPTS + 1):
        [received] = cloud.pull(subscription)
        assert received.delivery_attempt == attempt
        cloud.extend(subscription, [received], 0)
    assert cloud.nothing_to_pull(subscription)  # Google's emulator forwards only when asked for more
    return received


def dead_letters(cloud: Any) -> tuple[str, str, str]:
    """Return a topic, a subscription with dead letters, and the subscription that gets those."""
    topic, letters = cloud.topic(), cloud.topic()
    policy = {"dead_letter_topic": letters, "max_delivery_attempts": ATTEMPTS}
    return topic, cloud.subscription(topic, dead_letter_policy=policy), cloud.subscription(letters)


def test_a_message_that_is_never_acknowledged_becomes_a_dead_letter(cloud: Any) -> None:
    topic, subscription, letters = dead_letters(cloud)
    cloud.publish(topic, b"x", attributes={"k": "v"})
    last = give_up(cloud, subscription)
    [letter] = cloud.pull(letters)
    assert letter.message.data == b"x"
    assert letter.message.attributes["k"] == "v"
    assert letter.message.message_id != last.message.message_id


@pytest.mark.embedded_only("Google's emulator forwards without the attributes")
def test_a_dead_letter_says_where_it_comes_from(cloud: Any) -> None:
    topic, subscription, letters = dead_letters(cloud)
    cloud.publish(topic, b"x", ordering_key="key")
    last = give_up(cloud, subscription)
    [letter] = cloud.pull(letters)
    published = last.message.publish_time.isoformat(timespec="milliseconds")
    assert dict(letter.message.attributes) == {
        f"{PREFIX}DeliveryCount": str(ATTEMPTS),
        f"{PREFIX}Subscription": subscription.rsplit("/", 1)[-1],
        f"{PREFIX}SubscriptionProject": cloud.project,
        f"{PREFIX}TopicPublishTime": published,
    }
    assert letter.message.ordering_key == "key"


def test_an_acknowledged_message_is_no_dead_letter(cloud: Any) -> None:
    topic, subscription, letters = dead_letters(cloud)
    cloud.publish(topic, b"x")
    cloud.acknowledge(subscription, cloud.pull(subscription))
    assert cloud.nothing_to_pull(letters)


def test_other_subscriptions_keep_the_message(cloud: Any) -> None:
    topic, subscription, _ = dead_letters(cloud)
    other = cloud.subscription(topic)
    cloud.publish(topic, b"x")
    give_up(cloud, subscription)
    assert cloud.pull(other)[0].message.data == b"x"


@pytest.mark.embedded_only("Google's emulator blocks the key for good")
def test_a_dead_letter_makes_way_for_the_later_messages_of_its_key(cloud: Any) -> None:
    topic, letters = cloud.topic(), cloud.topic()
    policy = {"dead_letter_topic": letters, "max_delivery_attempts": ATTEMPTS}
    subscription = cloud.subscription(topic, dead_letter_policy=policy, enable_message_ordering=True)
    cloud.publish(topic, b"1", b"2", ordering_key="k")
    for _ in range(ATTEMPTS):
        [received] = cloud.pull(subscription)
        assert received.message.data == b"1"
        cloud.extend(subscription, [received], 0)
    assert cloud.pull(subscription)[0].message.data == b"2"


@pytest.mark.embedded_only("Google's emulator loses the message")
def test_a_message_stays_when_the_dead_letter_topic_is_gone(cloud: Any) -> None:
    topic, subscription, _ = dead_letters(cloud)
    policy = cloud.subscriber.get_subscription(subscription=subscription).dead_letter_policy
    cloud.publisher.delete_topic(topic=policy.dead_letter_topic)
    cloud.publish(topic, b"x")
    for attempt in range(1, ATTEMPTS + 2):
        [received] = cloud.pull(subscription)
        assert received.delivery_attempt == attempt
        cloud.extend(subscription, [received], 0)
