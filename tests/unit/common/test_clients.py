"""The clients of the cloud are made without an emulator's help, and emulator addresses become gRPC targets."""

import json
from pathlib import Path
from typing import Any

import pytest

from dataplatform import clients
from dataplatform.settings import EmulatorSettings


@pytest.mark.parametrize(
    ("make", "host"),
    [
        (clients.write_client, "bigquerystorage.googleapis.com:443"),
        (clients.publisher_client, "pubsub.googleapis.com:443"),
        (clients.subscriber_client, "pubsub.googleapis.com:443"),
    ],
)
async def test_without_emulators_the_clients_are_those_of_the_cloud(
    make: Any, host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials.json"
    credentials.write_text(
        json.dumps({"type": "authorized_user", "client_id": "x", "client_secret": "y", "refresh_token": "z"})
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "some-project")
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    client = make(EmulatorSettings())
    assert client.transport.host == host
    await client.transport.close()


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("127.0.0.1:8085", "127.0.0.1:8085"),
        ("http://127.0.0.1:8085", "127.0.0.1:8085"),
        ("dns:///pubsub:8085", "dns:///pubsub:8085"),
    ],
)
def test_an_emulator_address_becomes_a_target_of_grpc(given: str, target: str) -> None:
    assert clients._authority(given) == target
