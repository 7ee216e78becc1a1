"""Publishing to the embedded Pub/Sub, and asking the warehouse, from tests."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from google.pubsub_v1 import types

from dataplatform import clients
from dataplatform.settings import EmulatorSettings, PlatformSettings


def emulators(environment: Mapping[str, str]) -> EmulatorSettings:
    """Return the emulators of a test's environment."""
    names = EmulatorSettings.model_fields
    return EmulatorSettings.model_validate({name: environment.get(name.upper(), "") for name in names})


def publish(
    environment: Mapping[str, str], payloads: Iterable[bytes | dict[str, Any]], *, ordered: bool = False
) -> None:
    """Publish payloads in requests of 500, in order; when `ordered`, with the cart's id as ordering key."""
    data = [
        types.PubsubMessage(
            data=payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
            attributes={"source": "test"},
            ordering_key=str(payload["cart_id"]) if ordered and isinstance(payload, dict) else "",
        )
        for payload in payloads
    ]
    topic = f"projects/{environment['EYDP_PROJECT']}/topics/{environment['EYDP_TOPIC']}"

    async def send() -> None:
        client = clients.publisher_client(emulators(environment))
        for start in range(0, len(data), 500):
            await client.publish(topic=topic, messages=data[start : start + 500], retry=None, timeout=20)
        await client.transport.close()

    asyncio.run(send())


def rows(environment: Mapping[str, str], query: str) -> list[dict[str, Any]]:
    """Return the rows of a query; `{raw}` stands for the raw dataset of this environment."""
    platform = PlatformSettings(project=environment["EYDP_PROJECT"])
    client = clients.bigquery_client(platform, emulators(environment))
    text = query.replace("{raw}", environment["EYDP_DATASET_RAW"])
    found = [dict(row) for row in client.query_and_wait(text, retry=None, wait_timeout=30)]
    client.close()
    return found


def archived(environment: Mapping[str, str], prefix: str) -> list[bytes]:
    """Return the decompressed text of every object below a prefix of this environment's bucket."""
    import gzip

    platform = PlatformSettings(project=environment["EYDP_PROJECT"])
    client = clients.storage_client(platform, emulators(environment))
    blobs = client.list_blobs(environment["EYDP_BUCKET"], prefix=prefix)
    texts = [gzip.decompress(blob.download_as_bytes(raw_download=True)) for blob in blobs]
    client.close()
    return texts
