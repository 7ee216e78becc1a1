"""What becomes of each record of an answer: a line of the raw zone, or a reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ingest.entities import ENTITIES
from batch_ingest.records import MAX_RECORD_BYTES
from batch_ingest.scrub import MAX_DEPTH
from localcloud.fakestore.data import real_records
from support import golden

from .records import line, product, raw, raw_text, read, user

RUN_COLUMNS = {"run_id", "ingested_at", "raw_uri", "payload", "valid_from", "_deleted"}


@pytest.mark.parametrize("name", ["products", "users"])
def test_all_real_records_are_valid(name: Any) -> None:
    answer = read(name, *map(raw, real_records(name)))

    assert (len(answer.valid), answer.invalid) == ({"products": golden.PRODUCTS, "users": golden.USERS}[name], [])


@pytest.mark.parametrize(("name", "record"), [("products", product()), ("users", user())])
def test_a_line_has_every_column_of_its_table_that_the_run_does_not_add(name: str, record: dict[str, Any]) -> None:
    columns = {column.name for column in ENTITIES[name].table.columns}

    assert set(line(read(name, raw(record))).fields) == columns - RUN_COLUMNS


def test_a_product_is_archived_byte_for_byte() -> None:
    text = '{ "id":1, "title":"St\\u00fchle ","price":12.50,"category":"seats","loyalty":{"tier":1e2}}'

    assert line(read("products", raw_text(text))).payload == text.encode()


def test_a_product_over_several_lines_is_archived_in_one() -> None:
    text = json.dumps(product(), indent=2)

    assert json.loads(line(read("products", raw_text(text))).payload) == product()


def test_a_user_is_archived_without_the_password_and_with_everything_else() -> None:
    record = user(loyalty={"tier": "gold", "Old-Passwords": ["s3cret-pw-0"]})

    payload = json.loads(line(read("users", raw(record))).payload)

    assert payload == {**{key: record[key] for key in record if key != "password"}, "loyalty": {"tier": "gold"}}


@pytest.mark.parametrize(
    "text",
    [
        '{"id":1,"note":{"password":"s3cret-pw-1"},"note":"none"}',
        '{"id":1,"p\\u0061ssword":"s3cret-pw-1"}',
        '{"id":1,"password":"s3cret-pw-1","password":null}',
        '{"id":"wrong","password":"s3cret-pw-1"}',
        '[[{"password":"s3cret-pw-1"}]]',
    ],
    ids=["shadowed", "escaped", "twice", "invalid", "no object"],
)
def test_a_password_is_gone_however_it_is_hidden(text: str) -> None:
    answer = read("users", raw_text(text))

    kept = [valid.line for valid in answer.valid] + [bad.payload + bad.detail.encode() for bad in answer.invalid]
    assert len(kept) == 1
    assert b"s3cret" not in kept[0]
    assert b"password" not in kept[0]


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        (None, "not_an_object", "the record is no JSON object"),
        ("text", "not_an_object", "the record is no JSON object"),
        ({"id": 1}, "missing_field", "title: Field required"),
        (product(price="free of charge"), "wrong_type", "price: Input should be a number"),
        (product(id="1"), "wrong_type", "id: Input should be a valid integer"),
        (product(id=True), "wrong_type", "id: Input should be a valid integer"),
        (product(id=2**63), "out_of_range", "id: Input should be less than 9223372036854775808"),
        (product(price=-1), "out_of_range", "price: Input should be greater than or equal to 0"),
        (product(price=1e30), "out_of_range", "price: Decimal input should have no more than 29 digits"),
        (product(title="x" * 70_000), "out_of_range", "title: String should have at most 65536 characters"),
        (product(rating={"rate": 1}), "missing_field", "rating.count: Field required"),
        (product(more="x" * MAX_RECORD_BYTES), "too_large", "the record has "),
        (product(title="\ud800"), "not_representable", "the record holds text or a number"),
        (product(more="\ud800"), "not_representable", "the record holds text or a number"),
        (product(more=float("inf")), "not_representable", "the record holds text or a number"),
    ],
)
def test_a_record_that_breaks_the_contract_has_a_reason_and_a_sentence(record: Any, reason: str, detail: str) -> None:
    (invalid,) = read("products", raw(record)).invalid

    assert invalid.reason == reason
    assert invalid.detail.startswith(detail)


def test_a_reason_quotes_nothing_of_the_record() -> None:
    (invalid,) = read("users", raw(user(id="Jane Doe", email=["jane@example.com"]))).invalid

    assert "jane" not in invalid.detail.lower()
    assert json.loads(invalid.payload)["id"] == "Jane Doe"


def test_a_record_that_is_too_deep_to_be_searched_is_not_kept() -> None:
    deep: Any = "s3cret-pw-1"
    for _ in range(MAX_DEPTH + 1):
        deep = {"password" if deep == "s3cret-pw-1" else "x": deep}

    (invalid,) = read("users", raw(user(more=deep))).invalid

    assert (invalid.reason, invalid.payload) == ("too_deep", b"null")


def test_the_digest_tells_records_apart_and_sources_too() -> None:
    digests = [
        read("products", raw(product())).valid[0].digest,
        read("products", raw(product(), '{"id":1,"title":"Chair","price":12.50,"category":"seats"}')).valid[0].digest,
        read("products", raw(product(title="Table"))).valid[0].digest,
        read("products", raw(product()), source="another").valid[0].digest,
    ]

    assert len(set(digests)) == 4
    assert read("products", raw(product())).valid[0].digest == digests[0]
    assert line(read("products", raw(product()))).fields["_digest"] == digests[0].hex()


@given(
    st.text(max_size=20), st.none() | st.text(max_size=20), st.none() | st.floats(0, 1e300), st.integers(0, 2**63 - 1)
)
def test_columns_are_the_json_of_their_values(title: str, image: str | None, rate: float | None, number: int) -> None:
    rating = None if rate is None else {"rate": rate, "count": number}
    record = product(id=number, title=title, image=image, rating=rating)

    answer = read("products", raw(record))

    fields = line(answer).fields
    assert (fields["title"], fields["image"], fields["rating_rate"]) == (title, image, rate)
    assert (int(fields["id"]), fields["price"], fields["description"]) == (number, "12.5", None)
    assert fields["rating_count"] is None if rate is None else int(fields["rating_count"]) == number


def test_numbers_keep_their_exact_value_on_the_way_through_json() -> None:
    fields = line(read("products", raw(product(id=2**60 + 1, price=0.1)))).fields

    assert (fields["id"], fields["price"]) == (str(2**60 + 1), "0.1")
