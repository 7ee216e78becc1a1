"""The judge of the poller's campaigns: it is content with what is right, and finds every kind of fault."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dataplatform.clock import rfc3339
from dataplatform.models import event_id
from support.poller_truth import GONE, Push, Shown, findings, meaning, shown

from .carts import cart


def message(number: int, version: int, kind: str, one: Any, at: int, epoch: int = 7) -> bytes:
    return json.dumps(
        {
            "event_id": event_id("fakestore", epoch, number, version),
            "event_type": f"cart_{kind}",
            "source": "fakestore",
            "epoch": epoch,
            "cart_id": number,
            "version": version,
            "observed_at": rfc3339(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)),
            "cart": one,
        }
    ).encode()


def answer(at: int, *records: Any, process: str = "one", done: bool = True) -> Shown:
    return replace(shown(process, at - 5, at, records), done_at=at + 3 if done else None)


A, B, C = cart(1, (1, 1)), cart(1, (1, 2)), cart(1, (1, 3))
TWO, THREE = cart(2), cart(3)
ANSWERS = (answer(10, A, TWO, THREE), answer(20, B, TWO, THREE), answer(30, B, THREE), answer(40, A, THREE))
RIGHT = (
    message(1, 1, "created", A, 9),
    message(2, 1, "created", TWO, 9),
    message(3, 1, "created", THREE, 9),
    message(1, 2, "updated", B, 20),
    message(2, 2, "deleted", None, 30),
    message(1, 3, "updated", A, 38),
)
PUSHES = (Push(1, meaning(C), 45, "r"), Push(3, GONE, 46), Push(1, meaning(C), 47, "r"), Push(1, meaning(B), 48))
PUSHED = (
    message(1, 4, "updated", C, 45),
    message(3, 2, "deleted", None, 46),
    message(1, 5, "updated", B, 48),
)


def test_it_is_content_with_each_change_told_once_however_often_it_was_published() -> None:
    assert findings(ANSWERS, (), RIGHT) == []
    assert findings(ANSWERS, (), RIGHT * 2, saved=RIGHT) == []
    assert findings(ANSWERS, PUSHES, RIGHT + PUSHED) == []


def test_an_answer_whose_poll_did_not_end_may_be_told_or_not() -> None:
    unsure = [*ANSWERS, answer(50, C, done=False)]

    assert findings(unsure, (), RIGHT) == []
    assert findings(unsure, (), [*RIGHT, message(1, 4, "updated", C, 50)]) == []


def test_what_another_saw_later_makes_an_answer_stale() -> None:
    late = [answer(10, A), replace(answer(20, A), done_at=30)]

    assert findings(late, [Push(1, meaning(B), 25)], [RIGHT[0], message(1, 2, "updated", B, 25)]) == []


def swapped(number: int, other: bytes) -> Sequence[bytes]:
    return [*RIGHT[:number], other, *RIGHT[number + 1 :]]


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        (RIGHT[:5], "lost: cart 1"),
        ([*RIGHT[:4], RIGHT[5]], "lost: cart 2"),
        ([*RIGHT[:3], *RIGHT[4:]], "versions are not 1 to n: cart 1"),
        (RIGHT[1:], "versions are not 1 to n: cart 1"),
        ([*RIGHT, message(1, 4, "updated", C, 40)], "invented: cart 1"),
        ([*RIGHT, message(1, 4, "updated", B, 20)], "told twice: cart 1"),
        ([*RIGHT, message(1, 4, "updated", B, 20)], "told in the wrong order: cart 1"),
        ([*RIGHT, message(1, 4, "updated", A, 40)], "no change: cart 1"),
        ([*RIGHT, message(1, 3, "updated", C, 40)], "one id, two contents: cart 1"),
        ([*RIGHT, message(1, 1, "created", A, 10, epoch=8)], "more than one epoch"),
        (swapped(3, message(1, 2, "created", B, 20)), "cart_created in place of cart_updated"),
        (swapped(3, message(1, 2, "updated", B, 12)), "invented: cart 1"),
        (swapped(3, RIGHT[3].replace(b'{"event_id": "', b'{"event_id": "0')), "a wrong id: cart 1"),
        ([*RIGHT, message(3, 2, "deleted", None, 40)], "invented: cart 3"),
    ],
)
def test_it_finds_what_is_wrong_with_polled_carts(messages: Sequence[bytes], sentence: str) -> None:
    assert [one for one in findings(ANSWERS, (), messages) if one.startswith(sentence)]


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        (PUSHED[:2], "lost: cart 1 as it was pushed"),
        ([PUSHED[0], PUSHED[2]], "lost: cart 3 as it was pushed"),
        ([*PUSHED, message(1, 6, "updated", C, 47)], "invented: cart 1"),
        ([*PUSHED, message(1, 6, "updated", C, 45)], "told twice: cart 1"),
    ],
)
def test_it_finds_what_is_wrong_with_pushed_carts(messages: Sequence[bytes], sentence: str) -> None:
    assert [one for one in findings(ANSWERS, PUSHES, [*RIGHT, *messages]) if one.startswith(sentence)]


def test_it_finds_what_was_saved_and_never_told() -> None:
    assert findings(ANSWERS, (), RIGHT, saved=[*RIGHT, PUSHED[0]])[0].startswith("saved and never told")


def test_a_suspicious_answer_may_not_delete_until_it_came_three_times() -> None:
    answers = [answer(10, A, TWO, THREE), *[answer(at, A) for at in (20, 30, 40)]]
    gone = [(number, 2, "deleted", None) for number in (2, 3)]

    assert findings(answers, (), [*RIGHT[:3], *[message(*one, 40) for one in gone]]) == []
    assert findings(answers, (), [*RIGHT[:3], *[message(*one, 30) for one in gone]])
    assert len(findings(answers, (), RIGHT[:3])) == 2


def test_a_cart_that_is_invalid_or_nameless_neither_changes_nor_goes() -> None:
    broken = answer(50, {**B, "userId": None}, THREE)
    nameless = answer(60, {"id": "x"}, THREE)

    assert findings([*ANSWERS, broken, nameless], (), RIGHT) == []
    for at in (50, 60):
        assert findings([*ANSWERS, broken, nameless], (), [*RIGHT, message(1, 4, "deleted", None, at)])
