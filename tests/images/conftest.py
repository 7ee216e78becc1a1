"""Images for the tests of this folder: each is built once a session, when the first test wants it."""

import os
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from image_builder import stand_in
from image_builder.build import build
from image_builder.catalogue import IMAGES
from image_builder.command import output
from images.container import Built, built
from images.recipes import recipe


@pytest.fixture(scope="session")
def base() -> str:
    """The base image: the one that EYDP_TEST_BASE names, or a stand-in that needs no registry."""
    return os.environ.get("EYDP_TEST_BASE") or stand_in.ensure()


@pytest.fixture(scope="session")
def image(base: str) -> Iterator[Callable[[str], Built]]:
    """Return the image of a name, built from this checkout."""

    @cache
    def of(name: str) -> Built:
        reference = f"localhost/ey-data-platform-test/{name}:test"
        build(IMAGES[name], recipe(base), reference)
        return built(reference)

    yield of
    # What was built stays as a cache for the next run; names that nobody asked for do not.
    if of.cache_info().currsize:
        output(["buildah", "rmi", *(of(name).reference for name in IMAGES if _is_there(name))])


def _is_there(name: str) -> bool:
    return bool(output(["buildah", "images", "--quiet", "--filter", f"reference=ey-data-platform-test/{name}"]))
