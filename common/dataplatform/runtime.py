"""How a program runs: signals set a flag, a person's mistakes end in one sentence and an exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from dataplatform.errors import ConfigurationError, PlatformError, UnavailableError
from dataplatform.retry import Verdict, classify, describe


class Stop:
    """Set by SIGTERM or SIGINT; a second signal ends the process at once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def install(self) -> None:
        """Handle SIGTERM and SIGINT on the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: int) -> None:
        if self._event.is_set():
            os._exit(128 + number)
        self._event.set()

    def set(self) -> None:
        """Ask to stop, as a signal would."""
        self._event.set()

    @property
    def requested(self) -> bool:
        """Return whether somebody asked to stop."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Return when somebody asks to stop."""
        await self._event.wait()

    async def wait_for(self, seconds: float) -> bool:
        """Return True as soon as somebody asks to stop, False after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


def run(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run an async `main` and return the exit code; say a person's mistake in one sentence on stderr."""
    try:
        return asyncio.run(main())
    except KeyboardInterrupt:
        return 130
    except Exception as raised:  # noqa: BLE001 - told to a person, or raised again
        error = told(raised)
        complain(str(error))
        return error.exit_code


def told(raised: Exception) -> PlatformError:
    """Return an error as one whose message is meant for a person; raise it again when it is a bug."""
    error = _cause(raised)
    if isinstance(error, PlatformError):
        return error
    match classify(error):
        case Verdict.MISCONFIGURED:
            return ConfigurationError(describe(error))
        case Verdict.TRANSIENT:
            return UnavailableError(describe(error))
        case Verdict.PERMANENT if isinstance(error, GoogleAPICallError):
            return PlatformError(f"a Google service refused the request: {describe(error)}")
        case Verdict.PERMANENT:
            raise raised


def _cause(error: Exception) -> Exception:
    """Return the one error that a task group wrapped, or `error` itself."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def complain(sentence: str) -> None:
    """Print what went wrong to stderr."""
    print(f"error: {sentence}", file=sys.stderr)  # noqa: T201 - the last word of a program goes to stderr
