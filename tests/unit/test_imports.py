"""Who may import whom, and that importing does nothing. Read from the syntax, so that no module needs to be run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Each package of the project with the others that it may import. Only the command, the tests and the benchmarks,
#: which are no package, bring everything together.
ALLOWED: dict[str, frozenset[str]] = {
    "dataplatform": frozenset(),
    "carts_poller": frozenset({"dataplatform"}),
    "carts_consumer": frozenset({"dataplatform"}),
    "batch_ingest": frozenset({"dataplatform"}),
    "dbt_job": frozenset({"dataplatform"}),
    "localcloud": frozenset({"dataplatform"}),
    "eydp": frozenset({"dataplatform", "carts_poller", "carts_consumer", "batch_ingest", "dbt_job", "localcloud"}),
}
FOLDERS = {
    "dataplatform": "common",
    "carts_poller": "services/poller",
    "carts_consumer": "services/consumer",
    "batch_ingest": "jobs/batch",
    "dbt_job": "jobs/dbt",
    "localcloud": "local",
    "eydp": "cli",
}

#: What talks to the outside or reads the environment, by the dotted name that is called.
TALKING = (
    "os.environ",
    "os.getenv",
    "dotenv_values",
    "load_dotenv",
    "open",
    "urlopen",
    "print",
    "input",
    "socket.",
    "subprocess.",
    "requests.",
    "asyncio.run",
    "aiohttp.ClientSession",
    "grpc.",
    "logging.basicConfig",
    "structlog.configure",
    "storage_client",
    "bigquery_client",
    "write_client",
    "publisher_client",
    "subscriber_client",
    "storage.Client",
    "bigquery.Client",
    "signal.signal",
    "threading.Thread",
)
#: Ends of calls on objects, whatever they are called.
TALKING_METHODS = ("read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "connect", "start")


@dataclass(frozen=True)
class Module:
    """A module of the project: its package, where it is, its syntax."""

    package: str
    path: Path
    tree: ast.Module

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))


def modules() -> Iterator[Module]:
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            yield Module(package, path, ast.parse(path.read_text(encoding="utf-8")))


def imported(tree: ast.AST) -> set[str]:
    """The top-level packages that are imported anywhere in the syntax, in functions too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def at_import(tree: ast.Module) -> Iterator[ast.expr]:
    """The calls and subscripts that are evaluated when the module is imported: what stands outside functions, and the
    defaults and decorators of functions."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if _is_main_guard(node):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [default for default in node.args.kw_defaults if default]
            waiting += [*node.decorator_list, *node.args.defaults, *defaults]
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Call | ast.Subscript | ast.Attribute):
            yield node
        waiting += list(ast.iter_child_nodes(node))


def _is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def talks(node: ast.expr) -> bool:
    """Whether the expression talks to the outside or reads the environment."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        method = isinstance(node.func, ast.Attribute) and node.func.attr in TALKING_METHODS
        return method or any(
            name == word.rstrip(".") or (name.startswith(word) and word.endswith(".")) for word in TALKING
        )
    return ast.unparse(node).startswith("os.environ")


ALL = list(modules())


def test_every_package_is_there() -> None:
    assert {module.package for module in ALL} == set(ALLOWED)


@pytest.mark.parametrize("module", ALL, ids=str)
def test_a_module_imports_no_package_of_the_project_that_it_may_not(module: Module) -> None:
    others = imported(module.tree) & set(ALLOWED) - {module.package}
    assert others <= ALLOWED[module.package]


@pytest.mark.parametrize("module", ALL, ids=str)
def test_no_module_of_the_project_imports_the_tests(module: Module) -> None:
    assert not imported(module.tree) & {"support", "tests", "conftest", "pytest", "benchmarks"}


@pytest.mark.parametrize("module", [module for module in ALL if module.path.name != "__main__.py"], ids=str)
def test_importing_a_module_talks_to_nobody_and_reads_no_environment(module: Module) -> None:
    """A `__main__` is left out: it is run, never imported."""
    assert [f"line {node.lineno}: {ast.unparse(node)}" for node in at_import(module.tree) if talks(node)] == []


def test_the_shared_library_imports_googles_clients_only_where_they_are_used() -> None:
    """A program pays for the clients it uses: importing the library brings none."""
    for module in ALL:
        if module.package != "dataplatform":
            continue
        top = {name for node in module.tree.body for name in _full_names(node)}
        assert not [name for name in top if name.startswith(("google.cloud", "google.pubsub", "grpc"))], str(module)


def _full_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


@pytest.mark.parametrize(
    "code",
    [
        "import os\nHOME = os.environ['HOME']",
        "import os\nHOME = os.environ.get('HOME')",
        "import os\nHOME = os.getenv('HOME')",
        "def f(client=storage.Client()): ...",
        "def f(*, client=storage_client(a, b)): ...",
        "class A:\n    client = bigquery.Client()",
        "if True:\n    DATA = Path('x').read_text()",
        "with open('x') as f: ...",
        "@cache(subprocess.run(['x']))\ndef f(): ...",
    ],
)
def test_the_guard_sees_what_happens_at_import(code: str) -> None:
    assert any(talks(node) for node in at_import(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    return os.environ['HOME']",
        "f = lambda: open('x')",
        "class A:\n    def f(self):\n        self.socket.connect()",
        "if __name__ == '__main__':\n    print('x')",
        "import re\nWORD = re.compile('x')",
    ],
)
def test_the_guard_lets_pass_what_happens_later(code: str) -> None:
    assert not any(talks(node) for node in at_import(ast.parse(code)))


def test_the_guard_sees_imports_wherever_they_stand() -> None:
    code = "def f():\n    import carts_poller.state\nclass A:\n    from batch_ingest import run\n"
    assert imported(ast.parse(code)) == {"carts_poller", "batch_ingest"}
