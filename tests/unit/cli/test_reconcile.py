"""The verification: computed from the source, and any difference anywhere is found."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dataplatform.models import CART, PRODUCT, USER
from dataplatform.source import RawRecord
from eydp.verify.reconcile import (
    CARTS_SHOWN,
    Archive,
    CartTotal,
    Check,
    Totals,
    add,
    difference,
    reconcile,
    shown,
    source_totals,
)
from eydp.verify.source import valid


def _records(values: list[Any]) -> list[RawRecord]:
    return [RawRecord(value, json.dumps(value)) for value in values]


def _products(*prices: float) -> list[Any]:
    products = [{"id": n, "title": "t", "price": price, "category": "c"} for n, price in enumerate(prices, 1)]
    return valid(PRODUCT, _records(products))


def _users(count: int) -> list[Any]:
    return valid(USER, _records([{"id": n} for n in range(1, count + 1)]))


def _cart(number: int, *lines: tuple[int, int]) -> dict[str, Any]:
    products = [{"productId": product, "quantity": quantity} for product, quantity in lines]
    return {"id": number, "userId": 1, "date": "2020-03-02T00:00:00.000Z", "products": products}


def _totals(*carts: dict[str, Any]) -> Totals:
    return source_totals(_products(109.95, 22.3), _users(3), valid(CART, _records(list(carts))))


def _source() -> Totals:
    return _totals(_cart(1, (1, 2), (2, 1)))


def _differing(source: Totals, archive: Archive, raw: Totals, marts: Totals) -> list[str]:
    return [check.name for check in reconcile(source, archive, raw, marts) if not check.agrees]


_ARCHIVE = Archive(products=2, users=3, events=4)


def _place() -> Totals:
    return replace(_source(), events=4)


def test_totals_are_exact_to_the_cent() -> None:
    assert _source().total == CartTotal(lines=2, items=3, value=Decimal("242.20"))
    assert _source().prices == Decimal("132.25")


def test_lines_of_one_product_count_as_one_line() -> None:
    assert _totals(_cart(1, (1, 1), (1, 4))).carts[1] == CartTotal(1, 5, Decimal("549.75"))


def test_a_line_of_an_unknown_product_has_no_value() -> None:
    assert _totals(_cart(1, (99, 4))).carts[1] == CartTotal(1, 4, Decimal(0))


def test_a_cart_that_comes_twice_counts_once_and_the_later_one_counts() -> None:
    assert _totals(_cart(1, (1, 1)), _cart(1, (1, 2))).total.items == 2


def test_an_empty_cart_is_a_cart_without_lines() -> None:
    totals = _totals(_cart(1, (1, 1)), _cart(2))
    assert totals.cart_count == 2
    assert list(totals.carts) == [1]


def test_a_record_that_is_invalid_is_passed_over_as_it_is_in_quarantine() -> None:
    records = _records([_cart(1, (1, 1)), {**_cart(2), "userId": "one"}, None, {"id": 3}])
    assert [cart["id"] for cart in valid(CART, records)] == [1]


def test_equal_places_agree() -> None:
    assert _differing(_source(), _ARCHIVE, _place(), _place()) == []


@pytest.mark.parametrize("field", ["products", "users", "events"])
@pytest.mark.parametrize("place", ["archive", "raw", "marts"])
def test_one_record_more_in_any_place_is_found(place: str, field: str) -> None:
    places: dict[str, Any] = {"archive": _ARCHIVE, "raw": _place(), "marts": _place()}
    places[place] = replace(places[place], **{field: getattr(places[place], field) + 1})
    assert _differing(_source(), **places) == ["cart events" if field == "events" else field]


@pytest.mark.parametrize("place", ["raw", "marts"])
def test_a_cent_is_found(place: str) -> None:
    places = {"raw": _place(), "marts": _place()}
    places[place] = replace(_place(), carts={1: CartTotal(2, 3, Decimal("242.21"))})
    assert _differing(_source(), _ARCHIVE, **places) == ["revenue", "cart 1: value"]


def test_a_changed_price_of_a_product_that_nobody_bought_is_found() -> None:
    marts = replace(_place(), prices=Decimal("132.26"))
    assert _differing(_source(), _ARCHIVE, _place(), marts) == ["product prices"]


def test_a_cart_that_only_the_marts_have_is_found() -> None:
    marts = replace(_place(), cart_count=2, carts={**_place().carts, 9: CartTotal(1, 1, Decimal(1))})
    assert "cart 9: items" in _differing(_source(), _ARCHIVE, _place(), marts)
    assert "carts" in _differing(_source(), _ARCHIVE, _place(), marts)


def test_two_carts_whose_values_were_exchanged_are_found_though_the_sum_is_right() -> None:
    source = _totals(_cart(1, (1, 1)), _cart(2, (2, 1)))
    swapped = replace(source, events=4, carts={1: source.carts[2], 2: source.carts[1]})
    assert _differing(source, _ARCHIVE, replace(source, events=4), swapped) == ["cart 1: value", "cart 2: value"]


def test_the_sum_of_no_carts_is_nothing() -> None:
    assert add([]) == CartTotal(0, 0, Decimal(0))


def test_the_sentence_names_what_differs_and_not_too_much_of_it() -> None:
    checks = [Check(f"f{n}", {"source": "1", "marts": "2"}) for n in range(12)]
    assert difference([]) == ""
    assert difference(checks[:1]) == "1 figure differs: f0"
    assert difference(checks, named_at_most=2) == "12 figures differ: f0, f1 and 10 more"


def test_of_very_many_carts_only_those_that_differ_are_shown() -> None:
    carts = {n: CartTotal(1, 1, Decimal(1)) for n in range(CARTS_SHOWN + 5)}
    place = replace(_place(), carts=carts, cart_count=len(carts))
    marts = replace(place, carts={**carts, 3: CartTotal(1, 1, Decimal(2))})
    names = [check.name for check in shown(reconcile(place, _ARCHIVE, place, marts))]

    assert [name for name in names if ":" in name] == ["cart 3: value"]
    assert "revenue" in names
    assert shown(reconcile(_source(), _ARCHIVE, _place(), _place())) == reconcile(
        _source(), _ARCHIVE, _place(), _place()
    )
