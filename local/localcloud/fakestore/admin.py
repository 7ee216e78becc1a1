"""The admin routes under `/_admin`: they change the shop, make it misbehave and tell its state."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from localcloud.fakestore.changes import CYCLE, ChangeKind
from localcloud.fakestore.data import ENTITIES, Entity, Record, compact
from localcloud.fakestore.misbehaviour import Misbehaviour
from localcloud.fakestore.options import UnknownIdBody
from localcloud.fakestore.shop import Shop

PREFIX = "/_admin"

_CHECKED = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass
class AdminError(Exception):
    """What an admin asked for can't be done; the sentence says why."""

    status: int
    sentence: str


class ChangeRequest(BaseModel):
    """Body of `POST /_admin/change`: how many carts to change, and the kinds of change to take in turn."""

    model_config = _CHECKED

    carts: Annotated[int, Field(ge=0, le=10_000_000)]
    kinds: Annotated[list[ChangeKind], Field(min_length=1)] = list(CYCLE)


class SettingsRequest(BaseModel):
    """Body of `POST /_admin/settings`: what is named is changed, the rest stays."""

    model_config = _CHECKED

    change_rate: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    etags: bool | None = None
    unknown_id: UnknownIdBody | None = None


class AdminRoutes:
    """Handlers over one shop; `add_to` puts them into an application."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def add_to(self, app: web.Application) -> None:
        """Add every admin route."""
        router = app.router
        router.add_get(f"{PREFIX}/state", self._state)
        router.add_post(f"{PREFIX}/reset", self._reset)
        router.add_post(f"{PREFIX}/change", self._change)
        router.add_post(f"{PREFIX}/settings", self._settings)
        router.add_post(f"{PREFIX}/misbehave", self._misbehave)
        router.add_delete(f"{PREFIX}/misbehave", self._behave)
        for entity in ENTITIES:
            router.add_post(f"{PREFIX}/{entity}", self._put)
            router.add_patch(f"{PREFIX}/{entity}/{{id}}", self._patch)
            router.add_delete(f"{PREFIX}/{entity}/{{id}}", self._delete)

    async def _state(self, _request: web.Request) -> web.Response:
        return _answer(self._shop.state())

    async def _reset(self, _request: web.Request) -> web.Response:
        self._shop.reset()
        return _answer(self._shop.state())

    async def _change(self, request: web.Request) -> web.Response:
        asked = _checked(ChangeRequest, await _object(request))
        return _answer(asdict(self._shop.change_carts(asked.carts, tuple(asked.kinds))))

    async def _settings(self, request: web.Request) -> web.Response:
        asked = _checked(SettingsRequest, await _object(request))
        for name, value in asked.model_dump(exclude_none=True).items():
            setattr(self._shop.settings, name, value)
        return _answer(asdict(self._shop.settings))

    async def _misbehave(self, request: web.Request) -> web.Response:
        rule = _checked(Misbehaviour, await _object(request))
        self._shop.misbehaviours.add(rule)
        return _answer(rule.model_dump(exclude_unset=True))

    async def _behave(self, _request: web.Request) -> web.Response:
        self._shop.misbehaviours.clear()
        return _answer({})

    async def _put(self, request: web.Request) -> web.Response:
        """Store the record as it is given; without an id it gets the next one."""
        entity = _entity(request)
        given = await _object(request)
        record_id = given.get("id", self._shop.collections[entity].next_id)
        if type(record_id) is not int or record_id < 1:
            raise AdminError(400, f"id should be a positive integer, not {record_id!r}.")
        return self._store(entity, record_id, {"id": record_id, **given})

    async def _patch(self, request: web.Request) -> web.Response:
        """Replace the top-level fields that are given; the others stay."""
        entity, record_id = _entity(request), _id(request)
        given = await _object(request)
        if given.get("id", record_id) != record_id:
            raise AdminError(400, "An id can't be changed.")
        present = self._shop.collections[entity].get(record_id)
        if present is None:
            raise _unknown(entity, record_id)
        return self._store(entity, record_id, {**json.loads(present), **given})

    async def _delete(self, request: web.Request) -> web.Response:
        entity, record_id = _entity(request), _id(request)
        removed = self._shop.delete(entity, record_id)
        if removed is None:
            raise _unknown(entity, record_id)
        return web.Response(body=removed, content_type="application/json")

    def _store(self, entity: Entity, record_id: int, record: Record) -> web.Response:
        try:
            serialised = compact(record)
        except ValueError as error:
            raise AdminError(400, "The record holds a number or a text that JSON can't carry.") from error
        self._shop.put(entity, record_id, serialised)
        return web.Response(body=serialised, content_type="application/json")


def _answer(value: Any) -> web.Response:
    return web.Response(body=compact(value), content_type="application/json")


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        value: Any = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise AdminError(400, "The body is not JSON.") from error
    if not isinstance(value, dict):
        raise AdminError(400, "The body is not a JSON object.")
    return value


def _checked[Model: BaseModel](model: type[Model], value: dict[str, Any]) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "The body"
        reason = first["msg"].removeprefix("Value error, ")
        raise AdminError(400, f"{where}: {reason}.") from error


def _entity(request: web.Request) -> Entity:
    name = request.path.split("/", 3)[2]
    return next(entity for entity in ENTITIES if entity == name)


def _id(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise AdminError(400, f"id should be a positive integer, not {text!r}.")
    return int(text)


def _unknown(entity: Entity, record_id: int) -> AdminError:
    return AdminError(404, f"There is no {entity.removesuffix('s')} {record_id}.")
