"""`python -m eydp.alerts`: write the chart's rules and docs/alerts.md, or with --check say which are out of date."""

import argparse
import sys
from pathlib import Path

from eydp.alerts.rules import files


def stale(root: Path) -> list[Path]:
    """Return the files below `root` that are not what the source says."""
    return [
        path
        for path, text in files().items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write the files; with --check change nothing and return 1 when one is out of date."""
    parser = argparse.ArgumentParser(prog="python -m eydp.alerts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is out of date")
    check = parser.parse_args(arguments).check
    root = Path(__file__).resolve().parents[3]
    found = stale(root)
    if check and found:
        sys.stderr.write(f"out of date, run `make docs`: {', '.join(map(str, found))}\n")
        return 1
    if not check:
        for path in found:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(files()[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
