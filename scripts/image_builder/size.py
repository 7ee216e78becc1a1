"""How large an image is, unpacked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image_builder.command import output


@contextmanager
def mounted(reference: str) -> Iterator[Path]:
    """Show an image's files in a folder while the block runs; what is written there is lost."""
    container = output(["buildah", "from", "--pull-never", reference])
    try:
        yield Path(output(["buildah", "mount", container]))
    finally:
        output(["buildah", "rm", container])


def megabytes(reference: str) -> float:
    """Return the sum of the sizes of an image's files in millions of bytes, those of its base included."""
    with mounted(reference) as root:
        return int(output(["du", "--summarize", "--bytes", str(root)]).split()[0]) / 1e6
