"""Which module may import what: flows -> tasks -> tasks.core, one way."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.paths import ROOT

FILES = sorted(path for folder in ("flows", "tasks") for path in (ROOT / folder).rglob("*.py"))
MODEL = ("registry", "model")
CORE = [path for path in FILES if path.is_relative_to(ROOT / "tasks" / "core")]
TASKS = [path for path in FILES if path.is_relative_to(ROOT / "tasks") and path not in CORE]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(source: str, *, typing: bool = True) -> set[str]:
    """Dotted names that a module imports anywhere; `typing=False` leaves out what only type checkers see."""
    return set(_imports(ast.parse(source), typing=typing))


def _imports(node: ast.AST, *, typing: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ("." * node.level + f"{node.module or ''}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.If) and not typing and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for each in node.orelse:
            yield from _imports(each, typing=typing)
    else:
        for each in ast.iter_child_nodes(node):
            yield from _imports(each, typing=typing)


def of(found: set[str], *packages: str) -> set[str]:
    return {each for each in found if any(each == package or each.startswith(package + ".") for package in packages)}


def test_imports_are_found_wherever_they_stand() -> None:
    source = """
import a.b
from c import d
if TYPE_CHECKING:
    import e
else:
    import f
def g():
    from h.i import j as k
"""
    assert imports(source) == {"a.b", "c.d", "e", "f", "h.i.j"}
    assert imports(source, typing=False) == {"a.b", "c.d", "f", "h.i.j"}


def test_the_project_is_there() -> None:
    assert {"tasks/core/als.py", "tasks/tracking.py", "flows/cli.py"} <= {name(path) for path in FILES}


@pytest.mark.parametrize("path", CORE, ids=name)
def test_the_core_knows_neither_frameworks_nor_what_uses_it(path: Path) -> None:
    found = imports(path.read_text())
    assert of(found, "prefect", "mlflow", "flows") == set()
    assert of(found, "tasks") == of(found, "tasks.core")


@pytest.mark.parametrize("path", TASKS, ids=name)
def test_tasks_do_not_know_flows(path: Path) -> None:
    assert of(imports(path.read_text()), "flows") == set()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_are_absolute(path: Path) -> None:
    assert {each for each in imports(path.read_text()) if each.startswith(".")} == set()


@pytest.mark.parametrize(
    ("package", "only"),
    [
        (
            "mlflow",
            {f"tasks/{name}.py" for name in ("tracking", "runs", "artifacts", "upload", "verify", *MODEL)},
        ),
        ("implicit", {"tasks/core/als.py", "tasks/core/recommenders.py"}),
        ("distributed", set()),
        ("prefect_dask", {"flows/fits.py"}),
    ],
)
def test_few_modules_know_a_library(package: str, only: set[str]) -> None:
    users = {name(path) for path in FILES if of(imports(path.read_text(), typing=False), package)}
    assert users == only


def test_no_module_is_called_like_a_dependency() -> None:
    """Prefect puts a script's folder first on sys.path: such a module would hide the library."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    distributions = {each.split(">")[0].split("=")[0].strip().lower() for each in declared}
    modules = {
        module
        for module, owners in packages_distributions().items()
        if distributions & {owner.lower() for owner in owners}
    }
    assert {"yaml", "prefect", "mlflow", "implicit"} <= modules
    taken = modules | distributions | sys.stdlib_module_names | {"tasks", "flows"}
    own = {path.stem for path in FILES if not path.stem.startswith("__")}
    assert own & taken == set()


def test_what_mlflow_stores_with_a_model_imports_nothing_of_ours() -> None:
    assert of(imports((ROOT / "tasks" / "model.py").read_text()), "tasks", "flows", "prefect", "implicit") == set()
