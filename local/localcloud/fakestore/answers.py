"""An answer before it is sent: records in blocks, never the whole body of a big one."""

from collections.abc import Iterator
from dataclasses import dataclass

from localcloud.fakestore.misbehaviour import Shape


@dataclass(frozen=True, slots=True)
class Answer:
    """A body to be sent once.

    `blocks` holds serialised records; `total` says how many in all, None when only a search would tell.
    A list is joined with commas between `opening` and `closing`; anything else is sent as it is.
    """

    shape: Shape
    blocks: Iterator[list[bytes]]
    total: int | None
    opening: bytes = b""
    closing: bytes = b""

    @classmethod
    def of_list(cls, blocks: Iterator[list[bytes]], total: int | None) -> "Answer":
        """Return the answer that lists the records."""
        return cls("list", blocks, total, b"[", b"]")

    @classmethod
    def of_record(cls, record: bytes) -> "Answer":
        """Return the answer that is one record, or one JSON value in its place."""
        return cls("record", iter([[record]]), 1)

    @classmethod
    def of_other(cls, body: bytes) -> "Answer":
        """Return an answer that holds no records."""
        return cls("other", iter([[body]]), 1)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body; a piece may be empty, where the sender may give way to others."""
        before = self.opening
        for block in self.blocks:
            if block:
                yield before + b",".join(block)
                before = b","
            else:
                yield b""
        yield self.closing if before == b"," else self.opening + self.closing
