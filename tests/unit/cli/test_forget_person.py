"""Which records are a user's, and what receipts say without them."""

import json
from typing import Any

import pytest

from batch_ingest.forgotten import stated_id
from batch_ingest.index import IndexBuilder
from eydp.forget.person import Person
from eydp.forget.receipts import Moved, index_without, without


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": 7}, 7),
        ({"id": "7"}, 7),
        ({"id": 7.0}, 7),
        ({"id": 7.5}, None),
        ({"id": float("nan")}, None),
        ({"id": float("inf")}, None),
        ({"id": True}, None),
        ({"id": [7]}, None),
        ({"id": "7 "}, None),
        ({"id": "9" * 5000}, None),
        ({}, None),
        ([7], None),
        (None, None),
    ],
)
def test_the_id_that_a_record_states_is_read_from_numbers_and_text(value: object, expected: int | None) -> None:
    assert stated_id(value) == expected


def line(user: int, source: str = "fakestore") -> bytes:
    fields = {"raw_uri": "gs://b/o", "_digest": "00", "source": source, "id": user, "email": "A@example.com "}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def test_a_line_is_the_users_by_source_and_id() -> None:
    person = Person("fakestore", 7)
    found = [person.has_line(each) for each in (line(7), line(77), line(8), line(7, "other"))]
    assert found == [True, False, False, False]


def test_a_quarantined_record_without_an_id_is_the_users_by_a_telling_field() -> None:
    person = Person("fakestore", 7, quarantine_ids=frozenset({"known"}))
    person.has_line(line(7))

    def has(value: object, key: str = "k", source: str | None = "fakestore") -> bool:
        return person.has_quarantined(key, source, json.dumps(value).encode())

    assert has({"id": 7})
    assert has({"id": "7"})
    assert has({"email": "a@EXAMPLE.com"})
    assert has({"id": None, "email": " a@example.com"})
    assert has({"id": 1}, key="known")
    assert not has({"id": 8, "email": "a@example.com"}), "another user states an id of its own"
    assert not has({"email": "b@example.com"})
    assert not has({"email": ""})
    assert not has({"id": 7}, source="other")
    assert not person.has_quarantined("k", "fakestore", b"no json")


RECEIPT: dict[str, Any] = {
    "run_id": "r",
    "parts": [
        {"name": "p1", "count": 3, "bytes": 30, "digest": "d1", "md5": "m1", "changed": True},
        {"name": "p2", "count": 1, "bytes": 10, "digest": "d2", "md5": "m2", "changed": False},
    ],
    "quarantine": [{"name": "q1", "bytes": 5}],
    "valid_count": 4,
    "row_count": 4,
    "quarantined_count": 1,
    "repeated_ids": [7, 9],
    "repeated_count": 2,
    "fields": {"id": 5, "nickname": 1},
    "loaded_count": 4,
}


def test_a_receipt_lists_the_new_objects_and_has_the_counts_without_the_user() -> None:
    moved = {"p1": Moved(1, "p3", 20, 2, "d3", "m3"), "q1": Moved(1)}
    told = without(RECEIPT, moved, 7)
    assert told is not None
    assert told["parts"] == [
        {"name": "p3", "count": 2, "bytes": 20, "digest": "d3", "md5": "m3", "changed": True},
        RECEIPT["parts"][1],
    ]
    assert told["quarantine"] == []
    counts = ("valid_count", "row_count", "quarantined_count", "repeated_ids", "repeated_count", "loaded_count")
    assert [told[name] for name in counts] == [3, 3, 0, [9], 1, 3]
    assert told["fields"] == {"id": 3, "nickname": 1}


def test_an_object_that_becomes_one_which_the_run_has_already_is_listed_once() -> None:
    told = without(RECEIPT, {"p1": Moved(2, "p2", 10, 1, "d2", "m2")}, 7)
    assert told is not None
    assert [(part["name"], part["count"]) for part in told["parts"]] == [("p2", 1)]
    assert (told["valid_count"], told["row_count"]) == (1, 3)


def test_a_receipt_of_which_nothing_moved_stays() -> None:
    assert without(RECEIPT, {"p9": Moved(1)}, 7) is None


def test_an_index_loses_the_user_and_no_other() -> None:
    builder = IndexBuilder()
    for number in (1, 7, 77):
        builder.add(number, bytes(8))
    index = builder.finish()
    made = index_without(index, 7)
    assert made is not None
    assert [int.from_bytes(made[at : at + 8]) for at in (0, 16)] == [1, 77]
    assert index_without(index, 8) is None
