"""Names, pages and masks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.pubsub import names
from localcloud.pubsub.errors import Code, PubsubError
from localcloud.pubsub.masks import merged
from localcloud.pubsub.paging import page
from localcloud.pubsub.protos import Subscription


@pytest.mark.parametrize("short", ["abc", "a-b_c.d~e+f%25", "A" + "b" * 254])
def test_a_name_of_the_service_is_taken(short: str) -> None:
    assert names.topic(f"projects/my-project/topics/{short}").endswith(short)
    assert names.topic(f"projects/example.com:p/topics/{short}")


@pytest.mark.parametrize(
    "short", ["", "ab", "1abc", "-abc", "goog", "google-x", "a b", "a/b", "ä" * 3, "a" * 256, "abc\n"]
)
def test_a_name_that_the_service_refuses_is_refused(short: str) -> None:
    for check, collection in (
        (names.topic, "topics"),
        (names.subscription, "subscriptions"),
        (names.snapshot, "snapshots"),
    ):
        with pytest.raises(PubsubError, match="Invalid resource name"):
            check(f"projects/p/{collection}/{short}")


def test_a_name_of_another_kind_is_refused() -> None:
    with pytest.raises(PubsubError):
        names.subscription("projects/p/topics/abc")
    with pytest.raises(PubsubError):
        names.topic("projects//topics/abc")


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), st.integers(), max_size=20),
    st.integers(1, 7),
)
def test_pages_give_everything_once_in_the_order_of_names(items: dict[str, int], size: int) -> None:
    got: list[int] = []
    token = ""
    for _ in range(len(items) + 1):
        chosen, token = page(items, size, token)
        got.extend(chosen)
        if not token:
            break
    assert got == [items[key] for key in sorted(items)]


def test_a_page_goes_on_after_its_last_item_was_deleted() -> None:
    items = {"a": 1, "b": 2, "c": 3}
    _, token = page(items, 2, "")
    del items["b"]
    assert page(items, 2, token) == ([3], "")


@pytest.mark.parametrize("token", ["junk", "ä", "_w=="])
def test_a_token_that_no_list_gave_out_is_refused(token: str) -> None:
    with pytest.raises(PubsubError) as refused:
        page({"a": 1}, 1, token)
    assert refused.value.code is Code.INVALID_ARGUMENT


CURRENT: Any = Subscription(
    name="s",
    ack_deadline_seconds=20,
    labels={"a": "b"},
    dead_letter_policy={"dead_letter_topic": "t", "max_delivery_attempts": 7},
)


def test_a_mask_replaces_scalars_maps_and_messages_and_nothing_else() -> None:
    given_ = Subscription(name="other", ack_deadline_seconds=30, labels={"c": "d"}, filter="x")
    result = merged(CURRENT, given_, ["ack_deadline_seconds", "labels", "dead_letter_policy"], ["name"])
    assert result == Subscription(name="s", ack_deadline_seconds=30, labels={"c": "d"})
    assert CURRENT.ack_deadline_seconds == 20


@pytest.mark.parametrize("paths", [[], ["nope"], ["name"], ["dead_letter_policy.max_delivery_attempts"]])
def test_a_wrong_mask_is_refused(paths: list[str]) -> None:
    with pytest.raises(PubsubError, match="update_mask"):
        merged(CURRENT, Subscription(), paths, ["name"])
