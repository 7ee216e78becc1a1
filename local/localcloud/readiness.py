"""Real requests that tell whether a server serves: a probe returns when it does, and raises NotReadyError when not."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import grpc

PROBE_TIMEOUT_SECONDS = 5.0

type Probe = Callable[[], Awaitable[None]]


class NotReadyError(Exception):
    """The server did not answer as it should; the message says how it answered."""


def source(port: int) -> Probe:
    """Ask the shop for one product. An answer of any status will do: the shop may be told to misbehave."""

    async def probe() -> None:
        await _request("GET", f"http://127.0.0.1:{port}/products?limit=1", expected=range(200, 600))

    return probe


def storage(port: int, project: str) -> Probe:
    """List the buckets."""

    async def probe() -> None:
        await _request("GET", f"http://127.0.0.1:{port}/storage/v1/b?project={project}")

    return probe


def pubsub(port: int, rest_port: int, project: str) -> Probe:
    """List the topics, through gRPC and through REST."""

    async def probe() -> None:
        resource = f"projects/{project}".encode()
        # ListTopicsRequest with its first field, `project`, set: a string.
        request = bytes([0x0A, len(resource)]) + resource
        await _call(port, "/google.pubsub.v1.Publisher/ListTopics", request, grpc.StatusCode.OK)
        await _request("GET", f"http://127.0.0.1:{rest_port}/v1/projects/{project}/topics")

    return probe


def bigquery(port: int, grpc_port: int, project: str) -> Probe:
    """Run a query, and ask the Storage API for a stream that does not exist."""

    async def probe() -> None:
        answer = await _request(
            "POST",
            f"http://127.0.0.1:{port}/bigquery/v2/projects/{project}/queries",
            body={"query": "SELECT 1", "useLegacySql": False},
        )
        if not json.loads(answer).get("jobComplete"):
            raise NotReadyError("a query did not complete")
        name = b"projects/p/datasets/d/tables/t/streams/none"
        await _call(
            grpc_port,
            "/google.cloud.bigquery.storage.v1.BigQueryWrite/GetWriteStream",
            bytes([0x0A, len(name)]) + name,
            grpc.StatusCode.INVALID_ARGUMENT,
        )

    return probe


async def _request(method: str, url: str, *, body: Any = None, expected: range = range(200, 300)) -> bytes:
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": "ey-data-platform"}) as session,
            session.request(method, url, json=body) as response,
        ):
            if response.status not in expected:
                raise NotReadyError(f"{url} answered {response.status}")
            return await response.read()
    except TimeoutError as error:
        raise NotReadyError(f"{url} did not answer within {PROBE_TIMEOUT_SECONDS:g} s") from error
    except aiohttp.ClientError as error:
        raise NotReadyError(f"{url}: {error}") from error


async def _call(port: int, method: str, request: bytes, expected: grpc.StatusCode) -> None:
    # The synchronous client in a thread: grpc.aio binds itself to one event loop, and tests use many.
    code = await asyncio.to_thread(_status, port, method, request)
    if code is not expected:
        raise NotReadyError(f"gRPC on port {port} answered {code.name}")


def _status(port: int, method: str, request: bytes) -> grpc.StatusCode:
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(method)(request, timeout=PROBE_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK
