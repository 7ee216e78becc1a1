"""Which answers go wrong, and how: rules that an admin sets, and the decision for one answer."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dataplatform.clock import Clock

Shape = Literal["list", "record", "other"]
"""What an answer is: a list of records, one record (or none), or anything else."""

Kind = Literal[
    "status",
    "hang",
    "stall",
    "drip",
    "reset",
    "empty_body",
    "null",
    "truncated",
    "malformed",
    "wrong_types",
    "missing_field",
    "unknown_field",
    "duplicate_ids",
    "conflicting_duplicates",
    "empty_list",
    "lost_records",
]

_ALWAYS = frozenset({"kind", "routes", "count", "seconds", "ratio", "skip"})

PARAMETERS: dict[Kind, frozenset[str]] = {
    "status": frozenset({"status", "retry_after"}),
    "hang": frozenset({"hang_seconds"}),
    "stall": frozenset({"hang_seconds"}),
    "drip": frozenset({"chunk_bytes", "delay_seconds"}),
    "reset": frozenset({"after_bytes"}),
    "truncated": frozenset({"at"}),
    "malformed": frozenset({"at"}),
    "wrong_types": frozenset({"at"}),
    "missing_field": frozenset({"at"}),
    "unknown_field": frozenset({"at"}),
    "lost_records": frozenset({"share"}),
}
"""The parameters that each kind knows; a kind that is not named knows none."""

_SHAPES: dict[Kind, frozenset[Shape]] = {
    "wrong_types": frozenset({"list", "record"}),
    "missing_field": frozenset({"list", "record"}),
    "unknown_field": frozenset({"list", "record"}),
    "duplicate_ids": frozenset({"list"}),
    "conflicting_duplicates": frozenset({"list"}),
    "empty_list": frozenset({"list"}),
    "lost_records": frozenset({"list"}),
}
"""The answers that a kind fits, where it does not fit every one."""

Share = Annotated[float, Field(ge=0, le=1)]


class Misbehaviour(BaseModel):
    """One rule: what goes wrong, for which answers, how often.

    Limits add up: the rule ends with the first that is reached. Without one it stays until it is taken away.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    kind: Kind
    routes: str = "*"
    """Glob over the path, such as `/carts*`; `*` matches slashes too."""
    count: Annotated[int, Field(ge=1)] | None = None
    """Only the next so many answers."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    """Only for so long."""
    ratio: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Only this share of the answers, chosen at random by the seed."""
    skip: Annotated[int, Field(ge=0)] = 0
    """Let so many matching answers pass first."""

    status: Annotated[int, Field(ge=400, le=599)] = 503
    retry_after: int | Annotated[str, Field(pattern="^[ -~]*$")] | None = None
    """The header Retry-After: seconds, or any text as it stands; none by default."""
    hang_seconds: Annotated[float, Field(gt=0)] | None = None
    """After so long the good answer follows; None hangs until the client leaves."""
    chunk_bytes: Annotated[int, Field(ge=1)] = 16
    delay_seconds: Annotated[float, Field(ge=0)] = 0.05
    after_bytes: Annotated[int, Field(ge=0)] = 0
    """0 resets the connection before any answer; else it is closed after so many bytes of the body."""
    at: Share = 0.5
    """Where in the answer: 0 is the first record, 1 the last."""
    share: Share = 0.5
    """The share of records that is lost."""

    @model_validator(mode="after")
    def _known_parameters(self) -> Self:
        strange = self.model_fields_set - _ALWAYS - PARAMETERS.get(self.kind, frozenset())
        if strange:
            raise ValueError(f"{self.kind} has no parameter {', '.join(sorted(strange))}")
        return self


@dataclass(slots=True)
class _Active:
    rule: Misbehaviour
    ends_at: float | None
    skip: int
    left: int | None


class Misbehaviours:
    """The rules in force, oldest first, and how many answers each kind has spoilt."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Drop all rules and counts, and begin the random choices again."""
        self._active: list[_Active] = []
        self.served: dict[Kind, int] = {}
        self._random = Random(self._seed)  # noqa: S311 (repeatable on purpose, no secret)

    def add(self, rule: Misbehaviour) -> None:
        """Put a rule in force, after those there are."""
        ends_at = None if rule.seconds is None else self._clock.monotonic() + rule.seconds
        self._active.append(_Active(rule, ends_at, rule.skip, rule.count))

    def clear(self) -> None:
        """Drop all rules; the counts stay."""
        self._active.clear()

    def decide(self, path: str, shape: Shape) -> Misbehaviour | None:
        """Return what goes wrong with this answer, or None. The first rule that fits has its way."""
        self._drop_ended()
        for active in self._active:
            rule = active.rule
            if not fnmatchcase(path, rule.routes) or shape not in _SHAPES.get(rule.kind, (shape,)):
                continue
            if active.skip:
                active.skip -= 1
                continue
            if rule.ratio < 1 and self._random.random() >= rule.ratio:
                continue
            if active.left is not None:
                active.left -= 1
            self.served[rule.kind] = self.served.get(rule.kind, 0) + 1
            return rule
        return None

    def in_force(self) -> list[dict[str, Any]]:
        """Return the rules as JSON objects: what was set and what `count`, `seconds` and `skip` have left."""
        self._drop_ended()
        now = self._clock.monotonic()
        rules = []
        for active in self._active:
            shown = active.rule.model_dump(exclude_unset=True)
            if active.left is not None:
                shown["count"] = active.left
            if active.ends_at is not None:
                shown["seconds"] = active.ends_at - now
            if active.rule.skip:
                shown["skip"] = active.skip
            rules.append(shown)
        return rules

    def _drop_ended(self) -> None:
        now = self._clock.monotonic()
        self._active = [
            active for active in self._active if active.left != 0 and (active.ends_at is None or now < active.ends_at)
        ]
