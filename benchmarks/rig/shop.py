"""A shop with any number of carts for the poller's benchmark: it writes its answer while it sends it.

    python benchmarks/rig/shop.py       prints its port

`POST /change` with `{"carts": 1000, "percent": 1}` sets how many carts there are and changes so many of them.
"""

import asyncio
from collections.abc import Iterator

from aiohttp import web

_AT_ONCE = 2_000


class Shop:
    """Carts with three lines each; a cart's quantities tell how often it was changed."""

    def __init__(self) -> None:
        self.revisions: list[int] = []

    async def change(self, request: web.Request) -> web.Response:
        """Set the number of carts and change a share of them."""
        asked = await request.json()
        self.revisions += [0] * (asked["carts"] - len(self.revisions))
        for number in range(len(self.revisions)):
            if number % 100 < asked["percent"]:
                self.revisions[number] += 1
        return web.json_response({})

    async def carts(self, request: web.Request) -> web.StreamResponse:
        """Answer with all carts."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        first = b"["
        for some in self._texts():
            await response.write(first + some)
            first = b","
        await response.write(b"]")
        return response

    def _texts(self) -> Iterator[bytes]:
        for start in range(0, len(self.revisions), _AT_ONCE):
            texts = [
                f'{{"id":{start + at + 1},"userId":{(start + at) % 9_000 + 1},"date":"2026-11-24T00:00:00.000Z",'
                f'"products":[{{"productId":{at % 20 + 1},"quantity":{revision + 1}}},'
                f'{{"productId":21,"quantity":2}},{{"productId":22,"quantity":1}}],"__v":0}}'
                for at, revision in enumerate(self.revisions[start : start + _AT_ONCE])
            ]
            yield ",".join(texts).encode()


async def main() -> None:
    """Serve on a free port of the loopback until standard input ends."""
    shop = Shop()
    app = web.Application()
    app.router.add_get("/carts", shop.carts)
    app.router.add_post("/change", shop.change)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
