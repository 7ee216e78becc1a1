"""Start-up checks: topic and bucket are there and may be used, or one sentence says what is missing."""

import asyncio
from typing import Any

from google.api_core import exceptions as google

from dataplatform.errors import ConfigurationError
from dataplatform.retry import Retrier
from dataplatform.settings import PlatformSettings

_PUBLISH = "pubsub.topics.publish"


async def verify(platform: PlatformSettings, publisher: Any, storage: Any, retry: Retrier) -> None:
    """Look for the topic and the bucket, with a raw async publisher and a blocking storage client.

    Raises:
        ConfigurationError: one is missing or may not be used; the sentence names it and the permission.
        UnavailableError: a service did not answer within the retry deadline.
    """
    await verify_topic(platform.topic_path, platform.request_timeout_seconds, publisher, retry)
    await retry(f"looking for bucket {platform.bucket_name}", lambda: _bucket(platform, storage))


async def verify_topic(topic: str, timeout_seconds: float, publisher: Any, retry: Retrier) -> None:
    """Look for a topic by its full name, with a raw async publisher. Raises what `verify` raises."""
    await retry(f"looking for topic {topic}", lambda: _topic(topic, timeout_seconds, publisher))


async def verify_subscription(platform: PlatformSettings, subscriber: Any, retry: Retrier) -> None:
    """Look for the subscription of pushed carts, with a raw async subscriber, and whether it keeps their order.

    Raises what `verify` raises.
    """
    await retry(
        f"looking for subscription {platform.push_subscription_path}", lambda: _subscription(platform, subscriber)
    )


async def _subscription(platform: PlatformSettings, subscriber: Any) -> None:
    path, timeout = platform.push_subscription_path, platform.request_timeout_seconds
    try:
        found = await subscriber.get_subscription(request={"subscription": path}, retry=None, timeout=timeout)
    except google.NotFound as error:
        raise _missing(f"subscription {path}") from error
    except (google.Forbidden, google.Unauthorized) as error:
        raise _refused(f"subscription {path}", "pubsub.subscriptions.get") from error
    if not found.enable_message_ordering:
        raise ConfigurationError(
            f"subscription {path} does not keep the order of messages, which a subscription can't be taught: delete it "
            "and create it with `eydp provision`"
        )


async def _topic(topic: str, timeout_seconds: float, publisher: Any) -> None:
    resource = f"topic {topic}"
    if await may_publish(topic, timeout_seconds, publisher):
        return
    try:
        # A publisher may not look at topics, so being refused here says no more than the answer above.
        await publisher.get_topic(request={"topic": topic}, retry=None, timeout=timeout_seconds)
    except google.NotFound as error:
        raise _missing(resource) from error
    except (google.Forbidden, google.Unauthorized) as error:
        raise _refused(resource, _PUBLISH) from error


async def may_publish(topic: str, timeout_seconds: float, publisher: Any) -> bool:
    """Return whether publishing is permitted; False too when the topic is missing or nobody can tell."""
    request = {"resource": topic, "permissions": [_PUBLISH]}
    try:
        answer = await publisher.test_iam_permissions(request=request, retry=None, timeout=timeout_seconds)
    except (google.NotFound, google.Forbidden, google.Unauthorized, google.MethodNotImplemented):
        return False
    return _PUBLISH in answer.permissions


async def _bucket(platform: PlatformSettings, storage: Any) -> None:
    resource, timeout = f"bucket {platform.bucket_name}", platform.request_timeout_seconds
    try:
        await asyncio.to_thread(storage.get_bucket, platform.bucket_name, timeout=timeout, retry=None)
    except google.NotFound as error:
        raise _missing(resource) from error
    except (google.Forbidden, google.Unauthorized) as error:
        raise _refused(resource, "storage.buckets.get") from error


def _missing(resource: str) -> ConfigurationError:
    return ConfigurationError(f"{resource} does not exist: create it with `eydp provision`")


def _refused(resource: str, permission: str) -> ConfigurationError:
    return ConfigurationError(
        f"{resource} may not be used: grant {permission} to this program's service account, "
        "or create it with `eydp provision` if it does not exist"
    )
