"""Whether the BigQuery emulator is still there while dbt runs.

Google's clients try a refused connection again for ten minutes, for each node anew, and no setting of dbt shortens
all of these retries. On the cloud that patience is right. An emulator that is gone does not come back.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_CONNECT_TIMEOUT_SECONDS = 3.0


def unreachable(address: str) -> str | None:
    """Return a sentence when nothing listens at `address` (http://host:port), else None."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 80
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_SECONDS):
            return None
    except OSError as error:
        return f"no BigQuery emulator answers at {host}:{port} ({error.strerror or error}); is the stack up?"


class Watch:
    """Looks at an address each `interval_seconds`; after `refusals` in a row it is gone, and `lost` says so."""

    def __init__(self, address: str, *, interval_seconds: float = 2.0, refusals: int = 5) -> None:
        self._address = address
        self._interval_seconds = interval_seconds
        self._refusals = refusals
        self._closed = threading.Event()
        self.lost: str | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Interrupt the main thread, as Ctrl-C would, when the address is lost while the context lasts."""
        # A shell starts what it runs in the background with the interrupt ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        thread = threading.Thread(target=self._look, name="warehouse-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._closed.set()
            thread.join()
            signal.signal(signal.SIGINT, before)

    def _look(self) -> None:
        refusals = 0
        while not self._closed.wait(self._interval_seconds):
            trouble = unreachable(self._address)
            refusals = refusals + 1 if trouble else 0
            if refusals >= self._refusals:
                self.lost = trouble
                # To the main thread itself: it waits in a lock, which a signal to another thread would not end.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return
