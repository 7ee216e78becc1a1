"""Random changes of carts that are the same for the same seed: updates, creations, deletions."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from localcloud.fakestore.data import compact
from localcloud.fakestore.generate import QUANTITIES
from localcloud.fakestore.store import Collection

ChangeKind = Literal["updated", "created", "deleted"]

CYCLE: tuple[ChangeKind, ...] = ("updated", "created", "updated", "deleted")
"""The kinds come in turn: half update, a quarter each creates and deletes."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Ids of what one call changed, in the order it did so. No id is in it twice."""

    updated: list[int] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)


class Changes:
    """Changes carts of one collection; its place in the cycle and in the random order carries over."""

    def __init__(self, carts: Collection, seed: int) -> None:
        self._carts = carts
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Begin the same sequence of changes again."""
        self._random = Random(self._seed)  # noqa: S311 (repeatable on purpose, no secret)
        self._turn = 0

    def apply(self, number: int, kinds: Sequence[ChangeKind] = CYCLE) -> Changed:
        """Make `number` changes, each to another cart, their kinds in turn from `kinds`.

        When no untouched cart is left, updates and deletions are left out and the answer is shorter.
        """
        changed = Changed()
        ids = self._order()
        for _ in range(number):
            kind = kinds[self._turn % len(kinds)]
            self._turn += 1
            if kind == "created":
                changed.created.append(self._carts.append())
                continue
            cart_id = next(ids, None)
            if cart_id is None:
                continue
            if kind == "updated":
                self._carts.revise(cart_id, bumped)
                changed.updated.append(cart_id)
            else:
                self._carts.delete(cart_id)
                changed.deleted.append(cart_id)
        return changed

    def _order(self) -> Iterator[int]:
        """Yield each cart that exists at the start once, in an order that needs no memory."""
        generated, beyond = self._carts.generated, self._carts.beyond()
        span = generated + len(beyond)
        if not span:
            return
        index, step = self._random.randrange(span), self._random.randrange(span) or 1
        while math.gcd(step, span) != 1:
            step += 1
        for _ in range(span):
            cart_id = index + 1 if index < generated else beyond[index - generated]
            if self._carts.exists(cart_id):
                yield cart_id
            index = (index + step) % span


class Pace:
    """Turns a rate and passing time into whole changes, losing no fraction."""

    def __init__(self, started: float) -> None:
        self._last = started
        self._owed = 0.0

    def due(self, now: float, rate: float) -> int:
        """Return the changes due at `now` (monotonic seconds) since the last call, at `rate` a second."""
        self._owed += max(0.0, now - self._last) * rate
        self._last = now
        whole = int(self._owed)
        self._owed -= whole
        return whole


def bumped(cart: bytes) -> bytes:
    """Return the cart with another quantity in its first line, or with a first line when it has none."""
    record = json.loads(cart)
    lines = record.get("products")
    if isinstance(lines, list) and lines and isinstance(lines[0], dict):
        quantity = lines[0].get("quantity")
        next_quantity = quantity % QUANTITIES + 1 if isinstance(quantity, int) else 1
        record["products"] = [{**lines[0], "quantity": next_quantity}, *lines[1:]]
    else:
        record["products"] = [{"productId": 1, "quantity": 1}]
    return compact(record)
