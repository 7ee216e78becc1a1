"""Sending an answer: at once when small, in chunks when big, and all the ways in which it goes wrong."""

import asyncio
import socket
import struct
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import chain

from aiohttp import web

from dataplatform.clock import Clock
from localcloud.fakestore.answers import Answer
from localcloud.fakestore.distort import distorted
from localcloud.fakestore.misbehaviour import Misbehaviour

WHOLE_MAX_BYTES = 262_144
"""A body up to this size is sent with its Content-Length; a bigger one is streamed."""

JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}


async def deliver(
    request: web.Request, answer: Answer, headers: Mapping[str, str], rule: Misbehaviour | None, clock: Clock
) -> web.StreamResponse:
    """Send the answer, well or as `rule` says. Memory does not grow with the size of the answer."""
    headers = {**headers, **JSON_TYPE}
    try:
        if rule is None:
            return await _send(request, answer.pieces(), headers)
        return await _misbehave(request, answer, headers, rule, clock)
    except ConnectionResetError:
        # The client has left, which is its right; nobody is there to be told.
        return web.Response()


async def _misbehave(  # noqa: PLR0911 (one return a kind reads best)
    request: web.Request, answer: Answer, headers: Mapping[str, str], rule: Misbehaviour, clock: Clock
) -> web.StreamResponse:
    # Where the content is spoilt, no validator may vouch for it: those answers go without `headers`.
    match rule.kind:
        case "status":
            return _failure(rule)
        case "empty_body":
            return web.Response(body=b"", headers=JSON_TYPE)
        case "null":
            return web.Response(body=b"null", headers=JSON_TYPE)
        case "reset" if rule.after_bytes == 0:
            return _reset(request)
        case "reset":
            return await _broken_off(request, answer.pieces(), headers, rule.after_bytes)
        case "drip":
            return await _drip(request, answer.pieces(), headers, rule, clock)
        case "hang":
            await _hang(rule, clock)
            return await _send(request, answer.pieces(), headers)
        case "stall":
            return await _stall(request, answer.pieces(), headers, rule, clock)
        case _:
            return await _send(request, distorted(answer, rule).pieces(), JSON_TYPE)


async def _send(request: web.Request, pieces: Iterator[bytes], headers: Mapping[str, str]) -> web.StreamResponse:
    head = bytearray()
    for piece in pieces:
        head += piece
        if len(head) > WHOLE_MAX_BYTES:
            break
        await asyncio.sleep(0)
    else:
        return web.Response(body=bytes(head), headers=headers)
    response = web.StreamResponse(headers=headers)
    return await _stream(request, response, chain([bytes(head)], pieces))


async def _stream(request: web.Request, response: web.StreamResponse, pieces: Iterator[bytes]) -> web.StreamResponse:
    await response.prepare(request)
    for piece in pieces:
        if piece:
            await response.write(piece)
        await asyncio.sleep(0)
    await response.write_eof()
    return response


def _failure(rule: Misbehaviour) -> web.Response:
    known = {status.value: status.phrase for status in HTTPStatus}
    phrase = known.get(rule.status, "Connection timed out" if rule.status == 522 else "Failure")
    headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
    # As from the proxy in front of the real service: a page, not JSON.
    page = f"<html><head><title>{rule.status} {phrase}</title></head><body><h1>{phrase}</h1></body></html>"
    return web.Response(status=rule.status, reason=phrase, text=page, content_type="text/html", headers=headers)


async def _hang(rule: Misbehaviour, clock: Clock) -> None:
    """Wait for the rule's time, or until the client leaves or the server ends: both cancel the handler."""
    if rule.hang_seconds is None:
        await asyncio.get_running_loop().create_future()
    else:
        await clock.sleep(rule.hang_seconds)


async def _stall(
    request: web.Request,
    pieces: Iterator[bytes],
    headers: Mapping[str, str],
    rule: Misbehaviour,
    clock: Clock,
) -> web.StreamResponse:
    """Send half of the first piece of the body, hang, then send the rest."""
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    first = next(filter(None, pieces), b"")
    middle = len(first) // 2
    await response.write(first[:middle])
    await _hang(rule, clock)
    return await _stream(request, response, chain([first[middle:]], pieces))


async def _drip(
    request: web.Request,
    pieces: Iterator[bytes],
    headers: Mapping[str, str],
    rule: Misbehaviour,
    clock: Clock,
) -> web.StreamResponse:
    """Send the body a few bytes at a time, with a pause after each."""
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for piece in pieces:
        for start in range(0, len(piece), rule.chunk_bytes):
            await response.write(piece[start : start + rule.chunk_bytes])
            await clock.sleep(rule.delay_seconds)
    await response.write_eof()
    return response


async def _broken_off(
    request: web.Request, pieces: Iterator[bytes], headers: Mapping[str, str], after_bytes: int
) -> web.StreamResponse:
    """Close the connection after so many bytes of the body, before the body says that it is complete."""
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(request)
    left = after_bytes
    for piece in pieces:
        await response.write(piece[:left])
        left -= len(piece)
        if left <= 0:
            break
    if request.transport is not None:
        request.transport.close()
    return response


def _reset(request: web.Request) -> web.Response:
    """End the connection with a TCP reset, as a crashed peer does."""
    transport = request.transport
    if transport is not None:
        peer = transport.get_extra_info("socket")
        # Without lingering, close sends RST in place of FIN.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
