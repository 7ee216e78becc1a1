"""What the shop holds now: generated records, less what was deleted, with what was changed or written on top.

Pure state, no I/O. A generated record costs no memory; a revision or deletion costs four bytes for each id; a
record written by an admin is kept as its bytes.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence

BLOCK = 500
"""Records handed out together: enough to make joining cheap, few enough to bound memory."""

_DELETED = 0xFFFF_FFFF


class Collection:
    """The records of one entity, as serialised JSON, by positive integer id.

    `generate(id, revision)` makes the records 1 to `size`. `version` counts changes and never goes back;
    `changes` counts those since the last reset.
    """

    def __init__(self, generate: Callable[[int, int], bytes], size: int) -> None:
        self._generate = generate
        self._size = size
        self.version = 0
        self.changes = 0
        self._start()

    def _start(self) -> None:
        self.count = self._size
        self._generated = self._size
        self._revisions = array("I")
        self._written: dict[int, bytes] = {}

    def reset(self) -> None:
        """Go back to the generated records alone. The version moves on all the same."""
        self._start()
        self.version += 1
        self.changes = 0

    @property
    def generated(self) -> int:
        """The greatest id up to which every id is or once was taken."""
        return self._generated

    @property
    def next_id(self) -> int:
        """The id after the greatest one ever taken and not wiped by a reset."""
        return max(self._generated, max(self._written, default=0)) + 1

    @property
    def has_written(self) -> bool:
        """Whether any record is other than a generated one."""
        return bool(self._written)

    def beyond(self) -> list[int]:
        """Return the ids over `generated` that exist, ascending."""
        return sorted(record_id for record_id in self._written if record_id > self._generated)

    def get(self, record_id: int) -> bytes | None:
        """Return the record as it is now, or None when there is none."""
        written = self._written.get(record_id)
        if written is not None:
            return written
        if not 1 <= record_id <= self._generated:
            return None
        revision = self._revision(record_id)
        return None if revision == _DELETED else self._generate(record_id, revision)

    def exists(self, record_id: int) -> bool:
        """Tell whether there is a record of this id."""
        if record_id in self._written:
            return True
        return 1 <= record_id <= self._generated and self._revision(record_id) != _DELETED

    def blocks(self, *, descending: bool = False) -> Iterator[list[bytes]]:
        """Yield all records in the order of their ids, at most BLOCK at a time; a block may be empty.

        Records changed while this runs are seen before or after their change, as with a database cursor.
        """
        generated, beyond = self._generated, self.beyond()
        ids: list[Sequence[int]] = [
            range(first, min(first + BLOCK, generated + 1)) for first in range(1, generated + 1, BLOCK)
        ]
        ids += [beyond[first : first + BLOCK] for first in range(0, len(beyond), BLOCK)]
        for block in reversed(ids) if descending else ids:
            yield self._records(block[::-1] if descending else block)

    def put(self, record_id: int, record: bytes) -> None:
        """Create the record or replace it.

        Raises:
            ValueError: The id is not positive.
        """
        if record_id < 1:
            raise ValueError(f"An id is a positive integer, not {record_id}.")
        self.count += not self.exists(record_id)
        self._written[record_id] = record
        if record_id == self._generated + 1:
            self._generated = record_id
        self._changed()

    def delete(self, record_id: int) -> bytes | None:
        """Remove the record and return what it was, or None when there was none."""
        record = self.get(record_id)
        if record is None:
            return None
        self._written.pop(record_id, None)
        if record_id <= self._generated:
            self._set_revision(record_id, _DELETED)
        self.count -= 1
        self._changed()
        return record

    def revise(self, record_id: int, change: Callable[[bytes], bytes]) -> None:
        """Move a generated record to its next revision; a written one becomes `change` of itself.

        Raises:
            KeyError: There is no such record.
        """
        if not self.exists(record_id):
            raise KeyError(record_id)
        written = self._written.get(record_id)
        if written is not None:
            self._written[record_id] = change(written)
        else:
            self._set_revision(record_id, self._revision(record_id) + 1)
        self._changed()

    def append(self) -> int:
        """Create one more generated record and return its id."""
        record_id = self.next_id
        if record_id == self._generated + 1:
            self._generated = record_id
        else:
            # Ids in between are free: growing the generated range would make them appear too.
            self._written[record_id] = self._generate(record_id, 0)
        self.count += 1
        self._changed()
        return record_id

    def _records(self, ids: Sequence[int]) -> list[bytes]:
        if not self._written and not self._revisions:
            generate = self._generate
            return [generate(record_id, 0) for record_id in ids]
        return [record for record in map(self.get, ids) if record is not None]

    def _revision(self, record_id: int) -> int:
        return self._revisions[record_id - 1] if record_id <= len(self._revisions) else 0

    def _set_revision(self, record_id: int, revision: int) -> None:
        missing = self._generated - len(self._revisions)
        if missing > 0:
            self._revisions.frombytes(bytes(missing * self._revisions.itemsize))
        self._revisions[record_id - 1] = revision

    def _changed(self) -> None:
        self.version += 1
        self.changes += 1
