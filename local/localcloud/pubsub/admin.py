"""The admin routes, for tests and for whoever wants to see inside: faults and counts, in JSON.

`GET /stats`, `GET /faults`, `POST /faults` (see `Faults.set`), `DELETE /faults`.
"""

from typing import Any

from aiohttp import web

from localcloud.pubsub.broker import Broker
from localcloud.pubsub.faults import Faults


def stats(broker: Broker) -> dict[str, Any]:
    """Return the counts of every topic and subscription. No content of a message is in it."""
    return {
        "topics": {
            topic.name: {"published": topic.published, "retained": topic.retained_count}
            for topic in broker.topics.values()
        },
        "subscriptions": {
            subscription.name: subscription.backlog.counts()._asdict() for subscription in broker.subscriptions.values()
        },
    }


class Admin:
    """The routes on one broker and its faults."""

    def __init__(self, broker: Broker, faults: Faults) -> None:
        self._broker = broker
        self._faults = faults

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application()
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/faults", self._get)
        app.router.add_post("/faults", self._post)
        app.router.add_delete("/faults", self._delete)
        return app

    async def _stats(self, _request: web.Request) -> web.Response:
        return web.json_response(stats(self._broker))

    async def _get(self, _request: web.Request) -> web.Response:
        return web.json_response(self._faults.shown())

    async def _post(self, request: web.Request) -> web.Response:
        try:
            changes = await request.json()
            self._faults.set(changes if isinstance(changes, dict) else {"the body": changes})
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(self._faults.shown())

    async def _delete(self, _request: web.Request) -> web.Response:
        return web.json_response(self._faults.reset().shown())
