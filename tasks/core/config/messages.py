"""pydantic's errors in words, each with its line and the nearest known name."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from tasks.core.config.als import AlsConfig, SteadyStop
from tasks.core.config.dataset import Columns, Transform
from tasks.core.config.evaluation import SPLITS
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.yaml_source import KeyPath, Problem, Source
from tasks.core.formatting import did_you_mean, shortened

_ALLOWED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "keys and values",
    "model_attributes_type": "keys and values",
    "model_type": "keys and values",
    "tuple_type": "a list",
}
_UNIONS = {("evaluation", "split"), ("preprocess", "confidence"), ("execution", "workers")}
"""Of which pydantic says, as one key more, which member it has tried."""


def explained(source: Source, details: list[ErrorDetails]) -> list[Problem]:
    """pydantic's errors as problems, one for each fault: unions and lists report some faults more than once."""
    faults = [(_path(detail), detail) for detail in details if detail["loc"]]
    paths = [path for path, _ in faults]
    problems = []
    for path, detail in faults:
        another_branch = detail["type"].endswith("_type") and any(
            other == path and not known["type"].endswith("_type") for other, known in faults
        )
        an_item_failed = detail["type"] == "too_short" and any(other[:-1] == path for other in paths)
        if not another_branch and not an_item_failed:
            problems.append(_explain(source, path, detail))
    return problems


def _path(detail: ErrorDetails) -> KeyPath:
    """The key path in the file: pydantic adds the member of a union that it tried, and what it says of keys."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    if path[:2] in _UNIONS:
        path = path[:2] + path[3:]
    for columns in (("dataset", "columns"), ("evaluation", "split", "columns")):
        if path[: len(columns)] == columns:
            return path[: len(columns) + 1]
    return path


def _explain(source: Source, path: KeyPath, detail: ErrorDetails) -> Problem:
    """One error with its place and, for unknown names, the nearest known one."""
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    place = source.place(path)
    if detail["loc"][-1] == "[key]":
        message = f"the name {shortened(path[-1])} does not match {context.get('pattern')}: letters, digits, _ and -"
        return Problem(place, path, message)
    if kind == "missing":
        return Problem(place, path, "is missing")
    if kind == "extra_forbidden":
        known = _known_keys(detail["loc"][:-1])
        nearest = did_you_mean(str(path[-1]), known) or f"; known here: {', '.join(known)}"
        return Problem(place, path, f"unknown key{nearest}")
    if kind == "string_pattern_mismatch":
        allowed = f"text matching {context['pattern']}"
    elif kind == "too_short":
        allowed = f"at least {context['min_length']}"
    elif kind == "union_tag_invalid":
        found = context["tag"]
        path = (*path, "strategy")
        place, allowed = source.place(path), f"one of {', '.join(SPLITS)}"
        return Problem(place, path, f"found {shortened(found)}; expected {allowed}{did_you_mean(str(found), SPLITS)}")
    elif kind in _ALLOWED:
        allowed = _ALLOWED[kind]
    else:
        allowed = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    nearest = did_you_mean(str(found), _literals(str(context.get("expected", ""))))
    return Problem(place, path, f"found {shortened(found)}; expected {allowed}{nearest}")


def _known_keys(loc: Sequence[int | str]) -> list[str]:
    """The keys that the model at pydantic's `loc` has."""
    path = tuple(loc)
    if path[:2] == ("evaluation", "split") and len(path) > 2:
        model: Any = Columns if path[3:] else SPLITS[str(path[2])]
    elif path[:1] == ("models",):
        model = SteadyStop if path[2:] == ("stop",) else AlsConfig
    elif path[:2] == ("preprocess", "confidence"):
        model = Transform
    else:
        model = ExperimentConfig
        for part in path:
            annotation = model.model_fields[str(part)].annotation
            members = getattr(annotation, "__args__", (annotation,))
            model = next(m for m in members if isinstance(m, type) and issubclass(m, BaseModel))
    return list(model.model_fields)


def _literals(expected: str) -> list[str]:
    return [part.strip("' ") for part in expected.replace(" or ", ", ").split(",")]
