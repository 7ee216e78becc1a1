"""Every guard trips at its limit and lets pass what is just inside."""

from datetime import timedelta
from typing import Any

import pytest

from batch_ingest.findings import Findings
from batch_ingest.guards import Case, Guard, RefusedError, check, new_fields
from batch_ingest.settings import BatchSettings
from batch_ingest.tablestate import Loaded

from .records import DAY, receipt

ALL = {"id": 100, "title": 100, "price": 100, "category": 100, "image": 100, "rating": 100}


def findings(valid: int = 100, invalid: int = 0, fault: str = "wrong_value (x)", where: str = "x") -> Findings:
    return Findings(valid, invalid, fields=ALL, faults=((where, fault, invalid),) if invalid else ())


def held(rows: int = 100, **changes: Any) -> Loaded:
    return Loaded("20261123-ab", DAY - timedelta(days=1), rows, ALL, rows, **changes)


def case(found: Findings, last: Loaded | None = None, *, intact: bool = True, **settings: Any) -> Case:
    return Case(receipt(found), last, BatchSettings(**settings), intact=intact)


def refused(guard: Guard, of: Case) -> str:
    """Return the sentence of the guard, which must be the only one that trips."""
    with pytest.raises(RefusedError, match=rf"the table is as it was \(guard {guard}\): .*; --allow {guard} ") as error:
        check(of)
    check(of, allowed=[guard])
    return str(error.value)


def test_no_record_at_all_is_refused_and_one_is_enough() -> None:
    check(case(findings(1)))
    assert "the source sent no record" in refused("no_records", case(Findings(0, 0)))


def test_a_share_of_invalid_records_above_the_limit_is_refused_and_the_limit_itself_is_not() -> None:
    check(case(findings(8, 2)))
    sentence = refused("too_many_invalid", case(findings(7, 2)))
    assert "2 of 9 records are invalid, 2 of them with wrong_value (x)" in sentence
    assert "EYDP_BATCH_MAX_INVALID_RATIO allows a share of 0.2" in sentence


def test_an_answer_without_a_valid_record_is_refused_whatever_the_limit() -> None:
    check(case(findings(1, 9), max_invalid_ratio=1))
    refused("too_many_invalid", case(findings(0, 9), max_invalid_ratio=1))


def test_an_id_that_comes_twice_is_refused_and_named() -> None:
    check(case(Findings(4, 0)))
    sentence = refused("duplicate_ids", case(Findings(5, 0, repeated=(2, 7), repeated_count=3, surplus=3)))
    assert "3 ids came more than once: 2, 7, …; the source must mend that" in sentence


def test_less_than_a_share_of_the_last_load_is_refused_and_the_share_itself_is_not() -> None:
    check(case(findings(50), held(100)))
    check(case(findings(1)))
    sentence = refused("too_few", case(findings(49), held(100)))
    assert "49 records are less than a share of 0.5 of the 100 that the last load had" in sentence


def test_records_with_one_id_count_once_against_the_last_load() -> None:
    doubled = Findings(60, 0, fields=dict.fromkeys(ALL, 60), repeated=(1,), repeated_count=1, surplus=11)
    check(case(doubled, held(98)), allowed=["duplicate_ids"])
    with pytest.raises(RefusedError, match="guard too_few"):
        check(case(doubled, held(100)), allowed=["duplicate_ids"])


@pytest.mark.parametrize("fault", ["missing_field (Field required)", "wrong_type (Input should be a number)"])
def test_a_required_field_that_nearly_all_records_miss_or_have_in_another_type_is_refused(fault: str) -> None:
    check(case(findings(10, 90, fault, "price"), max_invalid_ratio=1))
    sentence = refused("schema_changed", case(findings(9, 91, fault, "price"), max_invalid_ratio=1))
    assert f"91 of 100 records have another price: {fault}; EYDP_BATCH_MAX_SCHEMA_RATIO allows" in sentence


def test_a_field_that_the_last_load_had_and_nearly_all_records_miss_is_refused() -> None:
    def with_images(count: int) -> Case:
        return case(Findings(100, 0, fields={**ALL, "image": count}), held())

    check(with_images(10))
    assert "91 of 100 records have no image, which 100 of 100 had" in refused("schema_changed", with_images(9))


def test_a_field_that_only_some_records_had_may_vanish() -> None:
    last = Loaded("20261123-ab", DAY, 100, {**ALL, "image": 90}, 100)
    check(case(Findings(100, 0, fields={**ALL, "image": 0}), last))


def test_a_field_that_the_contract_does_not_know_is_told_and_stops_nothing() -> None:
    found = Findings(100, 0, fields={**ALL, "loyalty": 3})
    check(case(found, held()))
    entity = receipt(found).run.entity
    assert new_fields(entity, found, held()) == ["loyalty"]
    assert new_fields(entity, found, Loaded("20261123-ab", DAY, 100, {**ALL, "loyalty": 1})) == []


def test_a_day_before_the_one_that_the_table_holds_is_refused_and_the_same_day_is_not() -> None:
    check(case(findings(), Loaded("20261124-ab", DAY, 100)))
    later = Loaded("20261125-ab", DAY + timedelta(days=1), 100)
    assert "the run is of 2026-11-24, and the table holds 2026-11-25" in refused(
        "older_than_table", case(findings(), later)
    )
    check(case(findings(), later, intact=False))


def test_each_guard_is_overridden_by_its_own_name_alone() -> None:
    both = case(findings(7, 2), held(100))
    with pytest.raises(RefusedError, match="guard too_few"):
        check(both, allowed=["too_many_invalid"])
    check(both, allowed=["too_many_invalid", "too_few"])
