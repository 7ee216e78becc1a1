"""Entry point of `python -m eydp`."""

from eydp.main import run

run()
