"""Why a record was refused: pydantic's many error types as the few reasons that tables and metrics carry.

Every program that validates uses it, so that one fault has one reason wherever it is met.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

Fault = Literal["not_json", "missing_field", "wrong_type", "wrong_value", "out_of_range"]

_RANGES = (
    "greater_than",
    "less_than",
    "too_long",
    "string_too_long",
    "decimal_max",
    "decimal_whole",
    "int_parsing_size",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first thing that is wrong: where, as a dotted path, why, and a sentence that quotes no value."""

    where: str
    fault: Fault
    detail: str


def refusal(error: ValidationError) -> Refusal:
    """Return what a person and a metric are told of an error. The input is left out: it may hold a secret."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return Refusal(where, _fault(first["type"]), f"{where}: {first['msg']}" if where else first["msg"])


def _fault(kind: str) -> Fault:
    if kind.startswith("json_"):
        return "not_json"
    if kind == "missing":
        return "missing_field"
    if kind.endswith("_type") or kind in {"int_from_float", "decimal_parsing"}:
        return "wrong_type"
    return "out_of_range" if kind.startswith(_RANGES) else "wrong_value"
