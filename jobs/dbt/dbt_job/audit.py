"""Write, audit, publish: which tables of the project are marts, and under which name they are built and tested.

A build writes each mart as `<table>__audit`, tests it there, and only then do readers get it. The suffix is put into
dbt's manifest after parsing, so that one parsed project serves both: builds work on the audited names, everything else
(`test`, `docs`, `run`) on the published ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SUFFIX = "__audit"
#: Folder of the models that readers are promised.
_LAYER = "marts"
_SELECTING = ("-s", "-m", "--select", "--models", "--model", "--exclude", "--selector", "--resource-type")
_FULL_REFRESH = ("--full-refresh", "-f")


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A column that holds keys of another mart."""

    column: str
    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Mart:
    """One published table: its name, whether a run adds to it, its key and what it points to."""

    table: str
    incremental: bool
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def audit_table(self) -> str:
        """Return the name under which it is built and tested."""
        return self.table + SUFFIX


def marts_of(manifest: Any) -> list[Mart]:
    """Return the marts of a parsed project in the order of their names: dimensions, facts, then what is made of them.

    Their foreign keys are the relations that the project tests.
    """
    names = {node.unique_id: str(node.alias) for node in _mart_nodes(manifest)}
    relations: dict[str, set[ForeignKey]] = {}
    for test in manifest.nodes.values():
        found = _relation(test, names)
        if found is not None:
            relations.setdefault(test.attached_node, set()).add(found)
    return sorted(
        (
            Mart(
                names[node.unique_id],
                node.config.materialized == "incremental",
                tuple(column.name for column in node.columns.values() if _is_key(column)),
                tuple(sorted(relations.get(node.unique_id, ()), key=lambda key: key.column)),
            )
            for node in _mart_nodes(manifest)
        ),
        key=lambda mart: mart.table,
    )


def under_audit(manifest: Any) -> Any:
    """Return a copy of a parsed project in which every mart has its audited name. The original stays as it is."""
    copy = manifest.deepcopy()
    for node in _mart_nodes(copy):
        node.alias += SUFFIX
        node.relation_name = f"{node.relation_name[:-1]}{SUFFIX}`"
    copy.build_flat_graph()
    return copy


def selects(args: Sequence[str]) -> bool:
    """Return whether a dbt command line names a part of the project."""
    return any(arg.partition("=")[0] in _SELECTING for arg in args)


def refreshes(args: Sequence[str]) -> bool:
    """Return whether a dbt command line asks for everything anew."""
    return any(arg in _FULL_REFRESH for arg in args)


def parse_options(args: Sequence[str]) -> list[str]:
    """Return what of a command line changes how the project is parsed: its variables."""
    found: list[str] = []
    for at, arg in enumerate(args):
        if arg == "--vars" and at + 1 < len(args):
            found += args[at : at + 2]
        elif arg.startswith("--vars="):
            found.append(arg)
    return found


def _mart_nodes(manifest: Any) -> Iterator[Any]:
    for node in manifest.nodes.values():
        if node.resource_type == "model" and len(node.fqn) > 1 and node.fqn[1] == _LAYER:
            yield node


def _is_key(column: Any) -> bool:
    return any(constraint.type == "primary_key" for constraint in column.constraints)


def _relation(test: Any, marts: Mapping[str, str]) -> ForeignKey | None:
    metadata = getattr(test, "test_metadata", None)
    if metadata is None or metadata.name != "relationships" or test.attached_node not in marts:
        return None
    [target] = [name for name in test.depends_on.nodes if name != test.attached_node] or [test.attached_node]
    if target not in marts:
        return None
    return ForeignKey(str(test.column_name), marts[target], str(metadata.kwargs["field"]))
