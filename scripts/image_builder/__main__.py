"""`make images`: build all images, or those that are named, and print their sizes."""

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime

from image_builder import stand_in
from image_builder.build import build, this_checkout
from image_builder.catalogue import IMAGES
from image_builder.command import CommandError
from image_builder.size import megabytes


def main(arguments: list[str] | None = None) -> int:
    """Build the images; return 1 with one message when it can't be done."""
    parser = argparse.ArgumentParser(prog="make images", description="Build the images with buildah, as root.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(IMAGES)} (default: all)")
    parser.add_argument("--tag", default="", help="default: the version of the platform")
    parser.add_argument(
        "--prefix", default="localhost/ey-data-platform/", help="stands before NAME (default: %(default)s)"
    )
    bases = parser.add_mutually_exclusive_group()
    bases.add_argument("--base", default="", metavar="REF", help="base image (default: the one that is pinned)")
    bases.add_argument("--stand-in", action="store_true", help="make the base here, where no registry can be reached")
    parser.add_argument("--source", default="", metavar="URL", help="address of the source code, for the label")
    parser.add_argument("--no-cache", action="store_true", help="do every step again, as for a release")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(IMAGES)):
        parser.error(f"there is no image {unknown[0]}; there are {', '.join(IMAGES)}")
    try:
        base = stand_in.ensure() if options.stand_in else options.base
        recipe = replace(this_checkout(base=base, source=options.source), cached=not options.no_cache)
        for name in options.names or IMAGES:
            reference = f"{options.prefix}{name}:{options.tag or recipe.version}"
            started = datetime.now(UTC)
            build(IMAGES[name], recipe, reference)
            seconds = (datetime.now(UTC) - started).total_seconds()
            print(f"{reference:<50} {megabytes(reference):>5.0f} MB  {seconds:>4.0f} s", flush=True)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
