"""Check what every file of the repository must keep to.

No host of a package index, no path of somebody's machine, no secret, no module that grew too long, no silenced check
without its reason. A check is a function from a file's path and text to complaints, so that tests can show each of
them failing.
"""

import re
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
MODULE_MAX_LINES = 400

Check = Callable[[PurePosixPath, str], Iterator[str]]

#: Hosts that serve packages, in two halves so that this file does not name one itself.
_INDEX_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
    )
)
_INDEX_OPTION = re.compile(r"--(?:extra-)?index-url\b|--find-links\b|--trusted-host\b")

_MACHINE_PATHS = re.compile(
    r"(?<![\w.~}])/(?:root|Users/\w+|home/\w+|work/(?:main|shared)|opt/wheels)(?:/|\b)|\.pyenv/versions/\d"
)
#: Homes inside an image belong to the image.
_IMAGE_FILES = ("Dockerfile", ".dockerignore")

_SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:\w+ )*PRIVATE KEY-----"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a Google access token": re.compile(r"\bya29\.[0-9A-Za-z_-]{20,}"),
    "a service account's key": re.compile(r'"private_key_id"\s*:\s*"[0-9a-f]{8,}"'),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22,})"),
    "an AWS key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
}

_SILENCER = re.compile(r"#\s*(?:noqa|type:\s*ignore|ruff:\s*noqa|mypy:)", re.IGNORECASE)
_NOQA = re.compile(r"# noqa: [A-Z]+\d+(?:, [A-Z]+\d+)*(?P<reason>.*)$")
_IGNORE = re.compile(r"# type: ignore\[[a-z-]+(?:, ?[a-z-]+)*\](?P<reason>.*)$")
_REASON = re.compile(r"[A-Za-z]{4,}")


def no_index_host(path: PurePosixPath, text: str) -> Iterator[str]:
    """Whoever installs brings their own index: no file names one."""
    for number, line in enumerate(text.splitlines(), 1):
        for host in _INDEX_HOSTS:
            if host in line:
                yield f"{path}:{number}: names the package index {host}"
        if path.parts[0] == "requirements" and _INDEX_OPTION.search(line):
            yield f"{path}:{number}: sets where packages come from"


def no_machine_path(path: PurePosixPath, text: str) -> Iterator[str]:
    """A checkout works in any folder of any machine."""
    if path.name.startswith(_IMAGE_FILES):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if found := _MACHINE_PATHS.search(line):
            yield f"{path}:{number}: names a path of one machine, {found[0]}"


def no_secret(path: PurePosixPath, text: str) -> Iterator[str]:
    """Credentials live outside the repository."""
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in _SECRETS.items():
            if pattern.search(line):
                yield f"{path}:{number}: looks like {what}"


def modules_are_short(path: PurePosixPath, text: str) -> Iterator[str]:
    """A module holds one concept; past this length it holds two."""
    lines = len(text.splitlines())
    if path.suffix == ".py" and lines > MODULE_MAX_LINES:
        yield f"{path}: has {lines} lines, {MODULE_MAX_LINES} are allowed: split it by concept"


def silenced_checks_have_reasons(path: PurePosixPath, text: str) -> Iterator[str]:
    """A `noqa` or `type: ignore` names its rule, and says why in words."""
    if path.suffix != ".py":
        return
    for token in tokenize.generate_tokens(StringIO(text).readline):
        if token.type != tokenize.COMMENT or not _SILENCER.match(token.string):
            continue
        form = _NOQA.match(token.string) or _IGNORE.match(token.string)
        if not form:
            yield f"{path}:{token.start[0]}: silences a check for a whole file or without naming the rule"
        elif not _REASON.search(form["reason"]):
            yield f"{path}:{token.start[0]}: silences a check without saying why"


CHECKS: tuple[Check, ...] = (
    no_index_host,
    no_machine_path,
    no_secret,
    modules_are_short,
    silenced_checks_have_reasons,
)


def repository_files(root: Path) -> list[PurePosixPath]:
    """Return the files that git has or would take, as paths relative to `root`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout  # noqa: S603 - a fixed command
    names = (name for name in listing.split("\0") if name)
    return sorted(PurePosixPath(name) for name in names if (root / name).is_file())


def complaints(root: Path) -> list[str]:
    """Return what all checks find in all text files below `root`."""
    found: list[str] = []
    for path in repository_files(root):
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture or the like has no lines to check
            continue
        for check in CHECKS:
            found += check(path, text)
    return found


def main() -> int:
    """Print the complaints about this checkout; return 1 when there are any."""
    found = complaints(ROOT)
    for complaint in found:
        print(complaint)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
