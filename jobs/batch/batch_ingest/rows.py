"""From a validated record to the columns that its table takes from the record itself. Pure.

Values are as a load job of JSON lines takes them: numbers that a double can't hold exactly go as text.
"""

from decimal import Decimal
from typing import Any

from dataplatform.models import Product, User

type Columns = dict[str, Any]

_EXACT_IN_A_DOUBLE = 2**53


def product_columns(product: Product) -> Columns:
    """Return the columns of `bq_raw.Products`, without those of the run."""
    rating = product.get("rating")
    return {
        "id": _whole(product["id"]),
        "title": product["title"],
        "price": _exact(product["price"]),
        "description": product.get("description"),
        "category": product["category"],
        "image": product.get("image"),
        "rating_rate": rating["rate"] if rating else None,
        "rating_count": _whole(rating["count"]) if rating else None,
    }


def user_columns(user: User) -> Columns:
    """Return the columns of `bq_raw.Users`, without those of the run."""
    name = user.get("name") or {}
    address = user.get("address") or {}
    place = address.get("geolocation") or {}
    return {
        "id": _whole(user["id"]),
        "email": user.get("email"),
        "username": user.get("username"),
        "firstname": name.get("firstname"),
        "lastname": name.get("lastname"),
        "phone": user.get("phone"),
        "city": address.get("city"),
        "street": address.get("street"),
        "street_number": _whole(address.get("number")),
        "zipcode": address.get("zipcode"),
        "latitude": place.get("lat"),
        "longitude": place.get("long"),
    }


def _whole(number: int | None) -> int | str | None:
    return number if number is None or abs(number) < _EXACT_IN_A_DOUBLE else str(number)


def _exact(amount: Decimal) -> str:
    return format(amount, "f")
