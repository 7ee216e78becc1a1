"""`python -m localcloud.bigquery`: serve BigQuery until SIGTERM or SIGINT, then end with code 0."""

import argparse
import os
import sys
from pathlib import Path

from localcloud.bigquery.extensions import ExtensionsMissingError
from localcloud.bigquery.server import CannotStartError, Options, serve


def main(argv: list[str] | None = None) -> int:
    """Run the program and return its exit code: 1 when it can't start."""
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.bigquery", description="Serve BigQuery and its Storage API locally."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9050, help="REST port, 0 for a free one (default: %(default)s)")
    parser.add_argument(
        "--grpc-port", type=int, default=9060, help="port of the Storage API, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument("--project", default="local-project", help="the project (default: %(default)s)")
    parser.add_argument(
        "--data-dir", type=Path, default=Path(".local/data/bigquery"), help="where data is kept (default: %(default)s)"
    )
    parser.add_argument(
        "--gcs-endpoint", metavar="URL", help="Cloud Storage emulator that gs:// addresses are read from"
    )
    given = parser.parse_args(argv)

    def started(port: int, grpc_port: int) -> None:
        sys.stdout.write(f"grpc listening {given.host}:{grpc_port}\nlistening {given.host}:{port}\n")
        sys.stdout.flush()

    try:
        serve(
            Options(given.host, given.port, given.grpc_port, given.project, given.data_dir, given.gcs_endpoint), started
        )
    except (CannotStartError, ExtensionsMissingError) as error:
        sys.stderr.write(f"The BigQuery emulator can't start: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    # What goes wrong is said once, by this program: gRPC's core would log a taken port in its own way before it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of local-bigquery's job pool may still be busy with a query nobody waits for: don't join them.
    os._exit(code)
