"""A small platform for the tests of redrives: own names, a consumer that runs, and `eydp` called in this process."""

import io
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from carts_consumer.decode import Invalid
from carts_consumer.quarantine import quarantine_id
from eydp import main
from eydp.environment import context
from eydp.redrive.wiring import Tools, working_with
from localcloud.state import StackState
from support.programs import own_names, until
from support.pubsub import rows

_UNACKNOWLEDGED = ("ready", "leased")


@dataclass(frozen=True)
class Told:
    """What a command wrote."""

    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class World:
    """The environment of this process is that of the platform while it is there."""

    environment: dict[str, str]
    admin: str

    def eydp(self, *arguments: str, code: int = 0) -> Told:
        """Call the command in this process; starting one would cost a second of imports each time."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["eydp", *arguments])
            with pytest.raises(SystemExit) as ended:
                main.run()
        assert (ended.value.code or 0) == code, f"{arguments} ended with {ended.value.code}\n{out.getvalue()}"
        return Told(out.getvalue(), err.getvalue())

    def start(self, *arguments: str, **changes: str) -> subprocess.Popen[bytes]:
        """Start the command as a process that the caller ends."""
        return subprocess.Popen(
            [sys.executable, "-m", "eydp", *arguments],
            env={**self.environment, **changes},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def rows(self, query: str) -> list[dict[str, Any]]:
        return rows(self.environment, query)

    def carts(self, *cart_ids: int) -> list[int]:
        """The cart ids of all rows of these carts: one twice would be there twice."""
        found = self.rows("select cart_id from {raw}.carts_events order by cart_id")
        wanted = set(cart_ids)
        return [row["cart_id"] for row in found if row["cart_id"] in wanted]

    def settled(self) -> None:
        """Wait until the consumer acknowledged all that was published: it is in the table or in quarantine."""
        until(lambda: not any(self._counts("EYDP_SUBSCRIPTION").values()), "the end of the backlog")

    def entries(self, **wanted: str) -> dict[str, dict[str, Any]]:
        """Quarantine as `list` tells it, by id."""
        found = self.eydp("quarantine", "list", "--state", "all", "--json").json
        return {entry["id"]: entry for entry in found if all(entry[name] == value for name, value in wanted.items())}

    def published(self) -> int:
        """How many messages the topic of the events took so far."""
        topic = f"projects/{self.environment['EYDP_PROJECT']}/topics/{self.environment['EYDP_TOPIC']}"
        return int(self._admin("GET", "/stats")["topics"][topic]["published"])

    def dead_letters(self) -> int:
        """How many dead letters there are, leased or not."""
        return sum(self._counts("EYDP_DEAD_LETTER_SUBSCRIPTION").values())

    def _counts(self, variable: str) -> dict[str, int]:
        path = f"projects/{self.environment['EYDP_PROJECT']}/subscriptions/{self.environment[variable]}"
        counts: dict[str, int] = self._admin("GET", "/stats")["subscriptions"][path]
        return {name: counts[name] for name in _UNACKNOWLEDGED}

    def lease_is_held(self, what: str) -> bool:
        """Whether a run holds the lease now."""
        return datetime.now(UTC) < self._lease_end(what)

    def lease_ran_out(self, what: str) -> None:
        """Wait until a run that was killed has lost its lease."""
        end = self._lease_end(what)
        until(lambda: datetime.now(UTC) > end, "the lease's end", seconds=30)

    def _lease_end(self, what: str) -> datetime:
        found = working_with(context(), lambda tools: tools.zone.read(f"_state/redrive/{what}.json"))
        return (
            datetime.fromisoformat(json.loads(found.data)["expires_at"]) if found else datetime.min.replace(tzinfo=UTC)
        )

    @contextmanager
    def refusing(self, method: str) -> Iterator[None]:
        """Let Pub/Sub refuse one method while the block runs."""
        self._admin("POST", "/faults", {"reject": {"method": method, "code": "UNAVAILABLE", "for_seconds": None}})
        try:
            yield
        finally:
            self._admin("DELETE", "/faults")

    def _admin(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.admin}{path}", data, method=method)  # noqa: S310 - the stack's address
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the stack's address
            return json.load(answer)

    def quarantine(self, messages: Sequence[Any], reason: str) -> list[str]:
        """Put received messages into quarantine as a consumer of an older version would have; return their ids."""
        items = [Invalid(message, reason, "an older version refused it") for message in messages]

        async def put(tools: Tools) -> None:
            async with tools.quarantine() as quarantine:
                await quarantine.put(items, tools.clock.now(), stage="decode")

        working_with(context(), put)
        return [quarantine_id(item) for item in items]


@contextmanager
def world(stack: StackState, stack_env: Mapping[str, str], folder: Path) -> Iterator[World]:
    """Provision, run a consumer while the block runs, and see it end well."""
    environment = {
        **own_names(stack_env),
        "HOME": str(folder),
        "EYDP_CONSUMER_FLUSH_MAX_AGE_SECONDS": "0.2",
        "EYDP_CONSUMER_DEDUP_WINDOW": "0",  # what is known again is known from the table, not from memory
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        made = World(environment, stack.endpoints["pubsub_admin"])
        made.eydp("provision")
        log = folder / "consumer.log"
        with log.open("wb") as output:
            consumer = subprocess.Popen(
                [sys.executable, "-m", "carts_consumer"], env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            until(lambda: "consumer started" in log.read_text(encoding="utf-8"), "the consumer's start")
            yield made
            consumer.terminate()
            assert consumer.wait(40) == 0, log.read_text(encoding="utf-8")
        finally:
            consumer.kill()
            consumer.wait(10)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a crash would: it can do nothing about it."""
    process.kill()
    process.wait(10)
    assert process.returncode == -9, "it had ended before it was killed"


def attributes(message: Any, given: Mapping[str, str]) -> Any:
    """Return a received message with these attributes in place of its own."""
    message.message.attributes.clear()
    message.message.attributes.update(given)
    return message
