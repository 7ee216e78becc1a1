"""No secret gets past here: a record without any field whose name speaks of a password, however deep it lies."""

from typing import Any

from dataplatform.models import without_secrets

#: BigQuery takes JSON of 500 levels; no record of the shop has more than four.
MAX_DEPTH = 100


class TooDeepError(Exception):
    """A value is nested deeper than `MAX_DEPTH` and was not searched to its end."""


def scrubbed(value: Any, depth: int = 0) -> Any:
    """Return a JSON value in which no object, at any depth, has a secret. What holds none is equal to what came.

    Raises:
        TooDeepError: the value is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise TooDeepError
    if isinstance(value, dict):
        return {
            name: scrubbed(item, depth + 1) if isinstance(item, dict | list) else item
            for name, item in without_secrets(value).items()
        }
    if isinstance(value, list):
        return [scrubbed(item, depth + 1) for item in value]
    return value
