"""The protobuf classes of `google.pubsub_v1` without their wrappers, which are many times slower."""

from typing import Any

from google.pubsub_v1 import types

type Proto = Any
"""An instance of one of these classes. They are made at run time, so that no type checker knows them."""


def raw(name: str) -> Any:
    """Return the protobuf class behind the wrapper `google.pubsub_v1.types.<name>`."""
    wrapper = getattr(types, name)
    return type(wrapper.pb(wrapper()))


Topic = raw("Topic")
Subscription = raw("Subscription")
Snapshot = raw("Snapshot")
PubsubMessage = raw("PubsubMessage")
ReceivedMessage = raw("ReceivedMessage")
PublishResponse = raw("PublishResponse")
PullResponse = raw("PullResponse")
StreamingPullRequest = raw("StreamingPullRequest")
StreamingPullResponse = raw("StreamingPullResponse")
