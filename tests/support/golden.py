"""The golden numbers of the real data: what every part of the platform must find when it runs on it.

Money is exact decimals in the shop's one currency. The numbers are facts of the source, written down here and
nowhere else; programs compute theirs.
"""

from decimal import Decimal

PRODUCTS = 20
USERS = 10
CARTS = 7

PRICE_SUM = Decimal("3240.92")
"""The sum of the prices of all products."""

PRODUCTS_BY_CATEGORY = {"men's clothing": 4, "jewelery": 4, "electronics": 6, "women's clothing": 6}

LINES = 14
"""Cart lines: one for each cart and product."""

ITEMS = 42
"""The sum of all quantities."""

REVENUE = Decimal("4691.27")
"""The sum of quantity times price over all lines."""

USERS_WITH_CARTS = 5
CART_DATES = 4
"""Distinct days on which carts are dated."""

ITEMS_BY_CART = {1: 11, 2: 16, 3: 3, 4: 4, 5: 2, 6: 5, 7: 1}

VALUE_BY_CART = {
    1: Decimal("798.04"),
    2: Decimal("2578.70"),
    3: Decimal("283.90"),
    4: Decimal("439.80"),
    5: Decimal("20.98"),
    6: Decimal("560.00"),
    7: Decimal("9.85"),
}

INTEGER_PRICES = frozenset({5, 6, 9, 10, 11, 12, 13})
"""Products whose price is an integer in JSON."""

PASSWORD_MARK = "s3cret-pw-"
"""Every password of the source holds this; nothing that the platform writes may."""
