"""What the test images are built with: values that no default has."""

from dataclasses import replace

from image_builder.build import Recipe

RECIPE = Recipe(version="7.8.9", revision="0123abcd", created=1_700_000_000, source="https://example.com/source")


def recipe(base: str) -> Recipe:
    """The recipe of all test images on this base."""
    return replace(RECIPE, base=base)
