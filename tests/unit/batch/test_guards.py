"""Every guard trips at its limit and lets pass what is just inside."""

import pytest

from batch_ingest import guards
from batch_ingest.entities import ENTITIES
from batch_ingest.guards import RefusedError
from batch_ingest.settings import BatchSettings

from .records import product, raw, read

PRODUCTS = ENTITIES["products"]


def check(valid: int, invalid: int, ratio: float = 0.2, first_id: int = 1) -> None:
    records = [raw(product(id=first_id + number)) for number in range(valid)] + [raw({"id": 1})] * invalid
    guards.check(PRODUCTS, read("products", *records), BatchSettings(max_invalid_ratio=ratio))


def test_no_record_at_all_is_refused_and_one_is_enough() -> None:
    check(1, 0)
    with pytest.raises(RefusedError, match=r"guard no_records\): the source sent no record"):
        check(0, 0)


def test_a_share_of_invalid_records_above_the_limit_is_refused_and_the_limit_itself_is_not() -> None:
    check(8, 2)
    with pytest.raises(RefusedError, match="guard too_many_invalid") as refused:
        check(7, 2)
    sentence = str(refused.value)
    assert "2 of 9 records are invalid, 2 of them with missing_field (title: Field required)" in sentence
    assert "EYDP_BATCH_MAX_INVALID_RATIO allows a share of 0.2" in sentence


def test_an_answer_without_a_valid_record_is_refused_whatever_the_limit() -> None:
    check(1, 9, ratio=1)
    with pytest.raises(RefusedError, match="guard too_many_invalid"):
        check(0, 9, ratio=1)


def test_an_id_that_comes_twice_is_refused_and_named() -> None:
    records = [raw(product(id=number)) for number in (1, 2, 2, 3)]
    with pytest.raises(RefusedError, match=r"guard duplicate_ids\): 1 ids came more than once: 2;"):
        guards.check(PRODUCTS, read("products", *records), BatchSettings())
    guards.check(PRODUCTS, read("products", *records[1:2], records[3]), BatchSettings())
