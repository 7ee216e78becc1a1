"""Generated records are the same for the same seed, whole, and differ where they should."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.fakestore.data import compact
from localcloud.fakestore.generate import END_DAY, FIRST_DAY, Generator
from localcloud.fakestore.options import Options
from localcloud.fakestore.query import dates

GENERATOR = Generator(Options(products=500, users=300, carts=10_000, seed=7))

in_any_time = settings(deadline=None)
ids = st.integers(min_value=1, max_value=10_000_000)
revisions = st.integers(min_value=0, max_value=10_000)


def cart(cart_id: int, revision: int = 0) -> dict[str, Any]:
    return dict(json.loads(GENERATOR.cart(cart_id, revision)))


def test_the_same_seed_makes_the_same_records_and_another_seed_others() -> None:
    def made(seed: int) -> list[bytes]:
        generator = Generator(Options(products=500, users=300, seed=seed))
        makers = (generator.product, generator.user, generator.cart)
        return [make(record_id) for make in makers for record_id in range(21, 60)]

    assert made(3) == made(3)
    assert not set(made(3)) & set(made(4))


@in_any_time
@given(ids, revisions)
def test_every_record_is_compact_json_with_its_own_id(record_id: int, revision: int) -> None:
    for record in (
        GENERATOR.product(record_id),
        GENERATOR.user(record_id),
        GENERATOR.cart(record_id, revision),
    ):
        value = json.loads(record)
        assert value["id"] == record_id
        assert compact(value) == record


@in_any_time
@given(ids, revisions)
def test_each_revision_of_a_cart_differs_from_the_next_in_its_lines_only(cart_id: int, revision: int) -> None:
    before, after = cart(cart_id, revision), cart(cart_id, revision + 1)

    assert before.pop("products") != after.pop("products")
    assert before == after


@in_any_time
@given(ids, revisions)
def test_carts_name_distinct_existing_products_and_an_existing_user(cart_id: int, revision: int) -> None:
    generated = cart(max(cart_id, 8), revision)
    products = [line["productId"] for line in generated["products"]]

    assert len(set(products)) == len(products)
    assert all(1 <= product <= 500 for product in products)
    assert 1 <= generated["userId"] <= 300
    assert all(1 <= line["quantity"] <= 10 for line in generated["products"])


@in_any_time
@given(ids)
def test_carts_are_dated_in_the_fixed_range(cart_id: int) -> None:
    in_range = dates({"startdate": FIRST_DAY.isoformat(), "enddate": END_DAY.isoformat()}, END_DAY)

    assert in_range.keeps(GENERATOR.cart(cart_id))


def test_lines_vary_from_one_to_four_by_default() -> None:
    assert {len(cart(cart_id)["products"]) for cart_id in range(8, 200)} == {1, 2, 3, 4}


@pytest.mark.parametrize("lines", [1, 4, 40])
def test_lines_per_cart_is_exact(lines: int) -> None:
    generator = Generator(Options(products=100, lines_per_cart=lines))

    assert all(len(json.loads(generator.cart(cart_id))["products"]) == lines for cart_id in range(8, 100))


def test_generated_products_mix_numbers_and_titles_like_the_real_ones() -> None:
    products = [json.loads(GENERATOR.product(product_id)) for product_id in range(21, 500)]

    assert {type(product["price"]) for product in products} == {int, float}
    assert {type(product["rating"]["rate"]) for product in products} == {int, float}
    assert {product["title"].endswith(" ") for product in products} == {True, False}
    assert not all(product["title"].isascii() for product in products)
    assert len({product["category"] for product in products}) == 4


def test_generated_passwords_can_be_recognised() -> None:
    assert json.loads(GENERATOR.user(123))["password"] == "s3cret-pw-123"


def test_an_empty_shop_can_still_generate_carts() -> None:
    assert json.loads(Generator(Options(products=0, users=0)).cart(9))["userId"] == 1
