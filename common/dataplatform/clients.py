"""Clients of the Google services, on the cloud or on the emulators, with short deadlines and no retries of their own.

Imports are inside the functions: a program pays for the clients it uses.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from dataplatform.settings import EmulatorSettings, PlatformSettings

#: After an outage a client must find its service again within seconds. By default gRPC waits up to two minutes between
#: two tries to connect, 20 s for each of them, and half a minute until it asks for a name again.
_RECONNECT_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
]
#: Answers of a streaming pull may be larger than gRPC's default of 4 MiB.
_GRPC_OPTIONS = [
    *_RECONNECT_OPTIONS,
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


def _authority(host: str) -> str:
    """Return the gRPC target of an emulator address: without http:// or https://, other schemes are gRPC's own."""
    return urlsplit(host).netloc if host.startswith(("http://", "https://")) else host


def _transport(kind: Any) -> Callable[..., Any]:
    """Return a gRPC transport class of a Google client as a factory whose channels have the options of above too."""

    def channel(host: str, *, options: Sequence[tuple[str, Any]], **given: Any) -> Any:
        return kind.create_channel(host, options=[*options, *_RECONNECT_OPTIONS], **given)

    return functools.partial(kind, channel=channel)


def http_address(host: str) -> str:
    """Return an emulator address with its scheme."""
    return host if "://" in host else f"http://{host}"


def storage_client(platform: PlatformSettings, emulators: EmulatorSettings) -> Any:
    """Return a `google.cloud.storage.Client`."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    if emulators.storage_emulator_host:
        return storage.Client(
            project=platform.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": http_address(emulators.storage_emulator_host)},
        )
    return storage.Client(project=platform.project)


def bigquery_client(platform: PlatformSettings, emulators: EmulatorSettings) -> Any:
    """Return a `google.cloud.bigquery.Client`."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    if emulators.bigquery_emulator_host:
        return bigquery.Client(
            project=platform.project,
            location=platform.location,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": http_address(emulators.bigquery_emulator_host)},
        )
    return bigquery.Client(project=platform.project, location=platform.location)


def write_client(emulators: EmulatorSettings) -> Any:
    """Return a `BigQueryWriteAsyncClient`; call it inside the running event loop."""
    import grpc
    from google.cloud.bigquery_storage_v1.services.big_query_write import BigQueryWriteAsyncClient
    from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
        BigQueryWriteGrpcAsyncIOTransport,
    )

    if not emulators.bigquery_storage_emulator_host:
        return BigQueryWriteAsyncClient(transport=_transport(BigQueryWriteGrpcAsyncIOTransport))
    channel = grpc.aio.insecure_channel(_authority(emulators.bigquery_storage_emulator_host), options=_GRPC_OPTIONS)
    return BigQueryWriteAsyncClient(transport=BigQueryWriteGrpcAsyncIOTransport(channel=channel))


def publisher_client(emulators: EmulatorSettings) -> Any:
    """Return a raw async Pub/Sub publisher (`google.pubsub_v1.PublisherAsyncClient`), inside the running loop."""
    import grpc
    from google.pubsub_v1 import PublisherAsyncClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

    if not emulators.pubsub_emulator_host:
        return PublisherAsyncClient(transport=_transport(PublisherGrpcAsyncIOTransport))
    channel = grpc.aio.insecure_channel(_authority(emulators.pubsub_emulator_host), options=_GRPC_OPTIONS)
    return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))


def subscriber_client(emulators: EmulatorSettings) -> Any:
    """Return a raw async Pub/Sub subscriber (`google.pubsub_v1.SubscriberAsyncClient`), inside the running loop."""
    import grpc
    from google.pubsub_v1 import SubscriberAsyncClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

    if not emulators.pubsub_emulator_host:
        return SubscriberAsyncClient(transport=_transport(SubscriberGrpcAsyncIOTransport))
    channel = grpc.aio.insecure_channel(_authority(emulators.pubsub_emulator_host), options=_GRPC_OPTIONS)
    return SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
