"""The whole stack as a user starts and stops it, and what is left when it ends in other ways."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from urllib.request import urlopen

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage

from localcloud.ports import Ports, choose
from localcloud.services import import_path
from localcloud.state import StackState, read_state
from support.stack import START_SECONDS, gone, listening, localcloud, processes_of, running, until


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": import_path()},
        timeout=START_SECONDS,
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "local"
    yield folder
    # A test that fails must not leave its stack to the others.
    command("down", f"--data-dir={folder}")


def up(data_dir: Path, output: Path, supervisor: subprocess.Popen[bytes]) -> StackState:
    def ready() -> StackState | None:
        assert supervisor.poll() is None, output.read_text(encoding="utf-8")
        return read_state(data_dir)

    return until(ready, "the stack is up", START_SECONDS)


def names(state: StackState) -> tuple[list[str], list[str]]:
    """Return the buckets and the datasets."""
    with (
        closing(storage_client(state)) as buckets,
        closing(bigquery_client(state)) as datasets,
    ):
        return [b.name for b in buckets.list_buckets()], [d.dataset_id for d in datasets.list_datasets()]


def storage_client(state: StackState) -> storage.Client:
    return storage.Client(
        project=state.project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": state.endpoints["storage"]},
    )


def bigquery_client(state: StackState) -> bigquery.Client:
    return bigquery.Client(
        project=state.project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": state.endpoints["bigquery"]},
    )


def test_ctrl_c_ends_all_and_nothing_outside_the_data_folder_is_written(data_dir: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    output = tmp_path / "output"
    supervisor = localcloud(
        "up", f"--data-dir={data_dir}", output=output, environment={"HOME": str(home), "TMPDIR": str(home)}
    )
    state = up(data_dir, output, supervisor)
    assert all(listening(port) for port in state.ports.values())
    with closing(bigquery_client(state)) as client:
        # Time zones and spatial functions come from DuckDB's extensions.
        row = next(iter(client.query_and_wait("SELECT ST_ASTEXT(ST_GEOGPOINT(1, 2)) AS point")))
    assert row["point"] == "POINT(1 2)"

    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(START_SECONDS) == 0
    gone(state, data_dir)
    assert list(home.iterdir()) == []
    assert read_state(data_dir) is None
    assert {path.name for path in tmp_path.iterdir()} == {"home", "output", "local"}


def test_a_server_that_dies_ends_the_stack_with_a_message_that_names_it(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    supervisor = localcloud("up", f"--data-dir={data_dir}", output=output)
    state = up(data_dir, output, supervisor)

    os.kill(state.services["gcs"].pid, signal.SIGKILL)

    assert supervisor.wait(START_SECONDS) == 69
    gone(state, data_dir)
    assert "The Cloud Storage emulator (gcs) ended with SIGKILL" in output.read_text(encoding="utf-8")
    assert read_state(data_dir) is None


def test_the_death_of_the_starting_process_ends_an_attached_stack(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys; subprocess.run(sys.argv[1:])",
            *(sys.executable, "-m", "localcloud", "up", f"--data-dir={data_dir}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": import_path()},
    )
    output.touch()
    state = up(data_dir, output, starter)

    starter.kill()
    starter.wait()

    gone(state, data_dir)


def test_a_killed_supervisor_takes_its_servers_along_and_the_next_one_finds_the_data(data_dir: Path) -> None:
    first = command("up", "--detach", f"--data-dir={data_dir}")
    assert first.returncode == 0, first.stderr
    state = read_state(data_dir)
    assert state is not None
    with closing(storage_client(state)) as buckets, closing(bigquery_client(state)) as datasets:
        buckets.bucket("kept").create()
        buckets.bucket("kept").blob("a/b.txt").upload_from_string("text")
        datasets.create_dataset("kept")
        datasets.query_and_wait("CREATE TABLE kept.t AS SELECT 7 AS n")

    os.kill(state.supervisor.pid, signal.SIGKILL)

    gone(state, data_dir)
    assert (data_dir / "stack.json").exists()
    assert read_state(data_dir) is None
    assert command("status", f"--data-dir={data_dir}").returncode == 3

    with running(data_dir) as second:
        assert names(second) == (["kept"], ["kept"])
        with closing(storage_client(second)) as buckets, closing(bigquery_client(second)) as datasets:
            assert buckets.bucket("kept").blob("a/b.txt").download_as_bytes(raw_download=True) == b"text"
            assert [row["n"] for row in datasets.query_and_wait("SELECT n FROM kept.t")] == [7]
    gone(second, data_dir)

    with running(data_dir, "--fresh") as third:
        assert names(third) == ([], [])


def test_a_detached_stack_has_the_ports_it_was_given_until_down_which_may_be_said_twice(data_dir: Path) -> None:
    ports = asdict(choose(Ports()))
    options = [f"--port-{name.replace('_', '-')}={port}" for name, port in ports.items()]
    started = command("up", "--detach", f"--data-dir={data_dir}", "--products=30", *options)
    assert started.returncode == 0, started.stderr
    state = read_state(data_dir)
    assert state is not None
    assert state.ports == ports
    assert all(listening(port) for port in ports.values())
    with urlopen(f"{state.endpoints['source']}/products", timeout=START_SECONDS) as answer:  # noqa: S310 - the stack's own
        assert len(json.load(answer)) == 30

    first = command("down", f"--data-dir={data_dir}")
    gone(state, data_dir)
    second = command("down", f"--data-dir={data_dir}")

    assert (first.returncode, first.stdout) == (0, "The stack is down.\n")
    assert (second.returncode, second.stdout) == (0, "The stack was not up.\n")


def test_a_stack_that_is_still_starting_can_be_stopped(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    supervisor = localcloud("up", f"--data-dir={data_dir}", output=output)
    until((data_dir / "logs" / "bigquery.log").exists, "the servers were started")

    assert command("down", f"--data-dir={data_dir}").returncode == 0

    assert supervisor.wait(START_SECONDS) in {0, 128 + signal.SIGTERM}
    assert processes_of(data_dir) == []


def test_a_second_stack_on_the_same_data_is_refused(stack: StackState) -> None:
    data_dir = Path(stack.tools["BIGQUERYRC"]).parent

    for detach in ([], ["--detach"]):
        second = command("up", *detach, f"--data-dir={data_dir}")
        assert second.returncode == 75
        assert "is already up" in second.stderr
        assert str(stack.supervisor.pid) in second.stderr
        assert second.stderr.count("\n") == 1


def test_a_taken_port_is_named_with_its_option_and_its_holder(stack: StackState, data_dir: Path) -> None:
    port = stack.ports["storage"]

    for detach in ([], ["--detach"]):
        refused = command("up", *detach, f"--data-dir={data_dir}", f"--port-bigquery-grpc={port}")
        assert refused.returncode != 0
        assert f"Port {port} is taken by process {stack.services['gcs'].pid} (" in refused.stderr
        assert "--port-bigquery-grpc" in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert processes_of(data_dir) == []


def test_env_prints_what_a_shell_evaluates(stack: StackState, stack_env: dict[str, str]) -> None:
    printed = command("env", "--tools", f"--data-dir={Path(stack.tools['BIGQUERYRC']).parent}").stdout

    shell = subprocess.run(
        ["/bin/sh", "-c", f"{printed}\nexec env"], check=True, capture_output=True, text=True, env={}, timeout=30
    )

    seen = dict(line.split("=", 1) for line in shell.stdout.splitlines())
    assert stack_env.items() <= seen.items()
    assert stack.tools.items() <= seen.items()


def test_every_port_is_bound_to_this_machine_alone(stack: StackState) -> None:
    listed = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    listed += Path("/proc/net/tcp6").read_text(encoding="ascii").splitlines()[1:]
    bound = {}
    for line in listed:
        address, state = line.split()[1], line.split()[3]
        host, _, port = address.rpartition(":")
        if state == "0A" and int(port, 16) in stack.ports.values():
            bound[int(port, 16)] = host

    # 127.0.0.1, as such or in an IPv6 socket, in the kernel's byte order.
    assert set(bound.values()) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert bound.keys() == set(stack.ports.values())
