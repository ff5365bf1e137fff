"""Which module may import what: one direction of imports, between packages too, and few modules for each framework."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.paths import ROOT

FILES = sorted(path for folder in ("flows", "tasks") for path in (ROOT / folder).rglob("*.py"))
STEPS = ("download", "preprocess", "train", "evaluate", "upload", "look", "compare", "consensus", "external", "search")
LAYERS = [
    ["flows.cli", "flows.__main__"],
    ["flows"],
    [f"tasks.{step}" for step in (*STEPS, "held_out", "reference_accuracy")],
    ["tasks.recovery"],
    ["tasks.tracking"],
    ["tasks.reporting"],
    ["tasks.core.external"],
    ["tasks.core.planning", "tasks.core.training", "tasks.core.search"],
    ["tasks.core.comparison"],
    ["tasks.core.inference"],
    ["tasks.core.ranking"],
    ["tasks.core.models"],
    ["tasks.core.data"],
    ["tasks.core.config"],
    ["tasks.core"],
]
"""A module imports from its own layer and from those below. The last holds errors, types, files and formatting."""
MOST_FILES = 13
"""In a folder, its `__init__.py` aside."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def layer(dotted: str) -> int:
    """Return the number of a module's layer: that of the longest prefix that LAYERS names."""
    prefixes = [
        (len(prefix), number) for number, layer in enumerate(LAYERS) for prefix in layer if within(dotted, prefix)
    ]
    assert prefixes, f"{dotted} belongs to no layer"
    return max(prefixes)[1]


def within(dotted: str, package: str) -> bool:
    return dotted == package or dotted.startswith(f"{package}.")


@cache
def imports(source: str, *, typing: bool = True) -> set[str]:
    """Return the dotted names that a module imports anywhere; `typing=False` leaves out what only type checkers see."""
    return set(_imports(ast.parse(source), typing=typing))


def _imports(node: ast.AST, *, typing: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ("." * node.level + f"{node.module or ''}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.If) and not typing and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for statement in node.orelse:
            yield from _imports(statement, typing=typing)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, typing=typing)


def from_packages(imported: set[str], *packages: str) -> set[str]:
    return {dotted for dotted in imported if any(within(dotted, package) for package in packages)}


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


def test_the_layer_of_a_module_is_that_of_its_package() -> None:
    assert layer("tasks.train") == 2
    assert layer("tasks.core.data.readers.text") == layer("tasks.core.data.catalogue") == 12
    assert layer("tasks.core.errors") == len(LAYERS) - 1


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_go_down_the_layers(path: Path) -> None:
    own = layer(module(path)) if path.name != "__init__.py" else 0
    imported = from_packages(imports(path.read_text()), "tasks", "flows")
    assert {dotted for dotted in imported if layer(dotted) < own} == set()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_are_absolute(path: Path) -> None:
    assert {dotted for dotted in imports(path.read_text()) if dotted.startswith(".")} == set()


def test_no_two_modules_import_each_other() -> None:
    modules = {module(path): path for path in FILES}
    graph = {}
    for dotted, path in modules.items():
        imported = from_packages(imports(path.read_text()), "tasks", "flows")
        graph[dotted] = modules.keys() & (imported | {target.rpartition(".")[0] for target in imported})
    remaining = dict(graph)
    while free := {dotted for dotted, targets in remaining.items() if not targets & remaining.keys() - {dotted}}:
        remaining = {dotted: targets for dotted, targets in remaining.items() if dotted not in free}
    assert sorted(remaining) == []


@pytest.mark.parametrize(
    ("package", "users"),
    [
        ("mlflow", ["tasks/tracking/"]),
        (
            "prefect",
            [
                *(
                    f"flows/{name}.py"
                    for name in (
                        "experiment",
                        "compare",
                        "search",
                        "flow_run",
                        "publish",
                        "embedded_server",
                        "environment",
                    )
                ),
                *(f"tasks/{step}.py" for step in STEPS),
            ],
        ),
        ("prefect_dask", ["flows/fits.py"]),
        ("distributed", []),
        ("implicit", [f"tasks/core/models/{name}.py" for name in ("als", "fold_in", "item_knn")]),
        ("pyspark", ["tasks/core/models/spark/"]),
        ("py4j", ["tasks/core/models/spark/reasons.py"]),
        ("optuna", ["tasks/core/search/"]),
        ("rich", ["flows/cli/"]),
        ("typer", ["flows/cli/"]),
        ("matplotlib", ["tasks/reporting/drawing.py"]),
        ("jinja2", ["tasks/reporting/report.py"]),
    ],
)
def test_few_modules_import_a_framework(package: str, users: list[str]) -> None:
    """What only type checkers see does not count."""
    found = {name(path) for path in FILES if from_packages(imports(path.read_text(), typing=False), package)}
    assert {path for path in found if not any(path == user or path.startswith(user) for user in users)} == set()
    assert all(any(path == user or path.startswith(user) for path in found) for user in users)


def test_no_module_imports_what_takes_long_to_import() -> None:
    """Its distributions are functions of `scipy.special`, which hardly takes time."""
    assert {name(path) for path in FILES if from_packages(imports(path.read_text()), "scipy.stats")} == set()


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=name)
def test_a_folder_shows_its_subject_at_a_glance(folder: Path) -> None:
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES


def test_no_module_in_flows_is_called_like_a_dependency() -> None:
    """Prefect puts a script's folder first on sys.path: such a module would hide the library."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    distributions = {re.split(r"[\[>=]", dependency)[0].strip().lower() for dependency in declared}
    modules = {
        package
        for package, owners in packages_distributions().items()
        if distributions & {owner.lower() for owner in owners}
    }
    assert {"yaml", "prefect", "mlflow", "implicit"} <= modules
    taken = modules | distributions | sys.stdlib_module_names | {"tasks", "flows"}
    own = {path.stem for path in (ROOT / "flows").glob("*.py") if not path.stem.startswith("__")}
    assert own & taken == set()


def test_the_code_that_mlflow_stores_with_a_model_imports_nothing_of_the_project() -> None:
    source = (ROOT / "tasks" / "tracking" / "logged_models" / "pyfunc_model.py").read_text()
    assert from_packages(imports(source), "tasks", "flows", "prefect", "implicit") == set()
