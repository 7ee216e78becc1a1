"""The verification: computed from the source, and any difference anywhere is found."""

from decimal import Decimal
from typing import Any

import pytest

from eydp.verify.reconcile import CartTotal, SourceTotals, add, reconcile, source_totals

_PRODUCTS = [{"id": 1, "price": 109.95}, {"id": 2, "price": 22.3}]
_CARTS = [{"id": 1, "products": [{"productId": 1, "quantity": 2}, {"productId": 2, "quantity": 1}]}]


def _source() -> SourceTotals:
    return source_totals(_PRODUCTS, [{"id": 1}, {"id": 2}, {"id": 3}], _CARTS)


def _places() -> tuple[dict[str, int], dict[str, int], dict[str, Any]]:
    carts = {1: CartTotal(2, 3, Decimal("242.20"))}
    return (
        {"products": 2, "users": 3, "events": 4},
        {"products": 2, "users": 3, "events": 4, "carts": 1},
        {"products": 2, "users": 3, "events": 4, "carts": carts},
    )


def test_totals_are_exact_to_the_cent() -> None:
    assert _source().total == CartTotal(lines=2, items=3, value=Decimal("242.20"))


def test_lines_of_one_product_count_as_one_line() -> None:
    cart = {"id": 1, "products": [{"productId": 1, "quantity": 1}, {"productId": 1, "quantity": 4}]}
    assert source_totals(_PRODUCTS, [], [cart]).carts[1] == CartTotal(1, 5, Decimal("549.75"))


def test_a_line_of_an_unknown_product_has_no_value() -> None:
    cart = {"id": 1, "products": [{"productId": 99, "quantity": 4}]}
    assert source_totals(_PRODUCTS, [], [cart]).carts[1] == CartTotal(1, 4, Decimal(0))


def test_a_cart_that_comes_twice_counts_once() -> None:
    assert source_totals(_PRODUCTS, [], [*_CARTS, *_CARTS]).total.items == 3


def test_equal_places_agree() -> None:
    assert all(check.agrees for check in reconcile(_source(), *_places()))


@pytest.mark.parametrize(("place", "figure"), [(p, f) for p in range(3) for f in ("products", "users", "events")])
def test_one_record_more_or_less_in_any_place_is_found(place: int, figure: str) -> None:
    places = _places()
    places[place][figure] += 1
    assert [check.name for check in reconcile(_source(), *places) if not check.agrees] == [
        "cart events" if figure == "events" else figure
    ]


def test_a_cent_is_found() -> None:
    raw_zone, raw, marts = _places()
    marts["carts"] = {1: CartTotal(2, 3, Decimal("242.21"))}
    differing = [check.name for check in reconcile(_source(), raw_zone, raw, marts) if not check.agrees]
    assert differing == ["revenue", "cart 1: value"]


def test_a_cart_that_only_the_marts_have_is_found() -> None:
    raw_zone, raw, marts = _places()
    marts["carts"] = {**marts["carts"], 9: CartTotal(1, 1, Decimal(1))}
    assert "cart 9: items" in [check.name for check in reconcile(_source(), raw_zone, raw, marts) if not check.agrees]


def test_the_sum_of_no_carts_is_nothing() -> None:
    assert add([]) == CartTotal(0, 0, Decimal(0))
