"""Checks of the section `search` that involve other keys."""

from pydantic import ValidationError

from tasks.core.config.als import AlsConfig
from tasks.core.config.checks.evaluation_checks import check_metric
from tasks.core.config.checks.values import NO_VALIDATION_PART, Config, Disagreements, model_kinds, value_at
from tasks.core.config.file_models import model_kind
from tasks.core.config.search.sections import SearchSpace
from tasks.core.config.yaml_source import KeyPath
from tasks.core.formatting import did_you_mean, enumerated


def check_search(config: Config) -> Disagreements:
    """Find what a search cannot search, or cannot measure.

    Parameters
    ----------
    config : dict of str to Any
        See `tasks.core.config.checks.cross_checks.find_disagreements`.

    Yields
    ------
    path : KeyPath
        The key to change.
    message : str
        What was found and what was expected.
    """
    search = config.get("search")
    if not isinstance(search, dict):
        return
    yield from _check_metric(config, search)
    models, spaces = config.get("models"), search.get("models")
    if not isinstance(models, dict) or not isinstance(spaces, dict):
        return
    for name, space in spaces.items():
        path = ("search", "models", name)
        if name not in models:
            yield path, f"is no model of this config; the models are {', '.join(models)}" + did_you_mean(name, models)
        elif model_kind(models[name]) != "als":
            yield path, "is read from files, and only models that are trained have settings to search"
        elif value_at(models, (name, "stop")) is not None:
            yield path, "has a stopping rule, which a search does not apply; remove `stop`, and search `iterations`"
        if isinstance(space, dict):
            yield from _check_space(path, space)


def _check_metric(config: Config, search: Config) -> Disagreements:
    evaluation = config.get("evaluation", {} if model_kinds(config) == {"als"} else None)
    if evaluation is None:
        yield ("search",), "settings are chosen by accuracy on the validation part, so `evaluation` cannot be null"
    if not isinstance(evaluation, dict):
        return
    if value_at(evaluation, ("split", "strategy")) == "files":
        yield ("search",), NO_VALIDATION_PART
    yield from check_metric(evaluation, search.get("metric", "ndcg_at_10"), ("search", "metric"))


def _check_space(path: KeyPath, space: Config) -> Disagreements:
    free = {name: values for name, values in space.items() if name in SearchSpace.model_fields and values is not None}
    # a misspelt setting is reported as such
    if not space.keys() - SearchSpace.model_fields.keys() and all(_is_one_value(values) for values in free.values()):
        settings = enumerated(list(SearchSpace.model_fields), "or")
        yield path, f"has no free setting; expected a range or a list for {settings}"
    for name, values in free.items():
        if isinstance(values, list | tuple):
            # nan is not equal to itself, and true is no number; both are reported as such
            if any(value == earlier for n, value in enumerate(values) for earlier in values[:n]):
                yield (*path, name), f"found {list(values)}; expected values without repeats"
        elif isinstance(values, dict):
            yield from _check_range((*path, name), name, values)


def _is_one_value(values: object) -> bool:
    return isinstance(values, list | tuple) and len(values) == 1


def _check_range(path: KeyPath, setting: str, values: Config) -> Disagreements:
    low, high = values.get("low"), values.get("high")
    if not all(isinstance(end, int | float) for end in (low, high)):
        return
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if low >= high:
        yield path, f"found low {low:g} and high {high:g}; expected low below high"
    elif values.get("log") is True and low <= 0:
        yield (*path, "low"), f"found {low:g}; `log: true` needs a lowest value above 0"
    else:
        for key, end in (("low", low), ("high", high)):
            try:
                AlsConfig.model_validate({"factors": 1, "iterations": 1, setting: end})
            except ValidationError as error:
                (fault,) = error.errors()
                if "than" in fault["type"]:  # another type is a fault of the section by itself
                    expected = fault["msg"].removeprefix("Input should be ")
                    yield (*path, key), f"found {end:g}; expected a value {expected}"
