"""Driving a running stand-in from a test or another program."""

from typing import Any, Literal

import aiohttp

from localcloud.fakestore.admin import PREFIX
from localcloud.fakestore.changes import Changed, ChangeKind
from localcloud.fakestore.data import Entity, Record
from localcloud.fakestore.misbehaviour import Kind


class FakeStoreAdminError(Exception):
    """The stand-in refused a request; the message is its sentence, `status` its HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class FakeStoreAdmin:
    """The admin routes of the stand-in at `base_url`, over a session that the caller owns.

    Methods raise FakeStoreAdminError when the stand-in refuses, aiohttp's errors when it can't be reached.
    """

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = session

    async def put(self, entity: Entity, record: Record) -> Record:
        """Create or replace a record, stored as given; without an id it gets the next one. Answers it."""
        return await self._ask("POST", entity, record)

    async def patch(self, entity: Entity, record_id: int, **fields: Any) -> Record:
        """Replace top-level fields of a record; answer the whole record."""
        return await self._ask("PATCH", f"{entity}/{record_id}", fields)

    async def delete(self, entity: Entity, record_id: int) -> Record:
        """Remove a record; answer what it was."""
        return await self._ask("DELETE", f"{entity}/{record_id}")

    async def change(self, carts: int, kinds: list[ChangeKind] | None = None) -> Changed:
        """Make random changes to so many different carts now; answer their ids by kind."""
        body: dict[str, Any] = {"carts": carts}
        if kinds is not None:
            body["kinds"] = kinds
        return Changed(**await self._ask("POST", "change", body))

    async def misbehave(
        self,
        kind: Kind,
        *,
        routes: str = "*",
        count: int | None = None,
        seconds: float | None = None,
        ratio: float = 1.0,
        skip: int = 0,
        **parameters: Any,
    ) -> None:
        """Make answers go wrong; see `misbehaviour.Misbehaviour` for kinds and parameters."""
        limits = {"routes": routes, "count": count, "seconds": seconds, "ratio": ratio, "skip": skip}
        await self._ask("POST", "misbehave", {"kind": kind, **limits, **parameters})

    async def behave(self) -> None:
        """Take all misbehaviours away."""
        await self._ask("DELETE", "misbehave")

    async def settings(
        self,
        *,
        change_rate: float | None = None,
        etags: bool | None = None,
        unknown_id: Literal["null", "empty"] | None = None,
    ) -> dict[str, Any]:
        """Change what is given, leave the rest; answer all settings."""
        body = {"change_rate": change_rate, "etags": etags, "unknown_id": unknown_id}
        return await self._ask("POST", "settings", body)

    async def state(self) -> dict[str, Any]:
        """Return counts, changes, requests, misbehaviours and settings; see `Shop.state`."""
        return await self._ask("GET", "state")

    async def reset(self) -> None:
        """Bring back the state that the stand-in was started with."""
        await self._ask("POST", "reset")

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        async with self._session.request(method, f"{self.base_url}{PREFIX}/{path}", json=body) as response:
            answer: dict[str, Any] = await response.json()
        if not response.ok:
            raise FakeStoreAdminError(response.status, str(answer.get("error", response.reason)))
        return answer
