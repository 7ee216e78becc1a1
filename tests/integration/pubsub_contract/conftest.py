"""The backends of the contract suite and the clients that its tests speak with.

Each test runs against our emulator (`embedded`) and against Google's own (`google`), which comes with the
`gcloud` components and needs Java; it is skipped where either is missing. `embedded_only` marks what Google's
emulator does otherwise, or not at all.
"""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

import google.pubsub_v1 as api
import grpc
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.cloud import pubsub_v1
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from support.free_port import free_port

START_SECONDS = 40.0
WAIT_SECONDS = 15.0
ROOT = Path(__file__).resolve().parents[3]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "embedded_only(reason): Google's emulator does this otherwise, or not at all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend_name" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("embedded_only")
        metafunc.parametrize("backend_name", ["embedded"] if only else ["embedded", "google"])


@dataclass(frozen=True)
class Backend:
    """A running emulator: its gRPC address, and the HTTP addresses that only ours has."""

    address: str
    rest: str = ""
    admin: str = ""

    def http(self, method: str, url: str, body: Any = None) -> tuple[int, Any]:
        """Return the status and the JSON of an HTTP call."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"http://{url}", data=data, method=method)
        try:
            with urlopen(request, timeout=WAIT_SECONDS) as response:  # noqa: S310 - likewise
                return response.status, json.load(response)
        except OSError as error:
            if not hasattr(error, "code"):
                raise
            with error:  # type: ignore[attr-defined]  # an HTTPError is its own response
                return error.code, json.loads(error.read())  # type: ignore[attr-defined]  # likewise


@contextmanager
def _process(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture(scope="session")
def embedded_backend() -> Iterator[Backend]:
    """Our emulator, on free ports."""
    path = os.pathsep.join([str(ROOT / "common"), str(ROOT / "local")])
    command = [
        sys.executable,
        "-m",
        "localcloud.pubsub",
        "--port",
        "0",
        "--rest-port",
        "0",
        "--admin-port",
        "0",
    ]
    with _process(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(3)]
        rest, admin, listening = (line[-1] for line in lines)
        yield Backend(listening, rest, admin)


def _google_jar() -> Path | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None or shutil.which("java") is None:
        return None
    root = Path(gcloud).resolve().parent.parent
    return next(root.glob("platform/pubsub-emulator/lib/*.jar"), None)


@pytest.fixture(scope="session")
def google_backend() -> Iterator[Backend]:
    """Google's own emulator, on a free port."""
    jar = _google_jar()
    if jar is None:
        pytest.skip("Google's emulator needs java and the gcloud component pubsub-emulator")
    port = free_port()
    command = ["java", "-jar", str(jar), "--host=127.0.0.1", f"--port={port}"]
    with _process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + START_SECONDS
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            ready = grpc.channel_ready_future(channel)
            while process.poll() is None and time.monotonic() < deadline:
                with suppress(grpc.FutureTimeoutError):
                    ready.result(timeout=0.5)
                    break
            else:
                pytest.fail("Google's emulator did not start")
        yield Backend(f"127.0.0.1:{port}")


@pytest.fixture
def backend(backend_name: str, request: pytest.FixtureRequest) -> Backend:
    """The backend of this test; each is started once a session."""
    found: Backend = request.getfixturevalue(f"{backend_name}_backend")
    return found


class Stream:
    """One raw streaming pull: requests go in when the test says so, responses are read on a thread."""

    def __init__(self, client: Any, subscription: str, **first: Any) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._responses: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.confirmations: list[Any] = []
        first.setdefault("stream_ack_deadline_seconds", 10)
        self._requests.put(api.StreamingPullRequest(subscription=subscription, **first))
        self._call = client.streaming_pull(requests=iter(self._requests.get, None), retry=None, timeout=60)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for response in self._call:
                self._responses.put(response)
            self._responses.put(None)
        except GoogleAPICallError as error:
            self._responses.put(error)

    def send(self, **fields: Any) -> None:
        """Send a request."""
        self._requests.put(api.StreamingPullRequest(**fields))

    def next(self, seconds: float = WAIT_SECONDS) -> Any:
        """Return the next response, None at the end; raise the stream's error, or `queue.Empty`."""
        item = self._responses.get(timeout=seconds)
        if isinstance(item, GoogleAPICallError):
            raise item
        return item

    def messages(self, count: int, seconds: float = WAIT_SECONDS) -> list[Any]:
        """Return at least so many messages; keep the confirmations that come between."""
        got: list[Any] = []
        deadline = time.monotonic() + seconds
        while len(got) < count:
            response = self.next(max(0.01, deadline - time.monotonic()))
            assert response is not None, "the stream ended"
            got.extend(response.received_messages)
            if response.acknowledge_confirmation or response.modify_ack_deadline_confirmation:
                self.confirmations.append(response)
        return got

    def quiet_for(self, seconds: float) -> bool:
        """Whether no message comes for so long."""
        try:
            return not self.messages(1, seconds)
        except queue.Empty:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.put(None)
        self._call.cancel()
        self._thread.join(WAIT_SECONDS)


