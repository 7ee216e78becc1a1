"""Hand this machine's package index to a build, as secrets of which nothing stays in the image."""

import ast
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from image_builder.command import CommandError, output

_KEPT = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
_CERTIFICATE_IN_THE_BUILD = "/run/secrets/ca.pem"


def settings() -> dict[str, str]:
    """Return what pip is configured with on this machine, from its files and the environment; empty without pip."""
    for pip in ([sys.executable, "-m", "pip"], *([found] for name in ("pip3", "pip") if (found := shutil.which(name)))):
        try:
            return parse(output([*pip, "config", "list"]))
        except CommandError:
            continue
    return {}


def parse(listing: str) -> dict[str, str]:
    """Return the options of a `pip config list`; those of the environment win, as they do in pip."""
    files: dict[str, str] = {}
    environment: dict[str, str] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        (environment if section == ":env:" else files)[option] = str(ast.literal_eval(value))
    return {**files, **environment}


def write_secrets(folder: Path, found: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Write pip's configuration and the certificates below `folder`; return buildah's options that mount them.

    An index that is a folder of this machine is left out: the build could not see it.
    """
    lines = ["[global]"]
    for name in _KEPT:
        words = [word for word in found.get(name, "").split() if not word.startswith(("file:", "/"))]
        if words:
            lines.append(f"{name} = {' '.join(words)}")
    options = []
    certificate = found.get("cert") or environment.get("SSL_CERT_FILE", "")
    if certificate and Path(certificate).is_file():
        lines.append(f"cert = {_CERTIFICATE_IN_THE_BUILD}")
        options += ["--secret", f"id=ca.pem,src={certificate}"]
    configuration = folder / "pip.conf"
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*options, "--secret", f"id=pip.conf,src={configuration}"]
