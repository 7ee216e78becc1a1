"""The admin port: faults on demand, and counts."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.api_core.exceptions import ServiceUnavailable

pytestmark = pytest.mark.embedded_only("faults can be set only here")

type Admin = Callable[..., tuple[int, Any]]


@pytest.fixture
def admin(cloud: Any) -> Iterator[Admin]:
    """Call the admin routes; no fault outlives its test."""

    def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer: tuple[int, Any] = cloud.backend.http(method, f"{cloud.backend.admin}/{path}", body)
        return answer

    yield call
    call("DELETE", "faults")


def test_one_method_can_be_refused_for_a_while(cloud: Any, admin: Admin) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    received = cloud.pull(subscription)
    admin("POST", "faults", {"reject": {"method": "Acknowledge", "code": "UNAVAILABLE", "for_seconds": 60}})
    with pytest.raises(ServiceUnavailable, match="Acknowledge"):
        cloud.subscriber.acknowledge(subscription=subscription, ack_ids=[received[0].ack_id], retry=None, timeout=5)
    cloud.publish(topic, b"y")
    admin("POST", "faults", {"reject": None})
    cloud.acknowledge(subscription, received)


def test_open_streams_can_be_dropped_again_and_again(cloud: Any, admin: Admin) -> None:
    topic, subscription = cloud.pair()
    admin("POST", "faults", {"drop_streams_every_seconds": 0.2})
    for number in range(2):
        with cloud.stream(subscription) as stream:
            cloud.publish(topic, b"%d" % number)
            stream.send(ack_ids=[message.ack_id for message in stream.messages(1)])
            with pytest.raises(ServiceUnavailable):
                stream.next()


def test_a_new_stream_can_be_refused(cloud: Any, admin: Admin) -> None:
    _, subscription = cloud.pair()
    admin("POST", "faults", {"reject": {"method": "StreamingPull"}})
    with cloud.stream(subscription) as stream, pytest.raises(ServiceUnavailable):
        stream.next()


@pytest.mark.parametrize("body", [{"nope": 1}, {"delay_seconds": "x"}, {"reject": {"code": "NOPE"}}, []])
def test_a_wrong_fault_is_refused_and_changes_nothing(cloud: Any, admin: Admin, body: Any) -> None:
    del cloud
    before = admin("GET", "faults")
    status, answer = admin("POST", "faults", body)
    assert (status, list(answer)) == (400, ["error"])
    assert admin("GET", "faults") == before


def test_the_counts_follow_a_message(cloud: Any, admin: Admin) -> None:
    topic, subscription = cloud.pair()

    def counts() -> Any:
        return admin("GET", "stats")[1]["subscriptions"][subscription]

    cloud.publish(topic, b"a", b"b", b"c")
    assert (counts()["ready"], counts()["leased"]) == (3, 0)
    received = cloud.pull(subscription, 3)
    assert (counts()["ready"], counts()["leased"], counts()["delivered"]) == (0, 3, 3)
    cloud.acknowledge(subscription, received[:2])
    cloud.extend(subscription, received[2:], 0)
    assert (counts()["ready"], counts()["leased"], counts()["acked"]) == (1, 0, 2)
    assert admin("GET", "stats")[1]["topics"][topic]["published"] == 3
