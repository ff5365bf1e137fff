"""Readable messages for pydantic's errors.

Each message has the position of its key in the file and, for a misspelt name, the nearest valid name. A name that other
libraries use for a key is answered with the key, which is then not reported as missing too.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from tasks.core.config.als import AlsConfig, MetricStop, SteadyStop
from tasks.core.config.checks.other_names import own_name
from tasks.core.config.dataset import Columns, Transform
from tasks.core.config.evaluation import SPLITS
from tasks.core.config.experiment import ExperimentConfig, PlannedLooks
from tasks.core.config.file_models import FactorFiles, ListColumns, ListFiles
from tasks.core.config.queries import QueryById
from tasks.core.config.search.sections import NumberRange, SearchSpace
from tasks.core.config.yaml_source import KeyPath, Problem, Source
from tasks.core.formatting import did_you_mean, shortened

_EXPECTED = {
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
"""Type of pydantic's error to what was expected. For other types pydantic's own words are used."""
_KINDS: dict[str, type[BaseModel]] = {"als": AlsConfig, "lists": ListFiles, "factors": FactorFiles}
"""What `tasks.core.config.experiment.model_kind` returns -> section of such a model."""
_UNIONS = (("evaluation", "split"), ("preprocess", "confidence"), ("execution", "workers"), ("replicates",))
"""Keys whose value is a tagged union: pydantic puts the tag after them in the location of an error."""
_NAMED_BY: dict[KeyPath, str] = {("dataset",): "name", ("evaluation", "split"): "strategy"}
"""Section -> the key whose value is easily taken for the section's."""


def explain(source: Source, errors: list[ErrorDetails]) -> list[Problem]:
    """Convert pydantic's errors to problems, one for each fault.

    Parameters
    ----------
    source : Source
        What was validated.
    errors : list of ErrorDetails
        What `ValidationError.errors()` returns.

    Returns
    -------
    list of Problem
        In the order of `errors`. Errors of the config as a whole are left out: `find_disagreements` reports these with
        their keys.
    """
    located = [(_key_path(error), error) for error in errors if error["loc"]]
    problems = []
    for path, error in located:
        # A column is an index or a name. For -1 pydantic reports "too small" and "not a string"; the first is enough.
        of_other_type = error["type"].endswith("_type") and any(
            other_path == path and not other["type"].endswith("_type") for other_path, other in located
        )
        # pydantic counts only the valid entries of a list, and may call a list with a wrong entry "too short" as well.
        has_wrong_entry = error["type"] == "too_short" and any(other_path[:-1] == path for other_path, _ in located)
        has_other_name = error["type"] == "missing" and any(
            other["type"] == "extra_forbidden"
            and other_path[:-1] == path[:-1]
            and own_name(str(other_path[-1]), [str(path[-1])])
            for other_path, other in located
        )
        if not of_other_type and not has_wrong_entry and not has_other_name:
            problems.append(_problem(source, path, error))
    return problems


