"""The gRPC edge: the table of methods on a `grpc.aio` server, errors as statuses."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from localcloud.pubsub.errors import PubsubError, invalid
from localcloud.pubsub.protos import Proto
from localcloud.pubsub.rpcs import SUBSCRIBER, Rpc
from localcloud.pubsub.streaming import StreamingPull

_OPTIONS = [
    # The service's own limits are checked, with the service's own sentences.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    # A second emulator on a taken port must fail, not share it.
    ("grpc.so_reuseport", 0),
    # Google's clients send keepalive pings on idle streams, which the default server punishes by closing the
    # connection.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
]


class GrpcServer:
    """Serves the methods on one address until `stop`."""

    def __init__(self, rpcs: dict[str, Rpc], streaming: StreamingPull) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        methods: dict[str, dict[str, Any]] = {}
        for rpc in rpcs.values():
            methods.setdefault(rpc.service, {})[rpc.name] = grpc.unary_unary_rpc_method_handler(
                _unary(rpc), _decoder(rpc.request), _serialise
            )
        methods[SUBSCRIBER]["StreamingPull"] = grpc.stream_stream_rpc_method_handler(_stream(streaming))
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, handlers) for service, handlers in methods.items()]
        )

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (chosen by the system when 0 was given).

        Raises:
            OSError: the address can't be bound.
        """
        try:
            chosen = int(self._server.add_insecure_port(f"{host}:{port}"))
        except RuntimeError as error:
            raise OSError(f"{host}:{port} is taken or can't be bound") from error
        await self._server.start()
        return chosen

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, give running ones some time, then end them."""
        await self._server.stop(grace_seconds)


def _serialise(response: Proto | bytes) -> bytes:
    return response if isinstance(response, bytes) else bytes(response.SerializeToString())


def _decoder(request: Any) -> Callable[[bytes], Proto | None]:
    def decode(received: bytes) -> Proto | None:
        try:
            return request.FromString(received)
        except DecodeError:
            return None  # answered with a sentence where there is a context to answer to

    return decode


def _unary(rpc: Rpc) -> Callable[[Proto | None, Any], Awaitable[Proto | bytes]]:
    async def handle(request: Proto | None, context: Any) -> Proto | bytes:
        if request is None:
            await _abort(context, invalid(f"The request of {rpc.name} can't be decoded."))
        try:
            return await rpc.call(request, context.time_remaining())
        except PubsubError as error:
            await _abort(context, error)
            raise

    return handle


def _stream(streaming: StreamingPull) -> Callable[[Any, Any], Awaitable[None]]:
    async def handle(_requests: Any, context: Any) -> None:
        try:
            await streaming.serve(context)
        except PubsubError as error:
            await _abort(context, error)

    return handle


async def _abort(context: Any, error: PubsubError) -> None:
    code = next(status for status in grpc.StatusCode if status.value[0] == error.code.number)
    trailing: tuple[tuple[str, bytes], ...] = ()
    if error.ack_errors:
        info = error_details_pb2.ErrorInfo(
            reason="INVALID_ACK_ID", domain="pubsub.googleapis.com", metadata=error.ack_errors
        )
        status = status_pb2.Status(code=error.code.number, message=error.message)
        status.details.add().Pack(info)
        trailing = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, error.message, trailing)
