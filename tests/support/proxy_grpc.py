"""A gRPC proxy that knows no service: bytes in, bytes out, whatever the method, unary or streaming."""

import asyncio
from types import TracebackType
from typing import Any, Self

import grpc

from support.proxy import DroppedError, Faults, RefusedError

_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class GrpcProxy:
    """Stands before the server at `target`, `host:port`. An async context manager; `address` is where it listens."""

    def __init__(self, target: str) -> None:
        self.faults = Faults()
        self.address = ""
        self._target = target
        self._channel: Any = None
        self._server: Any = None

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._target, options=_OPTIONS)
        self._server = grpc.aio.server(options=[*_OPTIONS, ("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Every(self),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(0)
        await self._channel.close()

    async def serve(self, method: str, context: Any) -> None:
        """Pass one call on, message by message, and its status back."""
        # A unary call looks on the wire like a stream of one message, so that one kind of handler serves all.
        call = self._channel.stream_stream(method)(metadata=_own(context.invocation_metadata()))
        sending = asyncio.create_task(self._send(method, context, call))
        receiving = asyncio.create_task(self._receive(method, context, call))
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            await receiving
        except (DroppedError, RefusedError) as error:
            await context.abort(_UNAVAILABLE, f"{type(error).__name__} by the test's proxy")
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata() or ()))
        finally:
            call.cancel()
            for task in (sending, receiving):
                task.cancel()
            await asyncio.wait({sending, receiving})

    async def _send(self, method: str, context: Any, call: Any) -> None:
        while (message := await context.read()) is not grpc.aio.EOF:
            await self.faults.meet(method, "request")
            await call.write(message)
        await call.done_writing()

    async def _receive(self, method: str, context: Any, call: Any) -> None:
        while (message := await call.read()) is not grpc.aio.EOF:
            await self.faults.meet(method, "answer")
            await context.write(message)


class _Every(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Answers to every method's name."""

    def __init__(self, proxy: GrpcProxy) -> None:
        self._proxy = proxy

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method

        async def serve(_: Any, context: Any) -> None:
            await self._proxy.serve(method, context)

        return grpc.stream_stream_rpc_method_handler(serve)


def _own(metadata: Any) -> tuple[tuple[str, Any], ...]:
    """Return what the caller sent, without what gRPC itself adds to each call."""
    return tuple((key, value) for key, value in metadata if key != "user-agent" and not key.startswith("grpc-"))
