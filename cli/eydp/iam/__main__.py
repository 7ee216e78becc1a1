"""`python -m eydp.iam`: the grants as a script or as Config Connector objects; check what is committed."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from carts_poller.settings import PollerSettings
from dataplatform import settings
from dataplatform.errors import PlatformError
from dataplatform.runtime import complain
from eydp.connector import folder
from eydp.iam.gcloud import script
from eydp.iam.installation import IDENTITIES, Installation, example
from eydp.iam.page import page

_COMMAND = "python -m eydp.iam --write"
_CONNECTOR = Path("k8s/config-connector")


def committed(of: Installation) -> Iterator[tuple[Path, str]]:
    """Yield the files that the repository holds, by their path below its root."""
    yield Path("docs/iam.md"), page(of)
    for identity in IDENTITIES:
        yield Path(f"k8s/gcloud/grants-{identity}.sh"), script(of, identity)
    for name, text in folder.files(of).items():
        yield _CONNECTOR / name, text


def stale(root: Path, of: Installation) -> list[Path]:
    """Return the committed files below `root` that are not what the table says."""
    return [
        path
        for path, text in committed(of)
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; return the exit code, 1 when --check finds a file out of date."""
    options = _parser().parse_args(arguments)
    root = Path(__file__).resolve().parents[3]
    if options.write:
        for path, text in committed(example()):
            _write(root / path, text)
        return 0
    if options.check:
        if found := stale(root, example()):
            sys.stderr.write(f"out of date, run `{_COMMAND}`: {', '.join(map(str, found))}\n")
        return int(bool(found))
    try:
        given = _installation(options)
    except PlatformError as error:
        complain(str(error))
        return error.exit_code
    if options.gcloud:
        sys.stdout.write(script(given, options.identity))
        return 0
    for name, text in folder.files(given).items():
        _write(options.config_connector / name, text)
    return 0


def _installation(options: argparse.Namespace) -> Installation:
    settings.refuse_unknown(settings.PlatformSettings, PollerSettings)
    return Installation(
        settings.load(settings.PlatformSettings),
        options.project_number,
        options.namespace,
        options.fullname,
        options.operator,
        ordering=settings.load(PollerSettings).ordering_keys,
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if path.suffix == ".sh":
        path.chmod(0o755)


def _parser() -> argparse.ArgumentParser:
    default = example()
    parser = argparse.ArgumentParser(
        prog="python -m eydp.iam",
        description="Who may do what: one table as a script, as Config Connector objects, as docs/iam.md.",
        epilog="--gcloud and --config-connector take the names from EYDP_PROJECT and the other settings.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--gcloud", action="store_true", help="print the script of gcloud and bq commands")
    what.add_argument("--config-connector", type=Path, metavar="FOLDER", help="write the objects into a folder")
    what.add_argument("--write", action="store_true", help="write the files that the repository holds")
    what.add_argument("--check", action="store_true", help="change nothing; exit 1 when one of them is out of date")
    parser.add_argument("--identity", choices=IDENTITIES, default="direct", help="of --gcloud (default: %(default)s)")
    parser.add_argument("--project-number", default=default.project_number, help="default: an example's")
    parser.add_argument("--namespace", default=default.namespace, help="of the release (default: %(default)s)")
    parser.add_argument("--fullname", default=default.fullname, help="of the release (default: %(default)s)")
    parser.add_argument(
        "--operator", default=default.operator, metavar="MEMBER", help="who operates it (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
