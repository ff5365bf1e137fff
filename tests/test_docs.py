"""The documentation: links and anchors resolve, named paths and tests exist, and quoted code is what the code says."""

import ast
import re
from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from flows.cli.look_up.new_user import NewUserLists
from tasks.core.comparison.accuracy_tests import AccuracyTest
from tasks.core.comparison.agreement import Curve, OtherSimilarity, Row
from tasks.core.comparison.answers import Answer
from tasks.core.comparison.factorial import Factorial, Interaction, SimpleEffect
from tasks.core.comparison.per_user import PerUser
from tasks.core.comparison.query_lists import Entry, Named, QueryLists
from tasks.core.comparison.references import Reference
from tasks.core.comparison.run_matrix import Matrix
from tasks.core.comparison.sweep import Point, Sweep
from tasks.core.comparison.verdict import RULE
from tasks.core.inference.multiplicity import Levels
from tasks.core.inference.repeated_looks import EarlierLook
from tasks.core.inference.sequential import Look
from tasks.core.planning.estimate import Estimate
from tasks.core.planning.precision import Precision
from tasks.core.planning.references import ReferencePlan
from tasks.core.planning.runs import RunRef
from tasks.core.ranking.reference_choice import ReferenceSettings
from tasks.reporting.accuracy import Accuracy
from tasks.reporting.convergence import Convergence
from tasks.reporting.result import Result
from tasks.tracking.logged_models.promotion import Promotion
from tests.paths import CONFIGS, ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FILES_WITH_PATHS = [*PAGES, ROOT / "prefect.yaml", ROOT / "Makefile", *sorted(CONFIGS.rglob("*.yaml"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TEST = re.compile(r"\b(?:tests/)?((?:\w+/)*test_\w+\.py)(?:::(\w+))?")
"""A test file as a path in tests/, and a test in it."""
_PATH = re.compile(r"(?<![\w./-])(?:configs|docs|flows|tasks|tests)/[\w./*-]*")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documented_fields(command: str) -> list[str]:
    """Return the names in backticks in a row of the JSON table of docs/cli.md."""
    json_table = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").partition("## JSON")[2]
    (row,) = re.findall(rf"^\| {re.escape(command)} \| (.*) \|$", json_table, re.MULTILINE)
    return re.findall(r"`(\w+)`", row)


@cache
def names_of_tests(path: Path) -> set[str]:
    """Return the names of the tests in a file, methods of its classes included."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_anchors_resolve(page: Path) -> None:
    broken = []
    for link in _LINK.findall(prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("file", FILES_WITH_PATHS, ids=name)
def test_named_paths_exist(file: Path) -> None:
    """A path starts at the root of the repository or, for tests, at `tests/`. It may contain wildcards."""
    paths = {path.rstrip("/.") for path in _PATH.findall(file.read_text(encoding="utf-8"))}
    assert sorted(path for path in paths if not [*ROOT.glob(path), *(ROOT / "tests").glob(path)]) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    for path, test in _TEST.findall(page.read_text(encoding="utf-8")):
        file = ROOT / "tests" / path
        assert file.is_file(), path
        assert not test or test in names_of_tests(file), f"{path}::{test}"


def test_each_failure_mode_names_its_test() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!what happens|input|---)(.*) \|$", page, re.MULTILINE)
    assert len(rows) > 30
    for row in rows:
        assert "::test_" in row or "the same tests" in row, row


def test_the_rule_of_the_verdict_is_quoted() -> None:
    page = (ROOT / "docs" / "verdict.md").read_text(encoding="utf-8")
    rows = "\n".join(f"| `{verdict}` | {text} |" for verdict, text in RULE.items())
    assert f"| --- | --- |\n{rows}\n\n" in page


@pytest.mark.parametrize(
    ("command", "records"),
    [
        ("`run`, `compare`, `show` of a comparison", [Result]),
        ("… `answers`", [Answer]),
        ("… `factorial`", [Factorial, SimpleEffect, Interaction]),
        ("… `matrices`", [Matrix]),
        ("… `references`", [Reference]),
        ("… `per_user`", [PerUser]),
        ("… `accuracy_tests`", [AccuracyTest]),
        ("… `reference_settings`", [ReferenceSettings]),
        ("… `convergence`", [Convergence]),
        ("… `comparison`", [Row]),
        ("… `curves`", [Curve]),
        ("… `queries`", [QueryLists, Entry]),
        ("… `accuracy`", [Accuracy]),
        ("… `sweep`", [Sweep, Point]),
        ("… `runs`", [RunRef]),
        ("… `look`", [Look, Levels]),
        ("… `earlier_looks`", [EarlierLook]),
        ("… `other_similarity`", [OtherSimilarity]),
        ("`recommend --items`", [NewUserLists, Named]),
        ("`promote`", [Promotion]),
        ("`check`", [Estimate, Precision, ReferencePlan]),
    ],
)
def test_the_json_of_commands_is_documented(command: str, records: list[type]) -> None:
    expected = [field.name for record in records for field in fields(record)]
    assert set(expected) - set(documented_fields(command)) == set()


BENCHMARKS = sorted(path for path in (ROOT / "tests/benchmarks").glob("*.py") if not path.stem.startswith("test_"))


@pytest.mark.parametrize("script", BENCHMARKS, ids=name)
def test_a_benchmark_starts_with_the_command_that_is_documented(script: Path) -> None:
    """A script finds what lies beside it, a module what begins with `tests`, and both what they import from `tasks`."""
    texts = [path.read_text(encoding="utf-8") for path in (*PAGES, ROOT / "Makefile", script)]
    as_script = any(f"tests/benchmarks/{script.name}" in re.findall(r"python\S* (\S+)", text) for text in texts)
    as_module = any(f"-m tests.benchmarks.{script.stem}" in text for text in texts)
    imports = [node for node in ast.parse(texts[-1]).body if isinstance(node, ast.ImportFrom)]
    beside = {path.stem for path in BENCHMARKS}
    modules = {str(node.module) for node in imports}
    assert not (as_script and any(module.startswith("tests.") for module in modules))
    assert not (as_module and modules & beside)
    for node in imports:
        if str(node.module).startswith(("tasks.", "flows.")):
            module = import_module(str(node.module))
            assert all(hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}") for alias in node.names)
