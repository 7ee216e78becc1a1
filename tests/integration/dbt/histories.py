"""Random histories of shops: carts that change, and how their events reach the raw table, run by run."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dataplatform.models import event_id

from .raw_rows import EPOCH, Row, event_row, product_row

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 12
#: What an incremental run reads again before the newest event it has: `lookback_days` of dbt_project.yml.
LOOKBACK = timedelta(days=3)
#: Events of these days may come after that, for a backfill to find.
BACKFILL_FROM, BACKFILL_TO = START + timedelta(days=1), START + timedelta(days=2)


@dataclass
class Arrivals:
    """What is new in the raw tables before one run: events to add, products and users to replace."""

    at: datetime
    events: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    users: list[Row] = field(default_factory=list)


def arrivals(seed: int, *, shops: int, runs: int) -> list[Arrivals]:
    """Return what comes before each of `runs` runs, for that many shops side by side, each a history of its own."""
    times = [START + timedelta(days=DAYS * (number + 1) / runs) for number in range(runs)]
    slices = [Arrivals(at) for at in times]
    for number in range(shops):
        _Shop(f"shop{number:03d}", random.Random(f"{seed}/{number}"), too_late=number % 2 == 1).fill(slices)
    return slices


@dataclass
class _Shop:
    name: str
    rng: random.Random
    too_late: bool

    def fill(self, slices: list[Arrivals]) -> None:
        for event in self._events():
            for copy in range(self.rng.choice((1, 1, 1, 2, 3))):
                came = self._slice(event, slices)
                at = came.at - timedelta(minutes=self.rng.randrange(1, 200))
                came.events.append(event | {"ingested_at": _text(at), "message_id": f"{event['event_id']}-{copy}"})
        prices = {product: self.rng.randrange(100, 9_900) for product in range(1, 6)}
        known = {product: self.rng.choice((0, 0, 0, 1, 2)) for product in prices}
        gone = {product: self.rng.choice((99, 99, 99, 2, 3)) for product in prices}
        for run, each in enumerate(slices):
            # A batch may be older than events that dbt has priced already.
            seen = each.at - timedelta(hours=self.rng.choice((0, 1, 20)))
            for product in range(1, 6):
                if self.rng.random() < 0.3:
                    prices[product] = self.rng.randrange(100, 9_900)
                if known[product] <= run < gone[product]:
                    row = product_row(product, f"P{product}", f"{prices[product] / 100:.2f}", ingested_at=_text(seen))
                    each.products.append(row | {"source": self.name})
            for user in range(1, 4):
                if run >= user - 1:  # one user more with each run
                    each.users.append(_user(self.name, user, seen))

    def _slice(self, event: Row, slices: list[Arrivals]) -> Arrivals:
        """Return a run before which the event arrives: none that would find it outside its window."""
        observed = datetime.fromisoformat(event["observed_at"])
        if self.too_late and BACKFILL_FROM <= observed < BACKFILL_TO + timedelta(days=1) and self.rng.random() < 0.2:
            return slices[-1]
        midnight = observed.replace(hour=0, minute=0, second=0, microsecond=0)
        first = next((run for run, each in enumerate(slices) if each.at > observed), len(slices) - 1)
        # Events of a day are looked for as long as no run has seen one that is more than the look-back newer.
        last = first
        while last + 1 < len(slices) and slices[last].at <= midnight + LOOKBACK:
            last += 1
        return slices[self.rng.randint(first, last)]

    def _events(self) -> Iterator[Row]:
        for cart in range(1, self.rng.randint(3, 6)):
            at = START + timedelta(hours=self.rng.randrange(DAYS * 18))
            epoch, version, exists = EPOCH, 0, False
            for _ in range(self.rng.randint(1, 6)):
                if self.rng.random() < 0.1:
                    epoch, version, exists = epoch + 1, 0, False  # the poller lost its state
                version += 1
                kind = self.rng.choice(("cart_updated", "cart_updated", "cart_deleted")) if exists else "cart_created"
                exists = kind != "cart_deleted"
                # Two pollers' clocks may differ by hours: a later version can have an earlier time.
                yield self._event(cart, epoch, version, kind, at + timedelta(hours=self.rng.randint(-5, 5)))
                at = min(at + timedelta(hours=self.rng.randrange(1, 60)), START + timedelta(days=DAYS, hours=-6))

    def _event(self, cart: int, epoch: int, version: int, kind: str, observed: datetime) -> Row:
        deleted = kind == "cart_deleted"
        # Product 99 is never loaded; a cart may list a product twice, and may be empty.
        lines = [] if deleted else [(self.rng.choice((1, 2, 3, 4, 5, 5, 99)), self.rng.randint(1, 9)) for _ in range(3)]
        day = START + timedelta(days=self.rng.randrange(3))
        row = event_row(
            cart,
            lines[: self.rng.randint(0, 3)],
            version=version,
            epoch=epoch,
            event_type=kind,
            user_id=None if deleted else self.rng.randint(1, 4),
            cart_date=None if deleted or self.rng.random() < 0.05 else _text(day),
        )
        identity = event_id(self.name, epoch, cart, version)
        return row | {"source": self.name, "event_id": identity, "observed_at": _text(observed)}


def _user(source: str, user: int, seen: datetime) -> Row:
    return {
        "id": user,
        "email": f"{user}@example.com",
        "city": "here",
        "payload": "{}",
        "source": source,
        "run_id": "test",
        "ingested_at": _text(seen),
        "raw_uri": "gs://test/users.jsonl.gz",
    }


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
