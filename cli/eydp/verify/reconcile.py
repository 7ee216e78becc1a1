"""The comparison. Pure: what each place holds goes in, a list of checks comes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class CartTotal:
    """What one cart comes to."""

    lines: int
    items: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """What the shop holds now."""

    products: int
    users: int
    carts: Mapping[int, CartTotal]

    @property
    def total(self) -> CartTotal:
        """Return the sum over all carts."""
        return add(self.carts.values())


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the verification table: the same figure in several places must be the same."""

    name: str
    figures: Mapping[str, str]

    @property
    def agrees(self) -> bool:
        """Return whether all places agree."""
        return len(set(self.figures.values())) == 1


def add(carts: Iterable[CartTotal]) -> CartTotal:
    """Return the sum of carts."""
    given = list(carts)
    return CartTotal(
        sum(cart.lines for cart in given),
        sum(cart.items for cart in given),
        sum((cart.value for cart in given), Decimal(0)),
    )


def source_totals(products: Sequence[Any], users: Sequence[Any], carts: Sequence[Any]) -> SourceTotals:
    """Compute the totals from the API's answers; later records win over earlier ones of the same id.

    A line of a product that the shop does not sell has no price and counts as nothing, as in `fact_orders`.
    """
    prices = {product["id"]: Decimal(str(product["price"])) for product in products}
    totals: dict[int, CartTotal] = {}
    for cart in carts:
        quantities: dict[int, int] = {}
        for line in cart["products"]:
            quantities[line["productId"]] = quantities.get(line["productId"], 0) + line["quantity"]
        totals[cart["id"]] = CartTotal(
            lines=len(quantities),
            items=sum(quantities.values()),
            value=sum((prices.get(p, Decimal(0)) * q for p, q in quantities.items()), Decimal(0)),
        )
    return SourceTotals(len(prices), len({user["id"] for user in users}), totals)


def money(value: Decimal | None) -> str:
    """Format an amount to the cent."""
    return f"{(value or Decimal(0)).quantize(CENT)}"


def reconcile(
    source: SourceTotals, raw_zone: Mapping[str, int], raw: Mapping[str, int], marts: Mapping[str, Any]
) -> list[Check]:
    """Return every check.

    `raw_zone`: products, users, events (distinct). `raw`: products, users, events (distinct), existing carts.
    `marts`: products, users, events, carts (by id, as `CartTotal`).
    """
    carts: Mapping[int, CartTotal] = marts["carts"]
    total, found = source.total, add(carts.values())
    checks = [
        Check("products", _row(source.products, raw_zone["products"], raw["products"], marts["products"])),
        Check("users", _row(source.users, raw_zone["users"], raw["users"], marts["users"])),
        Check("cart events", _row(None, raw_zone["events"], raw["events"], marts["events"])),
        Check("carts", _row(len(source.carts), None, raw["carts"], len(carts))),
        Check("order lines", _row(total.lines, None, None, found.lines)),
        Check("items", _row(total.items, None, None, found.items)),
        Check("revenue", _row(money(total.value), None, None, money(found.value))),
    ]
    nothing = CartTotal(0, 0, Decimal(0))
    for cart_id in sorted(source.carts.keys() | carts.keys()):
        here, there = source.carts.get(cart_id, nothing), carts.get(cart_id, nothing)
        checks.append(Check(f"cart {cart_id}: items", _row(here.items, None, None, there.items)))
        checks.append(Check(f"cart {cart_id}: value", _row(money(here.value), None, None, money(there.value))))
    return checks


PLACES = ("source", "raw zone", "bq_raw", "marts")


def _row(*figures: object) -> dict[str, str]:
    return {place: str(figure) for place, figure in zip(PLACES, figures, strict=True) if figure is not None}
