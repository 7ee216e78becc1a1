"""`python -m localcloud.fakestore`: serve the stand-in until SIGTERM or SIGINT, then end with code 0."""

import asyncio
import signal
import sys

from dataplatform.clock import SystemClock
from localcloud.fakestore.options import Arguments, parse
from localcloud.fakestore.server import serving


async def serve(arguments: Arguments) -> None:
    """Serve until a signal; print one line with the address as soon as requests are answered."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with serving(arguments.options, SystemClock(), arguments.host, arguments.port) as address:
        sys.stdout.write(f"listening {address}\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> int:
    """Run the program and return its exit code: 1 when the address can't be bound."""
    arguments = parse(sys.argv[1:])
    try:
        asyncio.run(serve(arguments))
    except OSError as error:
        reason = error.strerror or str(error)
        sys.stderr.write(f"The stand-in can't listen on {arguments.host}:{arguments.port}: {reason}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
