"""Check, without any network, that the locks under requirements/ follow pyproject.toml and one another.

Every direct dependency of every extra must be locked, with hashes, in a version that its range allows; the locks of
the deployables must hold the versions of the development lock, since those are the ones that are tested.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>.*)$")
_OPTION = re.compile(r"^\s*--(?!hash=sha256:[0-9a-f]{64}\b)")


def read_lock(text: str) -> tuple[dict[str, Version], list[str]]:
    """Return the versions that a lock pins by canonical name, and a complaint for each line that is out of place."""
    versions: dict[str, Version] = {}
    complaints: list[str] = []
    for entry in text.replace("\\\n", " ").splitlines():
        if not entry.strip():
            continue
        pin = _PIN.match(entry)
        if not pin:
            complaints.append(f"{entry.strip()[:80]!r} is not a pinned version")
            continue
        name = canonicalize_name(pin["name"])
        versions[name] = Version(pin["version"])
        options = [word for word in pin["rest"].split() if word.startswith("--")]
        if not options:
            complaints.append(f"{name} has no hash")
        complaints += [f"{name} has the option {word[:40]}" for word in options if _OPTION.match(word)]
    return versions, complaints


def direct_dependencies(project: Mapping[str, Any], extra: str) -> Iterator[Requirement]:
    """Yield what `extra` asks for, with what the project itself asks for and what the extras it names ask for."""
    for text in project["dependencies"]:
        yield Requirement(text)
    for text in project["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) != canonicalize_name(project["name"]):
            yield requirement
            continue
        for inner in sorted(requirement.extras):
            yield from direct_dependencies(project, inner)


def compare(project: Mapping[str, Any], locks: Mapping[str, str]) -> list[str]:
    """Return a complaint for each way in which `locks`, by extra, do not follow `project` or the lock `dev`."""
    complaints: list[str] = []
    development, _ = read_lock(locks["dev"])
    for extra in sorted(project["optional-dependencies"]):
        place = f"requirements/{extra}.txt"
        if extra not in locks:
            complaints.append(f"{place} is missing")
            continue
        versions, found = read_lock(locks[extra])
        complaints += [f"{place}: {complaint}" for complaint in found]
        for requirement in direct_dependencies(project, extra):
            version = versions.get(canonicalize_name(requirement.name))
            if version is None:
                complaints.append(f"{place}: {requirement.name} is not locked")
            elif not requirement.specifier.contains(version, prereleases=True):
                complaints.append(f"{place}: {requirement.name} is {version}, pyproject.toml asks for {requirement}")
        complaints += [
            f"{place}: {name} is {version}, the development lock has {development.get(name)}"
            for name, version in versions.items()
            if development.get(name) != version
        ]
    return list(dict.fromkeys(complaints))


def main() -> int:
    """Print the complaints about this checkout; return 1 when there are any."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locks = {path.stem: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}
    complaints = compare(project, locks)
    for complaint in complaints:
        print(complaint)
    if complaints:
        print("The locks do not follow pyproject.toml: run make lock.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
