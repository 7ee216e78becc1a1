"""The outcomes of a call that failed, with the service's own status codes and sentences."""

from collections.abc import Mapping
from enum import Enum


class Code(Enum):
    """A canonical status code: its gRPC number and its HTTP status."""

    INVALID_ARGUMENT = (3, 400)
    DEADLINE_EXCEEDED = (4, 504)
    NOT_FOUND = (5, 404)
    ALREADY_EXISTS = (6, 409)
    PERMISSION_DENIED = (7, 403)
    RESOURCE_EXHAUSTED = (8, 429)
    FAILED_PRECONDITION = (9, 400)
    ABORTED = (10, 409)
    OUT_OF_RANGE = (11, 400)
    UNIMPLEMENTED = (12, 501)
    INTERNAL = (13, 500)
    UNAVAILABLE = (14, 503)

    @property
    def number(self) -> int:
        """The number of the code in gRPC."""
        return self.value[0]

    @property
    def http_status(self) -> int:
        """The HTTP status that the REST API answers with."""
        return self.value[1]


class PubsubError(Exception):
    """A call is refused: `code` says how, the text says why.

    `ack_errors` maps an ack id to the reason of its failure. It is filled only for subscriptions with
    exactly-once delivery, whose clients read it from the status details.
    """

    def __init__(self, code: Code, message: str, ack_errors: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.ack_errors = ack_errors or {}


def invalid(message: str) -> PubsubError:
    """Build the error for a request that can never succeed."""
    return PubsubError(Code.INVALID_ARGUMENT, message)


def not_found(name: str) -> PubsubError:
    """Build the error for a resource that does not exist."""
    return PubsubError(Code.NOT_FOUND, f"Resource not found (resource={name.rsplit('/', 1)[-1]}).")


def already_exists(name: str) -> PubsubError:
    """Build the error for a resource that exists already."""
    short = name.rsplit("/", 1)[-1]
    return PubsubError(Code.ALREADY_EXISTS, f"Resource already exists in the project (resource={short}).")


def unsupported(what: str) -> PubsubError:
    """Build the error for a part of the service that the emulator does not have."""
    return PubsubError(Code.UNIMPLEMENTED, f"The local Pub/Sub emulator does not support {what}.")


def out_of_bounds(field: str, given: object, low: object, high: object) -> PubsubError:
    """Build the error for a number or a duration outside its range."""
    return invalid(
        f"The value for {field} is out of bounds. You passed {given} in the request, "
        f"but the value must be between {low} and {high}."
    )
