"""The push service as a program, before an embedded Pub/Sub of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from carts_poller.push.signature import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from carts_poller.pushed import Pushed, read
from dataplatform import clients
from dataplatform.settings import EmulatorSettings, PlatformSettings
from support.programs import until

KEY = b"0123456789abcdef0123456789abcdef-the-first-key"


@dataclass(frozen=True)
class PubSub:
    """The address of the emulator and that of its admin routes."""

    host: str
    admin: str

    def faults(self, **changes: Any) -> None:
        """Change what goes wrong; without any, nothing does."""
        body = json.dumps(changes).encode()
        request = Request(f"http://{self.admin}/faults", body, method="POST" if changes else "DELETE")
        urlopen(request, timeout=10).close()  # noqa: S310 - an address of this test's own


@pytest.fixture(scope="session")
def pubsub() -> Iterator[PubSub]:
    command = [sys.executable, "-m", "localcloud.pubsub", "--port", "0", "--admin-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            admin, host = (process.stdout.readline().split()[-1] for _ in range(2))
            yield PubSub(host, admin)
        finally:
            process.kill()


@dataclass
class Program:
    """A running push service."""

    pubsub: PubSub
    platform: PlatformSettings
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def said(self) -> str:
        return (self.folder / "log").read_text()

    def logged(self, message: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.said.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if line["message"] == message]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.logged('push service started')[0]['port']}"

    def health(self, path: str) -> tuple[int, str]:
        port = self.logged("push service started")[0]["metrics_port"]
        return answered(Request(f"http://127.0.0.1:{port}{path}"))[:2]

    def push(
        self, body: bytes, *, key: bytes = KEY, kind: str = "application/x-ndjson", idempotency_key: str = ""
    ) -> tuple[int, str, Mapping[str, str]]:
        at = int(time.time())
        headers = {"Content-Type": kind, TIMESTAMP_HEADER: str(at), SIGNATURE_HEADER: sign(key, at, body)}
        if idempotency_key:
            headers[IDEMPOTENCY_HEADER] = idempotency_key
        return answered(Request(f"{self.url}/v1/carts/events", body, headers))  # noqa: S310 - likewise

    def published(self) -> list[Pushed]:
        """Take all that is on the subscription, in the order in which it was published."""
        return asyncio.run(self._pulled())

    async def _pulled(self) -> list[Pushed]:
        client = clients.subscriber_client(EmulatorSettings(pubsub_emulator_host=self.pubsub.host))
        found: list[Pushed] = []
        request = {
            "subscription": self.platform.push_subscription_path,
            "max_messages": 1000,
            "return_immediately": True,
        }
        while messages := await self._pull(client, request):
            found += [read(item.message.data, dict(item.message.attributes)) for item in messages]
            ids = [item.ack_id for item in messages]
            await client.acknowledge(subscription=request["subscription"], ack_ids=ids, retry=None, timeout=10)
        await client.transport.close()
        return found

    @staticmethod
    async def _pull(client: Any, request: Mapping[str, Any]) -> Any:
        with warnings.catch_warnings():
            # Deprecated for programs, as it is a poll; here a poll is what is wanted.
            warnings.simplefilter("ignore", DeprecationWarning)
            return (await client.pull(request=request, retry=None, timeout=10)).received_messages

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def answered(request: Request) -> tuple[int, str, Mapping[str, str]]:
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - likewise
            return answer.status, answer.read().decode(), dict(answer.headers)
    except HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


async def _provision(platform: PlatformSettings, at: EmulatorSettings) -> None:
    publisher, subscriber = clients.publisher_client(at), clients.subscriber_client(at)
    await publisher.create_topic(name=platform.push_topic_path, retry=None, timeout=10)
    wanted = {
        "name": platform.push_subscription_path,
        "topic": platform.push_topic_path,
        "enable_message_ordering": True,
    }
    await subscriber.create_subscription(request=wanted, retry=None, timeout=10)
    await publisher.transport.close()
    await subscriber.transport.close()


def environment(pubsub: PubSub, project: str, keys: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("EYDP_")},
        "PUBSUB_EMULATOR_HOST": pubsub.host,
        "EYDP_PROJECT": project,
        "EYDP_LOG_FORMAT": "json",
        "EYDP_METRICS_PORT": "0",
        "EYDP_PUSH_PORT": "0",
        "EYDP_PUSH_KEYS_DIR": str(keys),
        "EYDP_PUSH_KEYS_REREAD_SECONDS": "0.1",
        "EYDP_PUSH_PUBLISH_DEADLINE_SECONDS": "0.3",
        "EYDP_RETRY_DEADLINE_SECONDS": "2",
    }


@contextmanager
def serving(pubsub: PubSub, folder: Path) -> Iterator[Program]:
    """Run the program in a project of its own."""
    platform = PlatformSettings(project=f"p{uuid.uuid4().hex[:12]}")
    asyncio.run(_provision(platform, EmulatorSettings(pubsub_emulator_host=pubsub.host)))
    (folder / "keys").mkdir()
    (folder / "keys" / "first").write_bytes(KEY + b"\n")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "carts_poller.push"],
            env=environment(pubsub, platform.project, folder / "keys"),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        program = Program(pubsub, platform, folder, process)
        try:
            until(lambda: bool(program.logged("push service started")) or process.poll() is not None, "the start")
            yield program
        finally:
            pubsub.faults()
            with suppress(ProcessLookupError):
                process.kill()


@pytest.fixture(scope="module")
def program(pubsub: PubSub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One program for all tests that leave it as it was."""
    with serving(pubsub, tmp_path_factory.mktemp("push")) as running:
        yield running
