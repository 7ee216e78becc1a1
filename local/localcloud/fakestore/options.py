"""What a run of the stand-in is started with, and the part of it that can be changed while it runs."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

UnknownIdBody = Literal["null", "empty"]


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes are totals: the real records first, generated ones after them. The defaults are the real data."""

    products: int = 20
    users: int = 10
    carts: int = 7
    seed: int = 1
    lines_per_cart: int | None = None
    """Lines in each generated cart; None lets the number vary from 1 to 4."""
    change_rate: float = 0.0
    """Carts changed in a second, on average."""
    etags: bool = False
    unknown_id: UnknownIdBody = "null"


@dataclass(slots=True)
class Settings:
    """What an admin may change while the stand-in runs."""

    change_rate: float
    etags: bool
    unknown_id: UnknownIdBody

    @classmethod
    def of(cls, options: Options) -> "Settings":
        """Return the settings a run begins with."""
        return cls(change_rate=options.change_rate, etags=options.etags, unknown_id=options.unknown_id)


@dataclass(frozen=True, slots=True)
class Arguments:
    """The parsed command line."""

    host: str
    port: int
    options: Options


def parse(argv: Sequence[str]) -> Arguments:
    """Parse the command line; a wrong one ends the program with code 2 and a sentence, as argparse does."""
    default = Options()
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.fakestore",
        description="Serve a stand-in for the FakeStore API: real records or any number of generated ones.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    parser.add_argument("--port", type=_whole(0, 65535), default=0, help="port to bind, 0 for a free one (default)")
    for entity in ("products", "users", "carts"):
        parser.add_argument(
            f"--{entity}",
            type=_whole(0),
            default=getattr(default, entity),
            metavar="N",
            help=f"how many {entity}: real ones first, then generated (default: %(default)s, the real ones)",
        )
    parser.add_argument("--seed", type=_whole(0), default=default.seed, help="the same seed generates the same records")
    parser.add_argument(
        "--lines-per-cart",
        type=_whole(1, 1000),
        metavar="N",
        help="lines in a generated cart (default: 1 to 4)",
    )
    parser.add_argument(
        "--change-rate",
        type=_rate,
        default=0.0,
        metavar="N",
        help="carts changed in a second (default: none)",
    )
    parser.add_argument("--etags", action="store_true", help="send ETag and Last-Modified, answer 304")
    parser.add_argument(
        "--unknown-id", choices=("null", "empty"), default="null", help="body of the answer to an unknown id"
    )
    values = vars(parser.parse_args(argv))
    host, port = values.pop("host"), values.pop("port")
    return Arguments(host=host, port=port, options=Options(**values))


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    bounds = f"of {least} or more" if most is None else f"from {least} to {most}"

    def number(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() else -1
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {bounds}")
        return value

    return number


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate from 0 to 1,000,000 carts a second")
    return value
