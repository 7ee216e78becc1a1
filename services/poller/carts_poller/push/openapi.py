"""The OpenAPI description, made of the tables that the handler works by. Pure."""

from itertools import groupby
from typing import Any

from carts_poller.push.problem import MAX_LISTED, PROBLEM_TYPE, Code
from carts_poller.push.settings import PushSettings
from carts_poller.push.signature import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from dataplatform.models import CART

EVENTS_PATH = "/v1/carts/events"
OPENAPI_PATH = "/v1/openapi.json"

_CART_EXAMPLE = {
    "id": 5,
    "userId": 3,
    "date": "2026-11-24T12:00:00.000Z",
    "products": [{"productId": 7, "quantity": 1}],
}
_DELETION: dict[str, Any] = {
    "type": "object",
    "description": "The cart is gone.",
    "properties": {
        "id": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
        "deleted": {"const": True},
    },
    "required": ["id", "deleted"],
    "additionalProperties": False,
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": [code.word for code in Code]},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "bad_records": {"type": "integer", "minimum": 1, "description": "How many there are."},
        "records": {
            "type": "array",
            "maxItems": MAX_LISTED,
            "description": "The first of the bad records.",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer", "minimum": 0, "description": "Place among the records, from 0."},
                    "reason": {"type": "string"},
                    "detail": {"type": "string", "description": "A sentence that quotes no value."},
                },
                "required": ["index", "reason", "detail"],
            },
        },
    },
    "required": ["status", "code", "title", "detail"],
}


def described(settings: PushSettings) -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Push of carts",
            "version": "1",
            "description": "Takes carts as they are now, one or many, and answers when they are safe.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {EVENTS_PATH: {"post": _post(settings)}, OPENAPI_PATH: {"get": _get()}},
        "components": {"schemas": _schemas()},
    }


def _schemas() -> dict[str, Any]:
    cart = CART.json_schema(ref_template="#/components/schemas/{model}")
    found: dict[str, Any] = cart.pop("$defs", {})
    # The smallest and largest moment are limits of BigQuery that JSON Schema has no words for.
    cart["properties"]["date"] = {"type": "string", "format": "date-time", "pattern": "^[0-9]{4}-"}
    cart["example"] = _CART_EXAMPLE
    found["Cart"] = cart
    found["Deletion"] = _DELETION
    found["Record"] = {"anyOf": [{"$ref": "#/components/schemas/Cart"}, {"$ref": "#/components/schemas/Deletion"}]}
    found["Problem"] = _PROBLEM
    return found


def _post(settings: PushSettings) -> dict[str, Any]:
    record = {"$ref": "#/components/schemas/Record"}
    many = {"type": "array", "items": record, "minItems": 1, "maxItems": settings.max_records}
    return {
        "operationId": "pushCarts",
        "summary": "Push carts",
        "description": f"A body may have {settings.max_body_bytes} bytes. All records are taken, or none.",
        "parameters": [
            _header(TIMESTAMP_HEADER, "Unix seconds of the signature.", "^[1-9][0-9]{0,11}$", required=True),
            _header(
                SIGNATURE_HEADER,
                "`v1=` and the hexadecimal HMAC-SHA256 of timestamp, a dot and the body.",
                "^v1=[0-9a-f]{64}$",
                required=True,
            ),
            _header(
                IDEMPOTENCY_HEADER,
                "Makes it harmless to send the same body again: a text that no other body gets.",
                "^[!-~]{1,200}$",
                required=False,
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": [record, many]}, "example": _CART_EXAMPLE},
                "application/x-ndjson": {
                    "schema": {"type": "string", "description": "A record on each line."},
                },
            },
        },
        "responses": _responses(),
    }


def _responses() -> dict[str, Any]:
    taken = {
        "type": "object",
        "properties": {"accepted": {"type": "integer", "minimum": 1}},
        "required": ["accepted"],
        "additionalProperties": False,
    }
    found: dict[str, Any] = {
        "202": {"description": "All records are safe.", "content": {"application/json": {"schema": taken}}}
    }
    for status, codes in groupby(Code, lambda code: code.status):
        answer: dict[str, Any] = {
            "description": " ".join(f"`{code.word}`: {code.title}." for code in codes),
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        if status in {429, 503}:
            answer["headers"] = {
                "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait."}
            }
        found[str(status)] = answer
    return found


def _get() -> dict[str, Any]:
    return {
        "operationId": "describe",
        "summary": "This description",
        "responses": {
            "200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}}
        },
    }


def _header(name: str, description: str, pattern: str, *, required: bool) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}
