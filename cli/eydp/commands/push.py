"""`eydp push`."""

from pathlib import Path
from typing import Annotated

import typer


def push(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Carts: .ndjson or .jsonl, one on each line; else JSON.")
    ],
    key_file: Annotated[Path, typer.Option("--key-file", help="File that holds the signing key.")],
    url: Annotated[str, typer.Option("--url", help="Address of the push service.")] = "http://127.0.0.1:8080",
    records: Annotated[int, typer.Option("--records", min=1, max=10_000, help="Lines in one request.")] = 1_000,
    patience: Annotated[float, typer.Option("--patience", min=0, help="Seconds until an outage is a failure.")] = 60.0,
) -> None:
    """Sign the carts of a file and push them to the push service."""
    from carts_poller.push.keys import read_key
    from eydp.push import Client, parts

    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("--url needs http:// or https://")
    client = Client(url, read_key(key_file), patience)
    taken = 0
    try:
        for part in parts(file, records):
            taken += client.push(part)
    finally:
        typer.echo(f"{taken} records taken")
