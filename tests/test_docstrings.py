"""Public functions of two arguments or more document their parameters and what they return."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

FILES = sorted(path for folder in ("flows", "tasks") for path in (ROOT / folder).rglob("*.py"))
DOCUMENTED_ELSEWHERE = re.compile(r"\.command\(|\.callback\(|@?flow\(")
"""Typer prints a command's docstring as its help, with a text for each option. Prefect shows a flow's docstring, with
Google's sections, as the help of its form."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions(node: ast.AST) -> Iterator[Function]:
    """Functions of a module and methods of its classes whose names, and whose classes' names, are public."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child)
        if isinstance(child, Function) and not child.name.startswith("_"):
            yield child


def missing(function: Function) -> list[str]:
    """The sections and parameters that a function's docstring ought to have and has not."""
    parameters = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    names = [argument.arg for argument in parameters if argument.arg not in {"self", "cls"}]
    decorators = " ".join(f"@{ast.unparse(decorator)}" for decorator in function.decorator_list)
    if len(names) < 2 or DOCUMENTED_ELSEWHERE.search(decorators):
        return []
    text = ast.get_docstring(function) or ""
    sections = dict(re.findall(r"^(\w+)\n-{3,}\n(.*?)(?=^\w+\n-{3,}\n|\Z)", text, re.MULTILINE | re.DOTALL))
    documented = {
        name.strip(" *")
        for line in re.findall(r"^(\S.*?)(?: :.*)?$", sections.get("Parameters", ""), re.MULTILINE)
        for name in line.split(",")
    }
    returns = ast.unparse(function.returns) if function.returns else "None"
    wanted = ["Yields" if "Iterator" in returns or returns == "Disagreements" else "Returns"]  # a name for an iterator
    if returns in {"None", "NoReturn", "Iterator[None]"}:
        wanted = []
    return [name for name in names if name not in documented] + [name for name in wanted if name not in sections]


def test_what_is_missing_is_found() -> None:
    source = '''
def undocumented(a: int, b: int) -> int:
    """Add."""
def documented(a: int, b: int, *, c: int = 0) -> int:
    """Add.

    Parameters
    ----------
    a, b : int
        Numbers.
    c : int

    Returns
    -------
    int
        Their sum.
    """
def one_argument(a: int) -> int: ...
def _private(a: int, b: int) -> int: ...
'''
    found = {function.name: missing(function) for function in public_functions(ast.parse(source))}
    assert found == {"undocumented": ["a", "b", "Returns"], "documented": [], "one_argument": []}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_functions_document_parameters_and_returns(path: Path) -> None:
    lacking = {
        f"{function.name} (line {function.lineno})": gaps
        for function in public_functions(ast.parse(path.read_text(encoding="utf-8")))
        if (gaps := missing(function))
    }
    assert lacking == {}
