"""Events as JSON, written in the ways of careless producers."""

import json
import random
from dataclasses import dataclass
from typing import Any

#: Stands in many values: a sentence that quotes one gives itself away.
SECRET = "s3cr3t"
_RAW = "@raw token@"
#: In place of a value: the field is left out.
ABSENT = object()

#: The contract's fields in its order: of several faults the first one's reason is told.
ORDER = (
    *("event_id", "event_type", "schema_version", "source", "epoch", "cart_id", "version", "observed_at", "cart"),
    *("cart.id", "cart.userId", "cart.date", "cart.products", "cart.products.0"),
    *("cart.products.0.productId", "cart.products.0.quantity"),
)


@dataclass(frozen=True, slots=True)
class Token:
    """Text that stands in the JSON as it is."""

    text: str


def at(document: dict[str, Any], path: str) -> tuple[Any, Any]:
    """Return the container and the key that a dotted path leads to."""
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    here: Any = document
    for part in parents:
        here = here[part]
    return here, last


def put(document: dict[str, Any], path: str, value: Any) -> None:
    here, key = at(document, path)
    here[key] = value


def dump(rng: random.Random, document: Any, *, indent: int | None = None) -> bytes:
    """Return the JSON of a document in one of the ways in which producers write it; tokens stand as they are."""
    tokens: list[str] = []

    def token(value: Any) -> str:
        assert isinstance(value, Token)
        tokens.append(value.text)
        return _RAW

    separators = rng.choice([(",", ":"), (", ", ": "), (" ,\t", " : ")])
    text = json.dumps(document, default=token, ensure_ascii=rng.random() < 0.5, separators=separators, indent=indent)
    for found in tokens:
        text = text.replace(json.dumps(_RAW), found, 1)
    return text.encode("utf-8", "surrogatepass")
