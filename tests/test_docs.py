"""The tests that the documentation names exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RELIABILITY = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.compile(r"\b(?:tests/)?((?:\w+/)*test_\w+\.py)(?:::(\w+))?")
"""A test file as a path in tests/, and a test in it."""


@cache
def names_of_tests(path: Path) -> set[str]:
    """Return the names of the tests in a file, methods of its classes included."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    for path, test in NAMED.findall(page.read_text()):
        file = ROOT / "tests" / path
        assert file.is_file(), path
        assert not test or test in names_of_tests(file), f"{path}::{test}"


def test_each_failure_mode_names_its_test() -> None:
    rows = re.findall(r"^\| (?!what happens|input|---)(.*) \|$", RELIABILITY, re.MULTILINE)
    assert len(rows) > 30
    for row in rows:
        assert "::test_" in row or "the same tests" in row, row
