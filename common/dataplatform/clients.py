"""Clients of the Google services, on the cloud or on the emulators, with short deadlines and no retries of their own.

Imports are inside the functions: a program pays for the clients it uses.
"""

from typing import Any
from urllib.parse import urlsplit

from dataplatform.settings import EmulatorSettings, PlatformSettings

#: Answers of a streaming pull may be larger than gRPC's default of 4 MiB.
_GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


def _authority(host: str) -> str:
    """Return host:port of an emulator address that may or may not carry a scheme."""
    return urlsplit(host).netloc if "://" in host else host


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
        return BigQueryWriteAsyncClient()
    channel = grpc.aio.insecure_channel(_authority(emulators.bigquery_storage_emulator_host), options=_GRPC_OPTIONS)
    return BigQueryWriteAsyncClient(transport=BigQueryWriteGrpcAsyncIOTransport(channel=channel))


def publisher_client(emulators: EmulatorSettings) -> Any:
    """Return a raw async Pub/Sub publisher (`google.pubsub_v1.PublisherAsyncClient`), inside the running loop."""
    import grpc
    from google.pubsub_v1 import PublisherAsyncClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

    if not emulators.pubsub_emulator_host:
        return PublisherAsyncClient()
    channel = grpc.aio.insecure_channel(_authority(emulators.pubsub_emulator_host), options=_GRPC_OPTIONS)
    return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))


def subscriber_client(emulators: EmulatorSettings) -> Any:
    """Return a raw async Pub/Sub subscriber (`google.pubsub_v1.SubscriberAsyncClient`), inside the running loop."""
    import grpc
    from google.pubsub_v1 import SubscriberAsyncClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

    if not emulators.pubsub_emulator_host:
        return SubscriberAsyncClient()
    channel = grpc.aio.insecure_channel(_authority(emulators.pubsub_emulator_host), options=_GRPC_OPTIONS)
    return SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
