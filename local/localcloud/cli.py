"""The command line: `python -m localcloud up | down | status | env`."""

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from dataplatform.errors import ConfigurationError, PlatformError
from localcloud.control import down, run_supervisor, up_attached, up_detached
from localcloud.fakestore.options import parse as parse_source
from localcloud.ports import Ports, option
from localcloud.stack import PROJECT, StackOptions
from localcloud.state import StackState, lock_holder, read_state

_NOT_UP = 3
"""Exit code of `status` and `env` when there is no stack, as init scripts have it."""

_SHOP = ("products", "users", "carts", "seed", "lines-per-cart", "change-rate", "unknown-id")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what goes wrong is one message on stderr."""
    given = _parser().parse_args(argv)
    try:
        return _COMMANDS[given.command](given)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"The folder {given.data_dir} can't be used: {error.strerror or error}.\n")
        return ConfigurationError.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _up(given: argparse.Namespace) -> int:
    source_arguments = [f"--{name}={value}" for name in _SHOP if (value := getattr(given, name)) is not None]
    source_arguments += ["--etags"] if given.etags else []
    parse_source(source_arguments)
    options = StackOptions(
        data_dir=given.data_dir,
        ports=Ports(**{field.name: getattr(given, f"port_{field.name}") for field in fields(Ports)}),
        fresh=given.fresh,
        project=given.project,
        source_arguments=tuple(source_arguments),
    )
    if given.supervisor:
        return run_supervisor(options)
    if given.detach:
        _announce(up_detached(options))
        return 0
    return up_attached(options, _announce)


def _down(given: argparse.Namespace) -> int:
    stopped = down(given.data_dir)
    sys.stdout.write("The stack is down.\n" if stopped else "The stack was not up.\n")
    return 0


def _status(given: argparse.Namespace) -> int:
    state = read_state(given.data_dir)
    if state is None:
        starting = lock_holder(given.data_dir) is not None
        if given.json:
            sys.stdout.write(json.dumps({"up": False, "starting": starting}) + "\n")
        else:
            sys.stdout.write("The stack is starting.\n" if starting else "The stack is not up.\n")
        return _NOT_UP
    if given.json:
        sys.stdout.write(json.dumps({"up": True, **json.loads(state.to_json())}, indent=2) + "\n")
    else:
        _announce(state)
    return 0


def _env(given: argparse.Namespace) -> int:
    state = read_state(given.data_dir)
    if state is None:
        sys.stderr.write("The stack is not up: start it with `up --detach`.\n")
        return _NOT_UP
    variables = {**state.environment, **(state.tools if given.tools else {})}
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


def _announce(state: StackState) -> None:
    lines = [f"The stack is up (process {state.supervisor.pid}, project {state.project})."]
    lines += [f"  {name:<17} {address}" for name, address in state.endpoints.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


_COMMANDS = {"up": _up, "down": _down, "status": _status, "env": _env}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud", description="The shop, Pub/Sub, Cloud Storage and BigQuery on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--data-dir", type=Path, default=Path(".local"), help="where everything is kept (default: %(default)s)"
    )
    up = commands.add_parser(
        "up",
        parents=[shared],
        help="start the stack and run it until Ctrl-C",
    )
    up.add_argument("--detach", action="store_true", help="return once it is up, and leave it running")
    up.add_argument("--supervisor", action="store_true", help=argparse.SUPPRESS)
    up.add_argument("--fresh", action="store_true", help="wipe buckets and datasets first")
    up.add_argument("--project", default=PROJECT, help="the project (default: %(default)s)")
    for field in fields(Ports):
        up.add_argument(
            option(field.name), dest=f"port_{field.name}", type=int, default=0, metavar="N", help="default: a free one"
        )
    shop = up.add_argument_group("the shop", "as in `python -m localcloud.fakestore --help`")
    for name in _SHOP:
        shop.add_argument(f"--{name}", dest=name, metavar="VALUE")
    shop.add_argument("--etags", action="store_true")
    commands.add_parser("down", parents=[shared], help="stop the stack; keeps buckets and datasets")
    status = commands.add_parser("status", parents=[shared], help="say where the stack is; exit code 3: it is not up")
    status.add_argument("--json", action="store_true", help="for scripts")
    env = commands.add_parser("env", parents=[shared], help="print the variables of the stack, for `eval`")
    env.add_argument("--tools", action="store_true", help="also those that make bq and gcloud use the stack")
    return parser
