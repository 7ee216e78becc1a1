"""What was found in an answer as a whole: counts, fields and faults, in memory that has a bound. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from batch_ingest.records import Invalid

#: More kinds than this are no schema; what comes after them is counted as a whole.
_KINDS = 500
_MANY = "many others"


@dataclass(frozen=True, slots=True)
class Findings:
    """What the guards judge. All counts are of records."""

    valid: int
    invalid: int
    repeated: tuple[int, ...] = ()
    """The first ids that came more than once."""
    repeated_count: int = 0
    fields: Mapping[str, int] = field(default_factory=dict)
    """How many objects had each field of the first level."""
    faults: tuple[tuple[str, str, int], ...] = ()
    """The commonest (field, sentence, how many) of the invalid ones."""

    surplus: int = 0
    """Records whose id had come before."""

    @property
    def count(self) -> int:
        """Return how many records the source sent."""
        return self.valid + self.invalid

    @property
    def rows(self) -> int:
        """Return how many rows the table gets: one an id."""
        return self.valid - self.surplus

    def described(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "valid_count": self.valid,
            "quarantined_count": self.invalid,
            "row_count": self.rows,
            "repeated_ids": list(self.repeated),
            "repeated_count": self.repeated_count,
            "fields": dict(self.fields),
            "faults": [list(fault) for fault in self.faults],
        }

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> Self:
        """Return what `described` said. Raises KeyError, TypeError or ValueError when it did not."""
        return cls(
            valid=int(state["valid_count"]),
            invalid=int(state["quarantined_count"]),
            repeated=tuple(int(number) for number in state["repeated_ids"]),
            repeated_count=int(state["repeated_count"]),
            fields={str(name): int(count) for name, count in state["fields"].items()},
            faults=tuple((str(where), str(detail), int(count)) for where, detail, count in state["faults"]),
            surplus=int(state["valid_count"]) - int(state["row_count"]),
        )


class Tally:
    """Counts while records go by."""

    def __init__(self) -> None:
        self.valid = 0
        self.invalid = 0
        self._shapes: dict[tuple[str, ...], int] = {}
        self._faults: Counter[tuple[str, str]] = Counter()

    def shape(self, value: dict[str, Any]) -> None:
        """Count the fields of an object."""
        names = tuple(value)
        try:
            self._shapes[names] += 1
        except KeyError:
            if len(self._shapes) >= _KINDS:
                names = (_MANY,)
            self._shapes[names] = self._shapes.get(names, 0) + 1

    def fault(self, found: Invalid) -> None:
        """Count what is wrong with an invalid record."""
        self.invalid += 1
        kind = (found.where, f"{found.reason} ({found.detail})" if found.where else found.reason)
        self._faults[kind if kind in self._faults or len(self._faults) < _KINDS else ("", _MANY)] += 1

    def fields(self) -> dict[str, int]:
        """Return how many objects had each field."""
        fields: Counter[str] = Counter()
        for names, times in self._shapes.items():
            for name in names:
                fields[name] += times
        return dict(sorted(fields.most_common(_KINDS)))

    def faults(self) -> tuple[tuple[str, str, int], ...]:
        """Return the commonest faults."""
        return tuple((where, detail, times) for (where, detail), times in self._faults.most_common(10))
