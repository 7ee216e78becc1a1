"""A person's mistake is one sentence that says how to mend it, an exit code, and never a stack trace."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from support.programs import run


def _sentence(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


class _Forbidding(BaseHTTPRequestHandler):
    """Answers as BigQuery and Cloud Storage do to an account without permission."""

    def do_GET(self) -> None:
        body = b'{"error": {"code": 403, "message": "Access Denied", "errors": [{"reason": "accessDenied"}]}}'
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@pytest.fixture
def forbidding() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Forbidding)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("command", "change", "words"),
    [
        ("doctor", {"EYDP_PROJEKT": "x"}, "EYDP_PROJEKT is not a setting of this program; did you mean EYDP_PROJECT?"),
        ("provision", {"EYDP_METRICS_PORT": "many"}, "EYDP_METRICS_PORT is 'many', which is not valid"),
        ("poll", {"EYDP_PROJECT": ""}, "no stack is up in this folder and EYDP_PROJECT is not set"),
    ],
    ids=["unknown setting", "wrong type", "no project and no stack"],
)
def test_a_wrong_environment(
    environment: dict[str, str], cwd: str, command: str, change: dict[str, str], words: str
) -> None:
    done = run({**environment, **change}, "eydp", command, code=78, cwd=cwd)
    assert words in _sentence(done)


def test_a_missing_project_in_every_program(environment: dict[str, str], cwd: str) -> None:
    lacking = {name: value for name, value in environment.items() if name != "EYDP_PROJECT"}
    for program in ("carts_poller", "carts_consumer", "batch_ingest"):
        done = run(lacking, program, code=78, cwd=cwd)
        assert "EYDP_PROJECT is required but not set" in _sentence(done)


@pytest.mark.parametrize(
    ("program", "variable"), [("carts_poller", "EYDP_TOPIC"), ("carts_consumer", "EYDP_SUBSCRIPTION")]
)
def test_a_name_that_pubsub_refuses(environment: dict[str, str], cwd: str, program: str, variable: str) -> None:
    done = run({**environment, variable: "t1"}, program, code=70, cwd=cwd)
    assert "a Google service refused the request" in _sentence(done)
    assert "t1" in _sentence(done)


def test_an_unreachable_shop(environment: dict[str, str], cwd: str) -> None:
    away = {**environment, "EYDP_SOURCE_URL": "http://127.0.0.1:9", "EYDP_SOURCE_RETRY_DEADLINE_SECONDS": "1"}
    run(away, "eydp", "provision", cwd=cwd)
    done = run(away, "eydp", "poll", "--once", code=69, cwd=cwd)
    assert "http://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_warehouse(environment: dict[str, str], cwd: str) -> None:
    away = {**environment, "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:9", "EYDP_RETRY_DEADLINE_SECONDS": "1"}
    assert "reading dataset" in _sentence(run(away, "eydp", "provision", code=69, cwd=cwd))
    assert "127.0.0.1" in _sentence(run(away, "eydp", "sql", "select 1", code=69, cwd=cwd))


def test_a_project_without_permission(environment: dict[str, str], cwd: str, forbidding: str) -> None:
    refused = {**environment, "BIGQUERY_EMULATOR_HOST": forbidding, "STORAGE_EMULATOR_HOST": forbidding}
    sentence = _sentence(run(refused, "eydp", "provision", code=78, cwd=cwd))
    assert "reading dataset" in sentence
    assert "is not permitted to this account" in sentence
    lines = run(refused, "eydp", "doctor", code=78, cwd=cwd).stdout.splitlines()
    bucket = next(line for line in lines if " bucket " in line)
    assert bucket.startswith("FAIL")
    assert "grant it roles/storage.objectUser" in bucket


def test_a_bucket_name_that_is_none(environment: dict[str, str], cwd: str) -> None:
    done = run({**environment, "EYDP_BUCKET": "-raw-"}, "eydp", "provision", code=78, cwd=cwd)
    assert "EYDP_BUCKET is '-raw-', which is no name for a bucket" in _sentence(done)


def test_a_wrong_query(environment: dict[str, str], cwd: str) -> None:
    assert "refused the query" in _sentence(run(environment, "eydp", "sql", "selec 1", code=65, cwd=cwd))


def test_a_query_of_what_is_not_there(environment: dict[str, str], cwd: str) -> None:
    done = run(environment, "eydp", "sql", "select * from nowhere.nothing", code=78, cwd=cwd)
    assert "names what is not there" in _sentence(done)


def test_two_formats_at_once(environment: dict[str, str], cwd: str) -> None:
    done = run(environment, "eydp", "sql", "--json", "--csv", "select 1", code=2, cwd=cwd)
    assert "exclude each other" in done.stderr


def test_a_port_that_is_taken(cwd: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        done = run(bare, "eydp", "up", "--port-source", str(port), code=78, cwd=cwd)
    assert str(port) in _sentence(done)


def test_a_stack_that_is_not_up(cwd: str, tmp_path: Path) -> None:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    assert "not up" in _sentence(run(bare, "eydp", "env", code=3, cwd=cwd))
    assert "not up" in run(bare, "eydp", "status", code=3, cwd=cwd).stdout
    assert "not up" in run(bare, "eydp", "down", cwd=cwd).stdout
    assert "`eydp up`" in _sentence(run(bare, "eydp", "verify", code=78, cwd=cwd))
