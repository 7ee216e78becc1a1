"""Spoilt content is spoilt in exactly the way that was asked for."""

import json
from typing import Any

import pytest

from localcloud.fakestore.answers import Answer
from localcloud.fakestore.data import compact, real_records
from localcloud.fakestore.distort import distorted
from localcloud.fakestore.misbehaviour import Kind, Misbehaviour

CARTS = [compact(cart) for cart in real_records("carts")]


def body(kind: Kind, records: list[bytes] | None = None, **parameters: Any) -> bytes:
    records = CARTS if records is None else records
    answer = Answer.of_list(iter([records[:3], records[3:]]), len(records))
    return b"".join(distorted(answer, Misbehaviour(kind=kind, **parameters)).pieces())


def ids(content: bytes) -> list[int]:
    return [record["id"] for record in json.loads(content)]


def test_without_a_spoiling_kind_the_list_is_whole() -> None:
    assert body("drip") == b"[" + b",".join(CARTS) + b"]"


def test_duplicate_ids_send_cart_six_twice_in_place_of_seven() -> None:
    content = body("duplicate_ids")

    assert ids(content) == [1, 2, 3, 4, 5, 6, 6]
    assert json.loads(content)[5] == json.loads(content)[6]


def test_a_lone_record_is_duplicated_itself() -> None:
    assert ids(body("duplicate_ids", CARTS[:1])) == [1, 1]


def test_conflicting_duplicates_send_one_id_with_two_contents() -> None:
    content = json.loads(body("conflicting_duplicates"))

    assert [record["id"] for record in content] == [1, 2, 3, 4, 5, 6, 7, 7]
    assert content[6] != content[7]


@pytest.mark.parametrize("entity", ["products", "users"])
def test_conflicting_duplicates_conflict_for_every_entity(entity: Any) -> None:
    content = json.loads(body("conflicting_duplicates", [compact(record) for record in real_records(entity)]))

    assert content[-1]["id"] == content[-2]["id"]
    assert content[-1] != content[-2]


def test_an_empty_list_is_an_empty_list() -> None:
    assert body("empty_list") == b"[]"


@pytest.mark.parametrize(("share", "left"), [(0.0, 7), (0.5, 3), (0.9, 1), (1.0, 0)])
def test_the_share_of_records_is_lost_and_the_rest_stays_in_order(share: float, left: int) -> None:
    kept = ids(body("lost_records", share=share))

    assert len(kept) == left
    assert kept == sorted(set(kept))


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_a_truncated_body_is_a_beginning_of_the_whole_one(at: float) -> None:
    content = body("truncated", at=at)

    assert (b"[" + b",".join(CARTS) + b"]").startswith(content)
    with pytest.raises(json.JSONDecodeError):
        json.loads(content)


def test_a_truncated_body_ends_in_the_record_meant() -> None:
    assert body("truncated", at=0.5).count(b'"userId"') in {3, 4}
    assert body("truncated", at=1.0).startswith(b"[" + b",".join(CARTS[:6]))


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_a_malformed_body_has_an_end_and_can_not_be_parsed(at: float) -> None:
    content = body("malformed", at=at)

    assert content.endswith(b"]")
    with pytest.raises(json.JSONDecodeError):
        json.loads(content)


@pytest.mark.parametrize("kind", ["wrong_types", "missing_field", "unknown_field"])
@pytest.mark.parametrize("entity", ["products", "users", "carts"])
def test_one_record_is_changed_and_the_others_stay(kind: Kind, entity: Any) -> None:
    records = [compact(record) for record in real_records(entity)]

    content = json.loads(body(kind, records, at=0.0))

    assert content[0] != json.loads(records[0])
    assert content[0]["id"] == 1
    assert content[1:] == [json.loads(record) for record in records[1:]]


def test_wrong_types_keep_the_fields_and_missing_ones_lose_one() -> None:
    assert json.loads(body("wrong_types", at=0.0))[0].keys() == json.loads(CARTS[0]).keys()
    assert json.loads(CARTS[0]).keys() - json.loads(body("missing_field", at=0.0))[0].keys() == {"userId"}


def test_one_record_answers_are_spoilt_too() -> None:
    for kind in ("truncated", "malformed"):
        answer = distorted(Answer.of_record(CARTS[0]), Misbehaviour(kind=kind))
        with pytest.raises(json.JSONDecodeError):
            json.loads(b"".join(answer.pieces()))


def test_an_answer_of_null_survives_the_kinds_about_fields() -> None:
    for kind in ("wrong_types", "missing_field", "unknown_field"):
        answer = distorted(Answer.of_record(b"null"), Misbehaviour(kind=kind))
        assert b"".join(answer.pieces()) == b"null"


def test_a_list_of_unknown_length_is_cut_in_its_first_record() -> None:
    answer = Answer.of_list(iter([[], CARTS]), None)

    content = b"".join(distorted(answer, Misbehaviour(kind="truncated")).pieces())

    assert b"[" + CARTS[0] != content
    assert (b"[" + CARTS[0]).startswith(content)
