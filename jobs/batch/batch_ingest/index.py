"""The ids and digests of all records of a run in sixteen bytes a record: duplicates, content, and what changed. Pure.

Entries are the id, eight bytes, big end first, and the record's digest: their order as bytes is the order of the ids.
"""

import heapq
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

from batch_ingest.records import DIGEST_BYTES

_ID_BYTES = 8
ENTRY_BYTES = _ID_BYTES + DIGEST_BYTES
_SHOWN_IDS = 5


@dataclass(frozen=True, slots=True)
class Index:
    """All entries of a run, sorted. `repeated` are the first ids that came more than once, of `repeated_count`."""

    data: bytes | bytearray
    repeated: tuple[int, ...] = ()
    repeated_count: int = 0

    @property
    def count(self) -> int:
        """Return the number of different ids."""
        return len(self.data) // ENTRY_BYTES

    @property
    def digest(self) -> str:
        """Return the digest of the content, whatever its order was."""
        return blake2b(self.data, digest_size=8).hexdigest()

    def entries(self) -> Iterator[bytes]:
        """Yield the entries, by id."""
        return _entries(self.data, 0, len(self.data))

    def removed_in(self, later: "Index", *, at_most: int) -> list[int] | None:
        """Return the ids that `later` no longer has, or None when they are more than `at_most`."""
        found: list[int] = []
        new, at, end = later.data, 0, len(later.data)
        for entry in self.entries():
            number = entry[:_ID_BYTES]
            while at < end and new[at : at + _ID_BYTES] < number:
                at += ENTRY_BYTES
            if new[at : at + _ID_BYTES] != number:
                if len(found) == at_most:
                    return None
                found.append(int.from_bytes(number))
        return found


class IndexBuilder:
    """Collects entries in any order; the usual one, by id, is the cheapest."""

    def __init__(self, run_entries: int = 1 << 15) -> None:
        """So many entries are sorted at a time; what is sorted already costs sixteen bytes an entry."""
        self._run_entries = run_entries
        self._open: list[bytes] = []
        self._data = bytearray()
        self._starts: list[int] = []
        self._ordered = True

    def add(self, number: int, digest: bytes) -> None:
        """Take a record; `number` is within 0 and 2**63 - 1."""
        self._open.append(number.to_bytes(_ID_BYTES) + digest)
        if len(self._open) == self._run_entries:
            self._close()

    def finish(self) -> Index:
        """Return the index. Of two records with one id the one with the smaller digest is in it."""
        self._close()
        if self._ordered:
            return Index(self._data)
        merged, repeated = bytearray(), set[int]()
        last = b""
        runs = [_entries(self._data, start, end) for start, end in pairwise([*self._starts, len(self._data)])]
        for each in heapq.merge(*runs):
            if each[:_ID_BYTES] == last:
                repeated.add(int.from_bytes(last))
                continue
            last = each[:_ID_BYTES]
            merged += each
        return Index(merged, tuple(sorted(repeated)[:_SHOWN_IDS]), len(repeated))

    def _close(self) -> None:
        if not self._open:
            return
        self._open.sort()
        ids = [each[:_ID_BYTES] for each in self._open]
        before = self._data[-ENTRY_BYTES:-DIGEST_BYTES]
        if ids[0] <= before or any(one == other for one, other in pairwise(ids)):
            self._ordered = False
        self._starts.append(len(self._data))
        self._data += b"".join(self._open)
        self._open = []


def _entries(data: bytes | bytearray, start: int, end: int) -> Iterator[bytes]:
    return (bytes(data[at : at + ENTRY_BYTES]) for at in range(start, end, ENTRY_BYTES))


class Known:
    """What an earlier run held, asked record by record; asking in the order of the ids is the cheapest."""

    def __init__(self, earlier: Index) -> None:
        self._data = earlier.data
        self._count = earlier.count
        self._at = 0

    def holds(self, number: int, digest: bytes) -> bool:
        """Return whether the earlier run had this very record."""
        wanted = number.to_bytes(_ID_BYTES) + digest
        if self._data[self._at : self._at + ENTRY_BYTES] != wanted:
            place = bisect_left(range(self._count), wanted, key=self._entry)
            self._at = place * ENTRY_BYTES
            if self._entry(place) != wanted:
                # The next record asked for has the next id; this one may stand here with another digest.
                self._at += ENTRY_BYTES * (self._entry(place)[:_ID_BYTES] == wanted[:_ID_BYTES])
                return False
        self._at += ENTRY_BYTES
        return True

    def _entry(self, place: int) -> bytes:
        return bytes(self._data[place * ENTRY_BYTES : (place + 1) * ENTRY_BYTES])
