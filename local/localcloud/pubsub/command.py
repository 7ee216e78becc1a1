"""The command line of the emulator: it runs until a signal ends it.

One line for each server tells where it listens; the line of gRPC, `listening HOST:PORT`, comes last and means
that all are ready. SIGTERM and SIGINT end it with exit code 0.
"""

import argparse
import asyncio
import gc
import signal
import sys

from dataplatform.clock import SystemClock
from localcloud.pubsub.emulator import Emulator, Ports


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.pubsub", description="A local Google Cloud Pub/Sub.")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8085, help="gRPC port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--rest-port", type=int, help="port of the REST API, 0 for a free one (default: none)")
    parser.add_argument("--admin-port", type=int, help="port of faults and counts, 0 for a free one (default: none)")
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    ports = Ports(options.port, options.rest_port, options.admin_port)
    async with Emulator(SystemClock(), options.host, ports) as emulator:
        lines = [("rest listening", emulator.ports.rest), ("admin listening", emulator.ports.admin)]
        lines.append(("listening", emulator.ports.grpc))
        for what, port in lines:
            if port is not None:
                sys.stdout.write(f"{what} {options.host}:{port}\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; return the exit code."""
    options = _arguments(arguments)
    # Messages make no cycles, and a full collection over a long backlog would stop delivery for a second.
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
    try:
        asyncio.run(_run(options))
    except OSError as error:
        sys.stderr.write(f"The Pub/Sub emulator can't start: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