def _key_path(error: ErrorDetails) -> KeyPath:
    """Return the key path in the file, without what pydantic adds: tags of unions, and a mark for keys."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    for union in _UNIONS:
        if path[: len(union)] == union:
            path = union + path[len(union) + 1 :]
    if path[:1] == ("models",):
        path = path[:2] + path[3:]  # the tag is the kind of the model
        if path[2:3] == ("stop",):
            path = path[:3] + path[4:]
    if path[:2] == ("search", "models"):  # after a setting: range or choices
        path = path[:4] + path[5:] if path[3:4] != ("solver",) else path
    if path[:1] == ("queries",):  # the tags of an entry and of its id
        path = path[:3] + path[4:5]
    for columns in (("dataset", "columns"), ("evaluation", "split", "columns")):
        if path[: len(columns)] == columns:
            return path[: len(columns) + 1]  # what follows is the type that was tried, index or name
    return path


def _problem(source: Source, path: KeyPath, error: ErrorDetails) -> Problem:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    position = source.position_of(path)
    if error["loc"][-1] == "[key]":
        message = f"the name {shortened(path[-1])} does not match {context.get('pattern')}: letters, digits, _ and -"
        return Problem(position, path, message)
    if kind == "missing":
        return Problem(position, path, "is missing")
    if kind == "extra_forbidden":
        return Problem(position, path, f"unknown key{_hint(path, _valid_keys(error['loc'][:-1]))}")
    names = _quoted_names(str(context.get("expected", "")))
    if path[-2:] == ("stop", "when"):
        names, expected = ["steady", "metric"], "'steady' or 'metric'"
    elif kind == "string_pattern_mismatch":
        expected = f"text matching {context['pattern']}"
    elif kind == "union_tag_invalid":  # only the strategy of a split can be an unknown tag
        value, path, names = context["tag"], (*path, "strategy"), list(SPLITS)
        position, expected = source.position_of(path), f"one of {', '.join(SPLITS)}"
    elif path[:2] == ("search", "models") and len(path) == 4 and _EXPECTED.get(kind) == "keys and values":
        expected = "a range such as {low: 1, high: 200}, or a list of values"
    elif path in _NAMED_BY and isinstance(value, str):
        # a path is not the name of a data set
        is_path = path == ("dataset",) and ("/" in value or "." in value)
        key = "name: file, path" if is_path else _NAMED_BY[path]
        expected = f"keys and values, such as {{{key}: {shortened(value)[1:-1]}}}"
    elif kind == "too_short":
        expected = "at least one entry" if context["min_length"] == 1 else f"at least {context['min_length']} entries"
    else:
        expected = _EXPECTED.get(kind) or error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return Problem(position, path, f"found {shortened(value)}; expected {expected}{did_you_mean(str(value), names)}")


def _hint(path: KeyPath, keys: Sequence[str]) -> str:
    """Return what follows the words "unknown key"."""
    key = str(path[-1])
    if own := own_name(key, keys):
        return f"; it is called {own!r} here"
    settings = list(AlsConfig.model_fields)
    if len(path) == 1 and (setting := key if key in settings else own_name(key, settings)):
        return f"; a setting of a model: models.NAME.{setting}"
    if path[:-1] == ("evaluation",):
        if key in ("metric", "metrics"):
            return "; every metric is computed, at each of evaluation.cutoffs"
        if key == "test_fraction" or own_name(key, ["test_fraction"]):
            return "; it is called evaluation.split.test_fraction here"
    return did_you_mean(key, keys) or f"; allowed keys: {', '.join(keys)}"


def _valid_keys(loc: Sequence[int | str]) -> list[str]:
    """Return the keys of the section at pydantic's location."""
    path = tuple(loc)
    if path[:2] == ("evaluation", "split") and len(path) > 2:
        section: Any = Columns if path[3:] else SPLITS[str(path[2])]
    elif path[:1] == ("models",):
        sections: dict[KeyPath, type[BaseModel]] = {
            ("stop", "steady"): SteadyStop,
            ("stop", "metric"): MetricStop,
            ("columns",): ListColumns,
        }
        section = sections.get(path[3:], _KINDS[str(path[2])])
    elif path[:2] == ("preprocess", "confidence"):
        section = Transform
    elif path[:1] == ("replicates",):
        section = PlannedLooks
    elif path[:2] == ("search", "models") and len(path) > 2:
        section = NumberRange if path[3:] else SearchSpace  # an IntegerRange has the same keys
    elif path[:1] == ("queries",) and len(path) > 1:
        section = QueryById
    else:
        section = ExperimentConfig
        for part in path:
            annotation = section.model_fields[str(part)].annotation
            types = getattr(annotation, "__args__", (annotation,))  # (Section, None) for `Section | None`
            section = next(t for t in types if isinstance(t, type) and issubclass(t, BaseModel))
    return list(section.model_fields)


def _quoted_names(expected: str) -> list[str]:
    """Return the names in a phrase such as `'cg' or 'cholesky'`."""
    return [part.strip("' ") for part in expected.replace(" or ", ", ").split(",")]
