"""The real service's records, which every run of the stand-in begins with.

Ids, names, prices and quantities are those of the public service. Descriptions, image addresses and passwords
are made up; every password is `s3cret-pw-{id}`, so that a test can look for one anywhere.
"""

import json
from importlib.resources import files
from typing import Any, Literal, get_args

Entity = Literal["products", "users", "carts"]
ENTITIES: tuple[Entity, ...] = get_args(Entity)

type Record = dict[str, Any]


def compact(value: object) -> bytes:
    """Serialise as the real service does: UTF-8 without escapes, no spaces, numbers as they came.

    Raises:
        ValueError: `value` holds a number or a text that JSON can't carry, such as NaN or half a surrogate pair.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def real_records(entity: Entity) -> tuple[Record, ...]:
    """Return the records of the public service, ids 1, 2, 3, … without a gap."""
    text = files("localcloud.fakestore").joinpath("records", f"{entity}.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))
