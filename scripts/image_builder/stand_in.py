"""Make a base image without a registry: the system's own packages and the Python that runs this program.

It stands in for `python:3.13-slim-bookworm` where no registry can be reached. It has what that image has: a minimal
system of the same kind as this machine's, Python in /usr/local without its tests and without compiled files, and pip.
"""

import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from image_builder.command import CommandError, output

REFERENCE = f"localhost/ey-data-platform/python-base:{platform.python_version()}"
_SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")
_LEFT_OUT = ("test", "idlelib", "tkinter", "turtledemo", "__pycache__", "site-packages", "config-*", "_tkinter*")
#: What the real base has besides what Python needs.
_ALWAYS = ("ca-certificates", "netbase", "tzdata")


def ensure() -> str:
    """Return the reference of the stand-in, made if it is not there yet (two minutes, once a machine).

    Raises:
        CommandError: buildah or mmdebstrap is missing or failed, or this Python can't be copied.
    """
    with suppress(CommandError):
        output(["buildah", "inspect", "--type", "image", REFERENCE])
        return REFERENCE
    prefix = Path(sys.base_prefix)
    if prefix == Path("/usr"):
        raise CommandError(
            "the stand-in copies the Python that runs this program, and this one belongs to the system: "
            "make .venv with another (PYTHON=… make setup), or name a base image with --base"
        )
    with _working_container() as (container, root):
        packages = sorted({*_ALWAYS, *_needed(prefix)})
        output(
            [
                "mmdebstrap",
                "--variant=minbase",
                f"--include={','.join(packages)}",
                *_slim(),
                _suite(),
                str(root),
                *_apt(),
            ]
        )
        _copy_python(prefix, root / "usr/local")
        output(["chroot", str(root), "ldconfig"])
        output(
            [
                "buildah",
                "config",
                "--env",
                "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                container,
            ]
        )
        output(["buildah", "commit", "--quiet", "--format", "docker", container, REFERENCE])
    return REFERENCE


@contextmanager
def _working_container() -> Iterator[tuple[str, Path]]:
    container = output(["buildah", "from", "scratch"])
    try:
        yield container, Path(output(["buildah", "mount", container]))
    finally:
        output(["buildah", "rm", container])


def _suite() -> str:
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    return release["VERSION_CODENAME"].strip('"')


def _apt() -> list[str]:
    """Return the system's own package sources: those of others have no base system."""
    files = [Path("/etc/apt") / name for name in _SOURCES]
    return [str(file) for file in files if file.is_file() and file.stat().st_size]


def _slim() -> list[str]:
    excluded = ("doc", "man", "info", "locale")
    return [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in excluded]


def _needed(prefix: Path) -> Iterator[str]:
    """Yield the packages of the libraries that this Python is linked with."""
    libraries = Path(sysconfig.get_path("stdlib", vars={"base": str(prefix)}))
    binaries = [prefix / "bin" / f"python{_version()}", *(prefix / "lib").glob("libpython*.so*")]
    binaries += [file for file in (libraries / "lib-dynload").glob("*.so") if not file.name.startswith("_tkinter")]
    paths = set()
    for binary in binaries:
        for line in output(["ldd", str(binary)]).splitlines():
            _, arrow, target = line.partition(" => /")
            if arrow:
                paths.add("/" + target.split()[0])
    for path in paths - {str(file) for file in (prefix / "lib").iterdir()}:
        # dpkg knows a library below /lib or /usr/lib, the loader by whichever link it followed.
        for spelling in (path, path.removeprefix("/usr"), f"/usr{path}"):
            with suppress(CommandError):
                yield output(["dpkg-query", "--search", spelling]).split(":")[0]
                break


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _copy_python(prefix: Path, target: Path) -> None:
    version = _version()
    for folder in ("bin", "lib"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy2(prefix / "bin" / f"python{version}", target / "bin")
    for name in ("python3", "python"):
        (target / "bin" / name).symlink_to(f"python{version}")
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib", follow_symlinks=False)
    home = target / "lib" / f"python{version}"
    shutil.copytree(prefix / "lib" / f"python{version}", home, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
    # pip comes from the wheel that Python itself carries.
    (home / "site-packages").mkdir(exist_ok=True)
    bundled = next((home / "ensurepip" / "_bundled").glob("pip-*.whl"))
    shutil.unpack_archive(bundled, home / "site-packages", "zip")
