"""One running shop: its records, its settings, its faults and its counters, wired together."""

import secrets
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

from dataplatform.clock import Clock
from localcloud.fakestore.changes import CYCLE, Changed, Changes
from localcloud.fakestore.data import Entity
from localcloud.fakestore.generate import Generator
from localcloud.fakestore.misbehaviour import Misbehaviours
from localcloud.fakestore.options import Options, Settings
from localcloud.fakestore.store import Collection


class Shop:
    """The state behind all routes. `reset()` brings back what the options describe."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options = options
        self.clock = clock
        generator = Generator(options)
        self.collections: dict[Entity, Collection] = {
            "products": Collection(generator.product, options.products),
            "users": Collection(generator.user, options.users),
            "carts": Collection(generator.cart, options.carts),
        }
        self.settings = Settings.of(options)
        self.misbehaviours = Misbehaviours(clock, options.seed)
        self.requests: Counter[str] = Counter()
        self._changes = Changes(self.collections["carts"], options.seed)
        # An ETag of an earlier run must never fit: versions begin again with each.
        self._run = secrets.token_hex(4)
        self._seen: dict[Entity, tuple[int, datetime]] = {}
        self._note_versions()

    def reset(self) -> None:
        """Forget every change, write, rule and count."""
        for collection in self.collections.values():
            collection.reset()
        self.settings = Settings.of(self._options)
        self.misbehaviours.reset()
        self.requests.clear()
        self._changes.reset()
        self._note_versions()

    def change_carts(self, number: int, kinds: tuple[Any, ...] = CYCLE) -> Changed:
        """Make `number` random changes now; see `Changes.apply`."""
        changed = self._changes.apply(number, kinds)
        self._note_versions()
        return changed

    def put(self, entity: Entity, record_id: int, record: bytes) -> None:
        """Create or replace a record; see `Collection.put`."""
        self.collections[entity].put(record_id, record)
        self._note_versions()

    def delete(self, entity: Entity, record_id: int) -> bytes | None:
        """Remove a record; see `Collection.delete`."""
        removed = self.collections[entity].delete(record_id)
        self._note_versions()
        return removed

    def tag(self, entity: Entity) -> str:
        """Return what identifies the entity's present content, for an ETag."""
        return f"{entity}-{self._run}-{self.collections[entity].version}"

    def changed_at(self, entity: Entity) -> datetime:
        """Return when the entity's content last changed."""
        return self._seen[entity][1]

    def state(self) -> dict[str, Any]:
        """Return counts, changes, requests, misbehaviours and settings as a JSON object."""
        return {
            "entities": {
                entity: {
                    "count": collection.count,
                    "changes": collection.changes,
                    "version": collection.version,
                }
                for entity, collection in self.collections.items()
            },
            "changes": sum(collection.changes for collection in self.collections.values()),
            "requests": dict(self.requests),
            "misbehaviours": {
                "served": dict(self.misbehaviours.served),
                "in_force": self.misbehaviours.in_force(),
            },
            "settings": asdict(self.settings),
        }

    def _note_versions(self) -> None:
        for entity, collection in self.collections.items():
            if entity not in self._seen or self._seen[entity][0] != collection.version:
                self._seen[entity] = (collection.version, self.clock.now())
