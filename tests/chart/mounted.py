"""A volume of a Secret on this machine, laid out and changed as the kubelet does it: by links, swapped at once."""

from collections.abc import Mapping
from pathlib import Path


def publish(volume: Path, files: Mapping[str, bytes]) -> None:
    """Make `files` (place below the volume, contents) what the volume holds, from one moment to the next.

    The real files are in a hidden folder of their own for each version; `..data` leads to the one that counts, and what
    is at the top are links through it.
    """
    volume.mkdir(exist_ok=True)
    volume.chmod(0o755)
    version = volume / f"..version-{len(list(volume.glob('..version-*')))}"
    for place, contents in files.items():
        path = version / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
        path.chmod(0o444)
    for folder in (version, *(path for path in version.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    swapped = volume / "..data_tmp"
    swapped.symlink_to(version.name)
    swapped.rename(volume / "..data")
    tops = {place.partition("/")[0] for place in files}
    for top in tops:
        if not (volume / top).is_symlink():
            (volume / top).symlink_to(f"..data/{top}")
    for path in volume.iterdir():
        if not path.name.startswith("..") and path.name not in tops:
            path.unlink()
