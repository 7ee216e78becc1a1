"""Start local-bigquery's two servers in this process, on one host and no other."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from localcloud.bigquery.extensions import link_extensions

_FOREIGN_VARIABLES = ("CALLER", "GROUPS", "POSTGRES_CONNECTION_ID", "POSTGRES_URI", "GCS_LOCAL_ROOT")
"""Names so common that what a user has set means something else; local-bigquery would take them as its own."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is started. Ports may be 0 for free ones."""

    host: str
    port: int
    grpc_port: int
    project: str
    data_dir: Path
    gcs_endpoint: str | None
    """Address of the Cloud Storage emulator, `http://HOST:PORT`; None: gs:// addresses can't be read."""


class CannotStartError(Exception):
    """The emulator can't start; the message is a sentence for the user."""


def serve(options: Options, started: Callable[[int, int], None]) -> None:
    """Serve until SIGTERM or SIGINT; call `started` with the REST and gRPC ports once both answer.

    Everything is written below `options.data_dir`, HOME included, which this process changes.

    Raises:
        CannotStartError: A port is taken, or the data can't be opened.
        ExtensionsMissingError: DuckDB's extensions are not installed.
    """
    data = options.data_dir.resolve()
    data.mkdir(parents=True, exist_ok=True)
    _prepare_environment(data)
    link_extensions(data / ".home")

    import uvicorn
    from local_bigquery.app import app
    from local_bigquery.engine import database
    from local_bigquery.grpc import server as grpc_server
    from local_bigquery.settings import settings

    from localcloud.bigquery import shims

    settings.bigquery_host, settings.bigquery_port = options.host, options.port
    settings.grpc_port = options.grpc_port
    settings.default_project_id, settings.data_dir = options.project, data
    settings.storage_emulator_host = options.gcs_endpoint
    shims.apply()
    # Opened before the ports are: what answers is ready, and data that another process holds is said at once.
    try:
        database.connection()
        _drop_default_dataset(options.project, settings.default_dataset_id)
    except database.duckdb.Error as error:
        raise CannotStartError(f"The data in {data} can't be opened: {error}") from error

    config = uvicorn.Config(
        app, host=options.host, port=options.port, log_level="warning", access_log=False, timeout_graceful_shutdown=2
    )
    try:
        listener = config.bind_socket()
    except SystemExit as error:  # uvicorn's way to say that the port is taken, which it has logged
        raise CannotStartError(f"Port {options.port} on {options.host} can't be bound.") from error
    try:
        rpc, rpc_port = grpc_server.start(options.host, options.grpc_port)
    except RuntimeError as error:
        listener.close()
        raise CannotStartError(f"Port {options.grpc_port} on {options.host} can't be bound.") from error
    started(listener.getsockname()[1], rpc_port)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
    rpc.stop(None)


def _prepare_environment(data: Path) -> None:
    """Keep what the user's environment means for other programs from this one, and its HOME from being written."""
    for name in list(os.environ):
        if name.upper() in _FOREIGN_VARIABLES or name.lower() in _PROXIES:
            del os.environ[name]
    (data / ".home").mkdir(exist_ok=True)
    os.environ["HOME"] = str(data / ".home")


def _drop_default_dataset(project: str, dataset: str) -> None:
    """Remove the empty dataset that local-bigquery makes for its own prompt: a new project has none.

    It stays when a user made tables in it.
    """
    from local_bigquery.engine import database

    if not database.objects(project, dataset):
        database.execute(f"DROP SCHEMA IF EXISTS {database.quote(project, dataset)}")
