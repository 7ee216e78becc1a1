"""The command line is checked, and its defaults are the real data."""

import pytest

from localcloud.fakestore.options import Options, parse
from support import golden


def test_the_defaults_are_the_real_data_on_a_free_local_port() -> None:
    arguments = parse([])

    assert (arguments.host, arguments.port) == ("127.0.0.1", 0)
    assert arguments.options == Options()
    assert (arguments.options.products, arguments.options.users) == (golden.PRODUCTS, golden.USERS)
    assert arguments.options.carts == golden.CARTS


def test_every_option_arrives() -> None:
    text = "--port 81 --products 1 --users 2 --carts 3 --seed 4 --lines-per-cart 5 --change-rate 0.5 --etags"

    arguments = parse([*text.split(), "--unknown-id", "empty"])

    assert arguments.port == 81
    assert arguments.options == Options(
        products=1,
        users=2,
        carts=3,
        seed=4,
        lines_per_cart=5,
        change_rate=0.5,
        etags=True,
        unknown_id="empty",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--carts", "-1"],
        ["--carts", "1.5"],
        ["--carts", "many"],
        ["--port", "65536"],
        ["--lines-per-cart", "0"],
        ["--change-rate", "-1"],
        ["--change-rate", "nan"],
        ["--change-rate", "fast"],
        ["--unknown-id", "404"],
        ["--colour", "red"],
    ],
)
def test_a_wrong_argument_ends_with_code_two_and_names_it(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)

    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err
