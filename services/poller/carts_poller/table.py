"""What is known of every cart, a million of them in some 150 MB: columns of numbers, and where each cart's row is."""

import sys
from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

#: The digest of a cart that is deleted, or was never seen.
ABSENT: Final = 0
_COLUMNS = "qqQq"


class Known(NamedTuple):
    """The last known state of a cart.

    `version` counts its changes from 1. `digest` is that of its content, `ABSENT` when it is deleted. `seen_at` is
    when somebody saw it like this, in microseconds since 1970.
    """

    version: int
    digest: int
    seen_at: int


class Carts:
    """The carts of one source, by id. Not safe for threads.

    A cart's row is its place in the columns and stays the same as long as the table lives.
    """

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._ids, self._versions, self._digests, self._seen = (array(code) for code in _COLUMNS)
        self._texts = array("q")
        self._alive = 0
        self._known = 0

    def __len__(self) -> int:
        """Return how many carts were ever seen, deleted ones included."""
        return self._known

    @property
    def alive(self) -> int:
        """Return how many carts are not deleted."""
        return self._alive

    def get(self, number: int) -> Known | None:
        """Return what is known of a cart, None when nothing is."""
        row = self._rows.get(number)
        if row is None or not self._versions[row]:
            return None
        return Known(self._versions[row], self._digests[row], self._seen[row])

    def put(self, number: int, known: Known) -> None:
        """Replace what is known of a cart."""
        row = self.row(number)
        self._known += not self._versions[row]
        self._alive += bool(known.digest) - bool(self._digests[row])
        self._versions[row], self._digests[row], self._seen[row] = known
        self._texts[row] = 0

    def row(self, number: int) -> int:
        """Return the row of a cart, a new one when it has none yet."""
        row = self._rows.get(number)
        if row is None:
            row = self._rows[number] = len(self._ids)
            self._ids.append(number)
            for column in (self._versions, self._digests, self._seen, self._texts):
                column.append(0)
        return row

    def digest_at(self, row: int) -> int:
        """Return the digest in a row, `ABSENT` when there is no such cart now."""
        return self._digests[row]

    def is_text_at(self, row: int, text: int) -> bool:
        """Return whether the cart in a row was last written in the text with this hash, as far as is remembered."""
        return self._texts[row] == text and bool(self._digests[row])

    def remember_text(self, row: int, text: int) -> None:
        """Remember the hash of a text whose digest is that of the row: a text seen again need not be digested again.

        Hashes are those of this process and are not saved.
        """
        self._texts[row] = text

    def not_in(self, seen: array[int]) -> Iterator[int]:
        """Yield the ids of carts that are not deleted and have no mark in `seen`, which holds a number a row."""
        for row, digest in enumerate(self._digests):
            if digest and (row >= len(seen) or not seen[row]):
                yield self._ids[row]

    def items(self) -> Iterator[tuple[int, Known]]:
        """Yield every cart that was ever seen with what is known of it."""
        for number, version, digest, seen in zip(self._ids, self._versions, self._digests, self._seen, strict=True):
            if version:
                yield number, Known(version, digest, seen)

    def shards(self, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield all rows as bytes, at most `size` carts at a time, with how many they are."""
        rows = [row for row, version in enumerate(self._versions) if version]
        columns = (self._ids, self._versions, self._digests, self._seen)
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            parts = [array(column.typecode, [column[row] for row in some]) for column in columns]
            yield len(some), b"".join([_portable(part).tobytes() for part in parts])

    def add_shard(self, count: int, data: bytes) -> None:
        """Add the carts that `shards` made bytes of.

        Raises:
            ValueError: these are not the bytes of so many carts.
        """
        if len(data) != count * 8 * len(_COLUMNS):
            raise ValueError(f"it holds {len(data)} bytes, which are not {count} carts")
        parts = []
        for number, code in enumerate(_COLUMNS):
            part = array(code)
            part.frombytes(data[number * count * 8 : (number + 1) * count * 8])
            parts.append(_portable(part))
        for number, version, digest, seen in zip(*parts, strict=True):
            if number < 0 or version < 1:
                raise ValueError(f"it holds cart {number} in version {version}, which can't be")
            self.put(number, Known(version, digest, seen))


def _portable(column: array[int]) -> array[int]:
    """Return the column in the byte order of files, which is little-endian on every machine."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column
