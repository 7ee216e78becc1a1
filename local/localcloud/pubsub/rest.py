"""The REST edge: the v1 routes that `gcloud` and `curl` use, in JSON, on the same methods."""

import re
from typing import Any

from aiohttp import web
from google.protobuf import json_format

from localcloud.pubsub.errors import Code, PubsubError, invalid
from localcloud.pubsub.protos import Proto, PullResponse
from localcloud.pubsub.rpcs import Rpc

_MAX_BODY_BYTES = 32 * 1024 * 1024
_TOPIC = r"projects/[^/:]+/topics/[^/:]+"
_SUBSCRIPTION = r"projects/[^/:]+/subscriptions/[^/:]+"
_SNAPSHOT = r"projects/[^/:]+/snapshots/[^/:]+"
_PROJECT = r"projects/[^/:]+"
_ANY = f"{_TOPIC}|{_SUBSCRIPTION}|{_SNAPSHOT}"

# Method, path below /v1/ (its group is a resource name), the field that takes the name, and the RPC.
_ROUTES = [
    ("PUT", f"({_TOPIC})", "name", "CreateTopic"),
    ("PATCH", f"({_TOPIC})", "topic.name", "UpdateTopic"),
    ("GET", f"({_TOPIC})", "topic", "GetTopic"),
    ("DELETE", f"({_TOPIC})", "topic", "DeleteTopic"),
    ("POST", f"({_TOPIC}):publish", "topic", "Publish"),
    ("GET", f"({_TOPIC})/subscriptions", "topic", "ListTopicSubscriptions"),
    ("GET", f"({_TOPIC})/snapshots", "topic", "ListTopicSnapshots"),
    ("GET", f"({_PROJECT})/topics", "project", "ListTopics"),
    ("PUT", f"({_SUBSCRIPTION})", "name", "CreateSubscription"),
    ("PATCH", f"({_SUBSCRIPTION})", "subscription.name", "UpdateSubscription"),
    ("GET", f"({_SUBSCRIPTION})", "subscription", "GetSubscription"),
    ("DELETE", f"({_SUBSCRIPTION})", "subscription", "DeleteSubscription"),
    ("POST", f"({_SUBSCRIPTION}):pull", "subscription", "Pull"),
    ("POST", f"({_SUBSCRIPTION}):acknowledge", "subscription", "Acknowledge"),
    ("POST", f"({_SUBSCRIPTION}):modifyAckDeadline", "subscription", "ModifyAckDeadline"),
    ("POST", f"({_SUBSCRIPTION}):modifyPushConfig", "subscription", "ModifyPushConfig"),
    ("POST", f"({_SUBSCRIPTION}):seek", "subscription", "Seek"),
    ("POST", f"({_SUBSCRIPTION}):detach", "subscription", "DetachSubscription"),
    ("GET", f"({_PROJECT})/subscriptions", "project", "ListSubscriptions"),
    ("PUT", f"({_SNAPSHOT})", "name", "CreateSnapshot"),
    ("PATCH", f"({_SNAPSHOT})", "snapshot.name", "UpdateSnapshot"),
    ("GET", f"({_SNAPSHOT})", "snapshot", "GetSnapshot"),
    ("DELETE", f"({_SNAPSHOT})", "snapshot", "DeleteSnapshot"),
    ("GET", f"({_PROJECT})/snapshots", "project", "ListSnapshots"),
    ("GET", f"({_ANY}):getIamPolicy", "resource", "GetIamPolicy"),
    ("POST", f"({_ANY}):setIamPolicy", "resource", "SetIamPolicy"),
    ("POST", f"({_ANY}):testIamPermissions", "resource", "TestIamPermissions"),
]
# Parameters that every Google API takes and that say nothing about the request.
_SYSTEM_PARAMETERS = (
    "alt",
    "key",
    "access_token",
    "prettyPrint",
    "fields",
    "quotaUser",
    "userProject",
    "$alt",
    "$.xgafv",
)


class RestGateway:
    """Answers HTTP requests through the table of methods."""

    def __init__(self, rpcs: dict[str, Rpc]) -> None:
        self._routes = [(method, re.compile(f"/v1/{path}"), field, rpcs[name]) for method, path, field, name in _ROUTES]

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            return await self._answer(request)
        except PubsubError as error:
            body = {"error": {"code": error.code.http_status, "message": error.message, "status": error.code.name}}
            return web.json_response(body, status=error.code.http_status)

    async def _answer(self, request: web.Request) -> web.Response:
        for method, pattern, field, rpc in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                proto = _decode(rpc, await _fields(request), field, match.group(1))
                response = await rpc.call(proto, None)
                if isinstance(response, bytes):
                    response = PullResponse.FromString(response)
                return web.json_response(json_format.MessageToDict(response))
        raise PubsubError(Code.NOT_FOUND, f"The requested URL {request.path} was not found on this server.")


async def _fields(request: web.Request) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: value
        for name, value in request.query.items()
        if name not in _SYSTEM_PARAMETERS and not name.startswith("options.")
    }
    if request.can_read_body:
        try:
            body = await request.json()
        except ValueError as error:
            raise invalid(f"Invalid JSON payload received. {error}") from error
        if not isinstance(body, dict):
            raise invalid("Invalid JSON payload received. The root must be an object.")
        fields.update(body)
    return fields


def _decode(rpc: Rpc, fields: dict[str, Any], field: str, name: str) -> Proto:
    outer, dot, inner = field.partition(".")
    if dot:
        nested = fields.setdefault(outer, {})
        if not isinstance(nested, dict):
            raise invalid(f"Invalid JSON payload received. {outer} must be an object.")
        nested[inner] = name
    else:
        fields[outer] = name
    try:
        return json_format.ParseDict(fields, rpc.request())
    except json_format.ParseError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
