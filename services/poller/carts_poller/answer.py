"""What one answer of the source shows, taken chunk by chunk and compared with what is known while it arrives. Pure.

Memory is bounded by the changes, not by the answer: a cart that is as it was known leaves a mark of eight bytes, and
one that is not leaves its text, compressed.
"""

import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from carts_poller.canonical import cart_digest, cart_id
from carts_poller.changes import Invalid, Sighting
from carts_poller.table import ABSENT, Carts
from dataplatform.jsonlist import RawRecord

#: The mark of a cart whose id is known and whose content can't be read. No digest is 1.
_DAMAGED: Final = 1
_PACK_CARTS = 10_000
_PACK_CHARS = 4 << 20
#: Stands between texts: JSON can't hold it.
_BETWEEN = "\0"


@dataclass(frozen=True, slots=True)
class _Pack:
    """Carts that are not as they were known."""

    numbers: array[int]
    digests: array[int]
    texts: bytes


class Answer:
    """One answer. `take` its records in their order, then ask what it shows.

    Of a cart that comes more than once the last record counts. `repeated` counts those that came again with the same
    content, `conflicting` those that came again with another. `nameless` are records without an id, which may be any
    cart.
    """

    def __init__(self, carts: Carts, seen_at: int) -> None:
        """`carts` are only read, save for new rows; `seen_at` is a time before the answer was asked for, in µs."""
        self._carts = carts
        self._seen_at = seen_at
        self._marks = array("Q")
        self._packs: list[_Pack] = []
        self._numbers, self._digests, self._texts, self._chars = array("q"), array("Q"), list[str](), 0
        self._damaged: dict[int, Invalid] = {}
        self.nameless: list[Invalid] = []
        self.repeated = 0
        self.conflicting = 0
        self.count = 0

    @property
    def damaged(self) -> list[Invalid]:
        """Return the carts whose id is known and whose content can't be read."""
        return list(self._damaged.values())

    def take(self, records: Iterable[RawRecord]) -> None:
        """Look at the next records."""
        for record in records:
            number = _number(record.value)
            if number is None:
                self.nameless.append(_nameless(record))
                continue
            row = self._carts.row(number)
            if row >= len(self._marks):
                self._marks.frombytes(bytes(8 * (max(row + 1, 2 * len(self._marks)) - len(self._marks))))
            digest = self._digest(row, record)
            earlier = self._marks[row]
            if earlier:
                self._again(row, record, earlier, digest)
            else:
                self.count += 1
            if digest == _DAMAGED:
                self._damaged[row] = Invalid(record.text, "too_deep", "the cart is nested too deeply")
            self._marks[row] = digest
            # A cart that came before with another content is kept, too: the last one counts.
            if digest > _DAMAGED and (digest != self._carts.digest_at(row) or earlier > _DAMAGED):
                self._keep(number, digest, record.text)

    def missing(self) -> list[int]:
        """Return the ids of carts that were there and are not in the answer, in ascending order. Call it at the end."""
        return sorted(self._carts.not_in(self._marks))

    def sightings(self) -> Iterator[list[Sighting]]:
        """Yield the carts that were not as known when they came, some thousands at a time. Call it at the end."""
        self._pack()
        for pack in self._packs:
            texts = zlib.decompress(pack.texts).decode().split(_BETWEEN)
            yield [
                Sighting(number, digest, text, self._seen_at)
                for number, digest, text in zip(pack.numbers, pack.digests, texts, strict=True)
                if self._marks[self._carts.row(number)] == digest
            ]

    def gone(self, numbers: list[int]) -> Iterator[list[Sighting]]:
        """Yield the sightings that say that these carts are deleted, some thousands at a time."""
        for start in range(0, len(numbers), _PACK_CARTS):
            yield [Sighting(number, ABSENT, None, self._seen_at) for number in numbers[start : start + _PACK_CARTS]]

    def _digest(self, row: int, record: RawRecord) -> int:
        text = hash(record.text)
        if self._carts.is_text_at(row, text):
            return self._carts.digest_at(row)
        try:
            digest = cart_digest(record.value)
        except RecursionError:
            return _DAMAGED
        if digest == self._carts.digest_at(row):
            self._carts.remember_text(row, text)
        return digest

    def _again(self, row: int, record: RawRecord, earlier: int, digest: int) -> None:
        damaged = self._damaged.pop(row, None)
        if earlier == digest and (damaged is None or damaged.text == record.text):
            self.repeated += 1
        else:
            self.conflicting += 1

    def _keep(self, number: int, digest: int, text: str) -> None:
        self._numbers.append(number)
        self._digests.append(digest)
        self._texts.append(text)
        self._chars += len(text)
        if len(self._texts) >= _PACK_CARTS or self._chars >= _PACK_CHARS:
            self._pack()

    def _pack(self) -> None:
        if self._texts:
            texts = zlib.compress(_BETWEEN.join(self._texts).encode(), 1)
            self._packs.append(_Pack(self._numbers, self._digests, texts))
            self._numbers, self._digests, self._texts, self._chars = array("q"), array("Q"), [], 0


def _number(value: Any) -> int | None:
    """Return the id of a record, None when it has none."""
    if type(value) is dict:
        number = value.get("id")
        if type(number) is int and 0 <= number < 2**63:
            return number
    return cart_id(value)


def _nameless(record: RawRecord) -> Invalid:
    if not isinstance(record.value, dict):
        return Invalid(record.text, "not_an_object", "the record is no JSON object")
    return Invalid(record.text, "no_id", "the cart has no id that is a whole number from 0 to 2^63 - 1")
