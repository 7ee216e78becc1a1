"""One fault has one reason, whoever meets it."""

import pytest
from pydantic import ValidationError

from dataplatform.models import CART, PRODUCT
from dataplatform.refusal import refusal

_CART = '{"id": 1, "userId": 1, "date": "2020-03-02T00:00:00Z", "products": [{"productId": 1, "quantity": 4}]}'


@pytest.mark.parametrize(
    ("old", "new", "where", "fault"),
    [
        ("{", "", "", "not_json"),
        ('"userId": 1, ', "", "userId", "missing_field"),
        ('"userId": 1', '"userId": "s3cret"', "userId", "wrong_type"),
        ('"userId": 1', '"userId": 1.5', "userId", "wrong_type"),
        ('"userId": 1', '"userId": -1', "userId", "out_of_range"),
        ('"userId": 1', f'"userId": {2**63}', "userId", "out_of_range"),
        ('"quantity": 4', f'"quantity": {10**10}', "products.0.quantity", "out_of_range"),
        ("2020-03-02T00:00:00Z", "today", "date", "wrong_value"),
    ],
)
def test_the_first_fault_is_told_with_its_place_and_without_its_value(
    old: str, new: str, where: str, fault: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        CART.validate_json(_CART.replace(old, new, 1))
    found = refusal(caught.value)
    assert (found.where, found.fault) == (where, fault)
    assert found.detail.startswith(where)
    assert "s3cret" not in found.detail


def test_a_price_that_no_column_holds_is_out_of_range() -> None:
    with pytest.raises(ValidationError) as caught:
        PRODUCT.validate_python({"id": 1, "title": "x", "price": 1e30, "category": "y"})
    assert refusal(caught.value).fault == "out_of_range"
