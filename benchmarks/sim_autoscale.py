"""Simulate the consumer's autoscaling over a day with campaigns and an outage.

    make sim-autoscale                          # print the tables
    make sim-autoscale ARGS=--write             # write docs/autoscaling.md and its plot
    make sim-autoscale ARGS=--check             # change nothing; exit 1 when they are out of date

Pure Python and seeded: the same chart values give the same numbers on every machine.
"""

import argparse
import sys
from pathlib import Path

from autoscale.day import a_day
from autoscale.page import PLOT, page

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Print, write or check; return the exit code."""
    parser = argparse.ArgumentParser(prog="sim_autoscale", description="A day of the consumer's autoscaling.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write docs/autoscaling.md and its plot")
    what.add_argument("--check", action="store_true", help="change nothing; exit 1 when they are out of date")
    options = parser.parse_args(arguments)
    text, picture = page(a_day())
    made = {ROOT / "docs" / "autoscaling.md": text, ROOT / "docs" / "images" / PLOT: picture}
    if options.write:
        for path, content in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    elif options.check:
        stale = [path.name for path, content in made.items() if not path.is_file() or path.read_text() != content]
        if stale:
            print(f"out of date, run `make sim-autoscale ARGS=--write`: {', '.join(stale)}")
        return int(bool(stale))
    else:
        print("\n".join(line for line in text.splitlines() if line.startswith(("|", "Varying", "Computed"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
