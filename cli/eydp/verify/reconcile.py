"""The comparison. Pure: what each place holds goes in, a list of checks comes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dataplatform.models import Cart, Product, User

CENT = Decimal("0.01")
PLACES = ("source", "raw zone", "bq_raw", "marts")
#: Of more carts than this the table shows only those that differ.
CARTS_SHOWN = 20
_CART = "cart "


@dataclass(frozen=True, slots=True)
class CartTotal:
    """What one cart comes to."""

    lines: int
    items: int
    value: Decimal


_NOTHING = CartTotal(0, 0, Decimal(0))


@dataclass(frozen=True, slots=True)
class Totals:
    """What one place holds now: `carts` by id, deleted ones left out, empty ones counted in `cart_count` alone."""

    products: int
    users: int
    prices: Decimal
    """Sum of the prices of all products."""
    cart_count: int
    carts: Mapping[int, CartTotal]
    events: int | None = None
    """Distinct cart events, where the place keeps them."""
    total: CartTotal = field(init=False)

    def __post_init__(self) -> None:
        """Sum up the carts once."""
        object.__setattr__(self, "total", add(self.carts.values()))


@dataclass(frozen=True, slots=True)
class Archive:
    """What the raw zone holds: records of the batch runs that the tables are from, and distinct cart events."""

    products: int
    users: int
    events: int


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the verification table: the same figure in several places must be the same."""

    name: str
    figures: Mapping[str, str]

    @property
    def agrees(self) -> bool:
        """Return whether all places agree."""
        return len(set(self.figures.values())) == 1

    @property
    def of_one_cart(self) -> bool:
        """Return whether the figure is that of a single cart."""
        return self.name.startswith(_CART) and ":" in self.name


def add(carts: Iterable[CartTotal]) -> CartTotal:
    """Return the sum of carts."""
    given = list(carts)
    return CartTotal(
        sum(cart.lines for cart in given),
        sum(cart.items for cart in given),
        sum((cart.value for cart in given), Decimal(0)),
    )


def source_totals(products: Sequence[Product], users: Sequence[User], carts: Sequence[Cart]) -> Totals:
    """Compute the totals from the API's valid records; later records win over earlier ones of the same id.

    A line of a product that the shop does not sell has no price and counts as nothing, as in `fact_orders`.
    """
    prices = {product["id"]: product["price"] for product in products}
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
    return Totals(
        products=len(prices),
        users=len({user["id"] for user in users}),
        prices=sum(prices.values(), Decimal(0)),
        cart_count=len(totals),
        carts={number: cart for number, cart in totals.items() if cart.lines},
    )


def money(value: Decimal) -> str:
    """Format an amount to the cent."""
    return f"{value.quantize(CENT)}"


def reconcile(source: Totals, archive: Archive, raw: Totals, marts: Totals) -> list[Check]:
    """Return every check, the carts last."""
    three = (source, raw, marts)
    checks = [
        _row("products", source.products, archive.products, raw.products, marts.products),
        _row("product prices", *_skip_archive(money(place.prices) for place in three)),
        _row("users", source.users, archive.users, raw.users, marts.users),
        _row("cart events", None, archive.events, raw.events, marts.events),
        _row("carts", *_skip_archive(place.cart_count for place in three)),
        _row("order lines", *_skip_archive(place.total.lines for place in three)),
        _row("items", *_skip_archive(place.total.items for place in three)),
        _row("revenue", *_skip_archive(money(place.total.value) for place in three)),
    ]
    for number in sorted(source.carts.keys() | raw.carts.keys() | marts.carts.keys()):
        here = [place.carts.get(number, _NOTHING) for place in three]
        checks.append(_row(f"{_CART}{number}: items", *_skip_archive(cart.items for cart in here)))
        checks.append(_row(f"{_CART}{number}: value", *_skip_archive(money(cart.value) for cart in here)))
    return checks


def difference(checks: Iterable[Check], *, named_at_most: int = 10) -> str:
    """Return a sentence that names the figures that differ, an empty one when all agree."""
    names = [check.name for check in checks if not check.agrees]
    if not names:
        return ""
    more = f" and {len(names) - named_at_most} more" if len(names) > named_at_most else ""
    figures = "figure differs" if len(names) == 1 else "figures differ"
    return f"{len(names)} {figures}: {', '.join(names[:named_at_most])}{more}"


def shown(checks: Sequence[Check]) -> list[Check]:
    """Return the checks that a person is shown: all, unless the shop has very many carts."""
    if sum(check.of_one_cart for check in checks) <= 2 * CARTS_SHOWN:
        return list(checks)
    differing = [check for check in checks if check.of_one_cart and not check.agrees]
    return [check for check in checks if not check.of_one_cart] + differing[: 2 * CARTS_SHOWN]


def _skip_archive(figures: Iterable[object]) -> tuple[object, ...]:
    """Return figures of source, raw tables and marts with an empty place for the raw zone."""
    source, raw, marts = figures
    return source, None, raw, marts


def _row(name: str, *figures: Any) -> Check:
    given = zip(PLACES, figures, strict=True)
    return Check(name, {place: str(figure) for place, figure in given if figure is not None})
