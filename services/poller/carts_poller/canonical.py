"""The canonical form of a cart: two carts that mean the same have the same digest, however they were written."""

import json
from typing import Any

from dataplatform.rawzone import digest

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def cart_digest(cart: dict[str, Any]) -> int:
    """Return a digest of a cart as `json` reads it: 64 bits, and never 0 or 1, which mean something else in a table.

    The order of keys, the order of the lines under `products` and the way a number is written (`1`, `1.0`, `1e0`)
    make no difference; the order of any other list does. Numbers that are equal as 64-bit floats are equal.

    Raises:
        RecursionError: the cart is nested too deeply.
    """
    settled = {name: _settled(value) for name, value in cart.items()}
    lines = settled.get("products")
    if isinstance(lines, list):
        settled["products"] = sorted(lines, key=_encode)
    return max(int(digest(_encode(settled).encode()), 16), 2)


def cart_id(value: Any) -> int | None:
    """Return the id of a record as `json` reads it, or None when it has none that BigQuery could keep."""
    found = _settled(value.get("id")) if isinstance(value, dict) else None
    return found if type(found) is int and 0 <= found < 2**63 else None


def _settled(value: Any) -> Any:
    """Return the value with every whole float as an integer."""
    kind = type(value)
    if kind is float:
        return int(value) if value.is_integer() else value
    if kind is dict:
        return {name: _settled(item) for name, item in value.items()}
    if kind is list:
        return [_settled(item) for item in value]
    return value