class Cloud:
    """A project of its own on a backend, and short ways to do the common things."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.project = f"t{uuid.uuid4().hex[:12]}"
        limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(backend.address, options=limits)
        self.publisher = api.PublisherClient(transport=PublisherGrpcTransport(channel=self.channel))
        self.subscriber = api.SubscriberClient(transport=SubscriberGrpcTransport(channel=self.channel))

    def name(self, collection: str, short: str = "") -> str:
        """Return a resource name in this project, a new one unless a short name is given."""
        return f"projects/{self.project}/{collection}/{short or 'r' + uuid.uuid4().hex[:8]}"

    def topic(self, **fields: Any) -> str:
        """Create a topic."""
        return str(self.publisher.create_topic(request={"name": self.name("topics"), **fields}).name)

    def subscription(self, topic: str, **fields: Any) -> str:
        """Create a subscription."""
        request = {"name": self.name("subscriptions"), "topic": topic, **fields}
        return str(self.subscriber.create_subscription(request=request).name)

    def pair(self, **fields: Any) -> tuple[str, str]:
        """Create a topic and a subscription of it."""
        topic = self.topic()
        return topic, self.subscription(topic, **fields)

    def publish(self, topic: str, *payloads: bytes, **fields: Any) -> list[str]:
        """Publish payloads in one request, each with the same other fields."""
        messages = [{"data": payload, **fields} for payload in payloads]
        return list(self.publisher.publish(request={"topic": topic, "messages": messages}).message_ids)

    def pull(self, subscription: str, count: int = 1, seconds: float = WAIT_SECONDS) -> list[Any]:
        """Pull until so many messages are there; fail when they don't come in time."""
        got: list[Any] = []
        deadline = time.monotonic() + seconds
        while len(got) < count:
            assert time.monotonic() < deadline, f"{len(got)} of {count} messages came"
            got.extend(self.pull_now(subscription, count - len(got)))
        return got

    def pull_now(self, subscription: str, count: int = 100) -> list[Any]:
        """Return what one pull that does not wait finds."""
        request = {"subscription": subscription, "max_messages": count, "return_immediately": True}
        with warnings.catch_warnings():
            # Deprecated for programs, as it is a poll; here a poll is what is wanted.
            warnings.simplefilter("ignore", DeprecationWarning)
            return list(self.subscriber.pull(request=request, timeout=10).received_messages)

    def nothing_to_pull(self, subscription: str, seconds: float = 0.2) -> bool:
        """Whether nothing can be pulled for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.pull_now(subscription):
                return False
        return True

    def acknowledge(self, subscription: str, messages: Sequence[Any]) -> None:
        """Acknowledge received messages."""
        ack_ids = [message.ack_id for message in messages]
        self.subscriber.acknowledge(request={"subscription": subscription, "ack_ids": ack_ids})

    def extend(self, subscription: str, messages: Sequence[Any], seconds: int) -> None:
        """Move the deadlines of received messages; 0 gives them back."""
        ack_ids = [message.ack_id for message in messages]
        self.subscriber.modify_ack_deadline(
            request={"subscription": subscription, "ack_ids": ack_ids, "ack_deadline_seconds": seconds}
        )

    def stream(self, subscription: str, **first: Any) -> Stream:
        """Open a raw streaming pull."""
        return Stream(self.subscriber, subscription, **first)


@pytest.fixture
def cloud(backend: Backend) -> Iterator[Cloud]:
    """A fresh project."""
    made = Cloud(backend)
    yield made
    made.channel.close()


@pytest.fixture
def high_level(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Any, Any]]]:
    """Make the high-level clients as a user does, with nothing but the emulator's variable set."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", cloud.backend.address)
    made: list[Any] = []

    def make(**publisher_options: Any) -> tuple[Any, Any]:
        publisher = pubsub_v1.PublisherClient(credentials=AnonymousCredentials(), **publisher_options)
        subscriber = pubsub_v1.SubscriberClient(credentials=AnonymousCredentials())
        made.extend([publisher.transport, subscriber])
        return publisher, subscriber

    yield make
    for client in made:
        client.close()
