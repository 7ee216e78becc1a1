"""The public routes of the shop, with the parameters and quirks of the real service."""

import json
import re
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from aiohttp import web

from localcloud.fakestore import query
from localcloud.fakestore.answers import Answer
from localcloud.fakestore.data import ENTITIES, Entity, compact
from localcloud.fakestore.deliver import deliver
from localcloud.fakestore.generate import END_DAY
from localcloud.fakestore.shop import Shop
from localcloud.fakestore.store import BLOCK

_INTEGER = re.compile(r"-?[0-9]{1,1000}")
_CATEGORY = re.compile(rb'"category":("(?:[^"\\]|\\.)*")')


class PublicRoutes:
    """Handlers over one shop; `add_to` puts them into an application."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def add_to(self, app: web.Application) -> None:
        """Add every public route."""
        router = app.router
        router.add_get("/products/categories", self._categories, allow_head=False)
        router.add_get("/products/category/{name}", self._category, allow_head=False)
        router.add_get("/carts/user/{user}", self._carts_of_user, allow_head=False)
        for entity in ENTITIES:
            router.add_get(f"/{entity}", self._all, allow_head=False)
            router.add_get(f"/{entity}/{{id}}", self._one, allow_head=False)
            router.add_post(f"/{entity}", self._pretend_to_write)
            for method in ("PUT", "PATCH", "DELETE"):
                router.add_route(method, f"/{entity}/{{id}}", self._pretend_to_write)

    async def _all(self, request: web.Request) -> web.StreamResponse:
        entity = _entity(request)
        collection = self._shop.collections[entity]
        keep: query.Keep | None = None
        asked = False
        if entity == "carts":
            now = self._shop.clock.now()
            dates = query.dates(request.query, now)
            asked = dates.asked
            # Generated carts lie between fixed days: with no range asked for, only written ones can be later.
            if asked or collection.has_written or now < END_DAY:
                keep = dates.keeps
        return await self._listed(
            request,
            entity,
            keep,
            query.limit(request.query),
            query.descending(request.query),
            with_tag=not asked,
        )

    async def _one(self, request: web.Request) -> web.StreamResponse:
        entity = _entity(request)
        record = self._shop.collections[entity].get(_id(request, "id", entity))
        if record is None:
            body = b"null" if self._shop.settings.unknown_id == "null" else b""
            return await self._respond(request, Answer.of_record(body), None)
        return await self._respond(request, Answer.of_record(record), entity)

    async def _categories(self, request: web.Request) -> web.StreamResponse:
        found: set[bytes] = set()
        for block in self._shop.collections["products"].blocks():
            found.update(match[1] for record in block if (match := _CATEGORY.search(record)))
        names = sorted(json.loads(name) for name in found)
        return await self._respond(request, Answer.of_other(compact(names)), "products")

    async def _category(self, request: web.Request) -> web.StreamResponse:
        needle = b'"category":' + compact(request.match_info["name"])
        return await self._listed(
            request,
            "products",
            lambda record: needle in record,
            query.limit(request.query),
            query.descending(request.query),
        )

    async def _carts_of_user(self, request: web.Request) -> web.StreamResponse:
        user = _id(request, "user", "users")
        dates = query.dates(request.query, self._shop.clock.now())
        needles = b'"userId":%d,' % user, b'"userId":%d}' % user

        def keep(record: bytes) -> bool:
            return (needles[0] in record or needles[1] in record) and dates.keeps(record)

        # The real service knows neither limit nor sort here.
        return await self._listed(request, "carts", keep, None, descending=False, with_tag=not dates.asked)

    async def _pretend_to_write(self, request: web.Request) -> web.StreamResponse:
        """Answer as if the write had been done; the real service stores nothing."""
        entity = _entity(request)
        collection = self._shop.collections[entity]
        record_id = _id(request, "id", entity) if "id" in request.match_info else collection.next_id
        if request.method == "DELETE":
            return await self._respond(request, Answer.of_record(collection.get(record_id) or b"null"), None)
        try:
            body: Any = json.loads(await request.read() or b"{}")
            echo = compact({**body, "id": record_id})
        except (ValueError, TypeError, RecursionError) as error:
            raise query.BadQueryError("the body should be a JSON object") from error
        return await self._respond(request, Answer.of_record(echo), None)

    async def _listed(
        self,
        request: web.Request,
        entity: Entity,
        keep: query.Keep | None,
        most: int | None,
        descending: bool,
        *,
        with_tag: bool = True,
    ) -> web.StreamResponse:
        collection = self._shop.collections[entity]
        blocks = query.selected(collection.blocks(descending=descending), keep, most)
        total: int | None = None
        if collection.count <= BLOCK:
            records = [record for block in blocks for record in block]
            blocks, total = iter([records]), len(records)
        elif keep is None:
            total = collection.count if most is None else min(most, collection.count)
        return await self._respond(request, Answer.of_list(blocks, total), entity if with_tag else None)

    async def _respond(self, request: web.Request, answer: Answer, entity: Entity | None) -> web.StreamResponse:
        """Send the answer, or what an active rule makes of it; 304 when the client has this very content.

        `entity` is what the content depends on alone; None when it depends on more, such as the time.
        """
        rule = self._shop.misbehaviours.decide(request.path, answer.shape)
        headers = self._validators(request, entity) if entity and self._shop.settings.etags else {}
        if rule is None and _unchanged(request, headers):
            return web.Response(status=304, headers=headers)
        return await deliver(request, answer, headers, rule, self._shop.clock)

    def _validators(self, request: web.Request, entity: Entity) -> dict[str, str]:
        headers = {"ETag": f'"{self._shop.tag(entity)}-{zlib.crc32(request.path_qs.encode()):08x}"'}
        changed_at = self._shop.changed_at(entity)
        # A date of whole seconds says nothing about a change later in its own second.
        if self._shop.clock.now() - changed_at >= timedelta(seconds=1):
            headers["Last-Modified"] = format_datetime(_next_second(changed_at), usegmt=True)
        return headers


def add_not_found(app: web.Application) -> None:
    """Answer any other path as the real service does. To be added last."""

    async def not_found(request: web.Request) -> web.StreamResponse:
        text = f"Cannot {request.method} {request.path}"
        return web.Response(status=404, text=text, content_type="text/plain")

    app.router.add_route("*", "/{path:.*}", not_found)


def _entity(request: web.Request) -> Entity:
    name = request.path.split("/", 2)[1]
    return next(entity for entity in ENTITIES if entity == name)


def _id(request: web.Request, part: str, entity: Entity) -> int:
    text = request.match_info[part]
    if not _INTEGER.fullmatch(text):
        raise query.BadQueryError(f"{entity.removesuffix('s')} id should be an integer")
    return int(text)


def _next_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)


def _unchanged(request: web.Request, headers: dict[str, str]) -> bool:
    tag = headers.get("ETag")
    if tag is None:
        return False
    known = request.headers.get("If-None-Match")
    if known is not None:
        return any(part.strip().removeprefix("W/") in {tag, "*"} for part in known.split(","))
    since = request.headers.get("If-Modified-Since")
    if since is None or "Last-Modified" not in headers:
        return False
    try:
        return parsedate_to_datetime(headers["Last-Modified"]) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        # A date that nobody can read asks for the whole answer (RFC 9110, section 13.1.3).
        return False
