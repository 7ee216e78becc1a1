"""Build one image from its Dockerfile."""

import os
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from image_builder import index
from image_builder.catalogue import ROOT, Image
from image_builder.command import CommandError, output

_LABELS = "org.opencontainers.image"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a build is told: the same recipe makes the same layers, byte for byte, when it is not cached."""

    base: str = ""
    """Reference of the base image; empty takes the one that the Dockerfile pins."""
    version: str = ""
    revision: str = "unknown"
    created: int = 0
    """Seconds since 1970: the time of every file, of the image and of its label (SOURCE_DATE_EPOCH)."""
    source: str = ""
    """Address of the source code, for the label."""
    cached: bool = True
    """Whether steps that were built before are taken as they are, the times of their files included."""


def this_checkout(*, base: str = "", source: str = "") -> Recipe:
    """Return the recipe of the commit that is checked out, with its time unless SOURCE_DATE_EPOCH says another."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = str(tomllib.load(file)["project"]["version"])
    try:
        revision = output(["git", "-C", str(ROOT), "rev-parse", "HEAD"])
        committed = output(["git", "-C", str(ROOT), "log", "-1", "--format=%ct"])
    except CommandError:  # an unpacked archive has no history
        revision, committed = "unknown", "0"
    created = int(os.environ.get("SOURCE_DATE_EPOCH") or committed)
    return Recipe(base=base, version=version, revision=revision, created=created, source=source)


def build(image: Image, recipe: Recipe, reference: str) -> None:
    """Build an image and name it `reference`.

    Raises:
        CommandError: buildah failed; the message holds its last words.
    """
    labels = {
        "VERSION": recipe.version,
        "REVISION": recipe.revision,
        "CREATED": output(["date", "--utc", f"--date=@{recipe.created}", "+%Y-%m-%dT%H:%M:%SZ"]),
        "SOURCE": recipe.source,
    }
    arguments = {**labels, **({"BASE": recipe.base} if recipe.base else {})}
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *("buildah", "build", "--file", str(image.dockerfile), "--tag", reference),
            # The format of Docker: that of OCI has no health check.
            *("--format", "docker", "--timestamp", str(recipe.created)),
            # Steps need no container of their own to be isolated from: they only install and compile.
            *("--isolation", "chroot", "--network", "host"),
            "--layers" if recipe.cached else "--no-cache",
            *(word for name, value in sorted(arguments.items()) for word in ("--build-arg", f"{name}={value}")),
            # Once more as options: buildah 1.28 takes a LABEL from its cache although the arguments are others.
            *(word for name, value in labels.items() for word in ("--label", f"{_LABELS}.{name.lower()}={value}")),
            *index.write_secrets(Path(folder), index.settings()),
            str(ROOT),
        ]
        output(command)
