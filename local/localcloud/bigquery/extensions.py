"""DuckDB's extensions, taken from the installed wheels, found without a download and kept out of HOME."""

import importlib.metadata
import importlib.util
import os
from pathlib import Path

NAMES = ("ducklake", "icu", "httpfs", "avro", "spatial")
"""What local-bigquery loads: its tables, time zones, gs:// addresses, Avro files, geography functions."""


class ExtensionsMissingError(Exception):
    """The wheel of an extension is not installed, or not for this version of DuckDB."""


def link_extensions(home: Path) -> None:
    """Make `home` a HOME in which DuckDB finds its extensions.

    DuckDB looks in `~/.duckdb/extensions/VERSION/PLATFORM` and offers no environment variable for another folder.
    Links take no time; DuckDB's own INSTALL copies 170 MB.

    Raises:
        ExtensionsMissingError: No wheel holds a needed extension for the installed DuckDB.
    """
    version = f"v{importlib.metadata.version('duckdb')}"
    folder = home / ".duckdb" / "extensions" / version / _platform()
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        source = _packaged(name, version)
        link = folder / source.name
        if link.is_symlink() and link.readlink() == source:
            continue
        # Two emulators may start on one folder: the link is made aside and moved into place.
        fresh = link.with_name(f"{link.name}.{os.getpid()}")
        fresh.symlink_to(source)
        fresh.replace(link)


def _packaged(name: str, version: str) -> Path:
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    for folder in (package.submodule_search_locations or []) if package else []:
        file = Path(folder) / "extensions" / version / f"{name}.duckdb_extension"
        if file.is_file():
            return file.resolve()
    raise ExtensionsMissingError(
        f"DuckDB {version} needs the package duckdb-extension-{name}=={version[1:]}, which is not installed."
    )


def _platform() -> str:
    import duckdb

    with duckdb.connect() as connection:
        row = connection.execute("PRAGMA platform").fetchone()
    return str(row[0]) if row else "unknown"
