"""The REST gateway: what `gcloud` and `curl` send."""

import base64
from typing import Any

import pytest

pytestmark = pytest.mark.embedded_only("the REST gateway has a port of its own only here")


def call(cloud: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer: tuple[int, Any] = cloud.backend.http(method, f"{cloud.backend.rest}/v1/{path}", body)
    return answer


def test_a_message_goes_from_publish_to_acknowledge(cloud: Any) -> None:
    topic, subscription = cloud.name("topics"), cloud.name("subscriptions")
    assert call(cloud, "PUT", topic, {})[0] == 200
    status, created = call(cloud, "PUT", subscription, {"topic": topic, "ackDeadlineSeconds": 20})
    assert (status, created["ackDeadlineSeconds"], created["state"]) == (200, 20, "ACTIVE")
    message = {"data": base64.b64encode(b"hello").decode(), "attributes": {"k": "v"}}
    _, published = call(cloud, "POST", f"{topic}:publish", {"messages": [message]})
    _, pulled = call(cloud, "POST", f"{subscription}:pull", {"maxMessages": 5})
    [received] = pulled["receivedMessages"]
    assert received["message"]["messageId"] == published["messageIds"][0]
    assert received["message"]["data"] == message["data"]
    assert received["message"]["attributes"] == {"k": "v"}
    ids = {"ackIds": [received["ackId"]]}
    assert call(cloud, "POST", f"{subscription}:modifyAckDeadline", ids | {"ackDeadlineSeconds": 30}) == (
        200,
        {},
    )
    assert call(cloud, "POST", f"{subscription}:acknowledge", ids) == (200, {})
    assert call(cloud, "POST", f"{subscription}:pull", {"maxMessages": 1, "returnImmediately": True}) == (
        200,
        {},
    )


def test_both_apis_see_the_same_resources(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    assert call(cloud, "GET", topic)[1]["name"] == topic
    assert call(cloud, "GET", f"{topic}/subscriptions")[1] == {"subscriptions": [subscription]}
    project = f"projects/{cloud.project}"
    assert [item["name"] for item in call(cloud, "GET", f"{project}/topics?pageSize=5&alt=json")[1]["topics"]] == [
        topic
    ]
    listed = call(cloud, "GET", f"{project}/subscriptions")[1]["subscriptions"]
    assert [item["name"] for item in listed] == [subscription]


def test_an_update_takes_its_mask_in_json_form(cloud: Any) -> None:
    _, subscription = cloud.pair()
    body = {"subscription": {"ackDeadlineSeconds": 60}, "updateMask": "ackDeadlineSeconds"}
    assert call(cloud, "PATCH", subscription, body)[1]["ackDeadlineSeconds"] == 60


def test_snapshots_and_seeking_work(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    snapshot = cloud.name("snapshots")
    cloud.publish(topic, b"x")
    assert call(cloud, "PUT", snapshot, {"subscription": subscription})[1]["topic"] == topic
    cloud.acknowledge(subscription, cloud.pull(subscription))
    assert call(cloud, "POST", f"{subscription}:seek", {"snapshot": snapshot}) == (200, {})
    assert cloud.pull(subscription)[0].message.data == b"x"
    assert call(cloud, "DELETE", snapshot) == (200, {})
    assert call(cloud, "GET", f"projects/{cloud.project}/snapshots") == (200, {})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "projects/p/topics/missing", None, 404, "NOT_FOUND"),
        ("PUT", "projects/p/topics/a", {}, 400, "INVALID_ARGUMENT"),
        ("PUT", "projects/p/topics/abc", {"nope": 1}, 400, "INVALID_ARGUMENT"),
        ("PUT", "projects/p/topics/abc", [], 400, "INVALID_ARGUMENT"),
        ("GET", "nonsense", None, 404, "NOT_FOUND"),
    ],
)
def test_errors_have_the_form_of_google_apis(
    cloud: Any, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answered, error = call(cloud, method, path, body)
    assert answered == error["error"]["code"] == status
    assert error["error"]["status"] == code
    assert error["error"]["message"]
