"""Sweeps: lists in place of the values of a model's settings.

A model with such lists stands for one model per combination of their entries. Each is named after the model and the
values it has, such as `als-factors16`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from tasks.core.config.yaml_source import Problem, Source

MOST_MODELS = 10_000
"""Models that the sweeps of a config may stand for. More would fill memory before anything is trained."""


@dataclass(frozen=True)
class Member:
    """One model of a sweep, or a model without lists.

    Attributes
    ----------
    name : str
    origin : str
        Name of the sweep or model in the config.
    settings : dict of str to Any
        Setting to value, without lists.
    entries : dict of str to int
        For each setting that is a list in the sweep: the position of this model's value in the list.
    """

    name: str
    origin: str
    settings: dict[str, Any]
    entries: dict[str, int]


def expand(name: str, settings: Mapping[str, Any]) -> Iterator[Member]:
    """Expand one model into the models that it stands for.

    Parameters
    ----------
    name : str
        Name in the config.
    settings : mapping of str to Any
        Setting to value, or to a list of values.

    Yields
    ------
    Member
        One for each combination of entries, the last list varying fastest. Without lists: the model itself.
    """
    lists = {key: value for key, value in settings.items() if isinstance(value, list) and value}
    for entries in product(*(range(len(value)) for value in lists.values())):
        chosen = {key: lists[key][entry] for key, entry in zip(lists, entries, strict=True)}
        suffix = "".join(f"-{key}{_name_part(value)}" for key, value in chosen.items())
        yield Member(name + suffix, name, {**settings, **chosen}, dict(zip(lists, entries, strict=True)))


def expand_models(models: dict[Any, Any]) -> tuple[dict[Any, Member], list[tuple[Any, str]]]:
    """Expand all models of a config.

    Parameters
    ----------
    models : dict
        Name to settings. Settings that are not a mapping are returned unchanged.

    Returns
    -------
    expanded : dict
        Name to `Member`.
    problems : list of (name, message)
        Sweeps that are too large, and models that occur twice.
    """
    expanded: dict[Any, Member] = {}
    problems = []
    for name, settings in models.items():
        if not (isinstance(name, str) and isinstance(settings, dict)):
            expanded[name] = Member(name, name, settings, {})
            continue
        # A few long lists have millions of combinations, so no more are made than it takes to refuse them.
        room = MOST_MODELS - len(expanded)
        members = list(islice(expand(name, settings), room + 1))
        for member in members[:room]:
            if member.name in expanded:
                message = f"stands for the model {member.name} twice; remove the repeated value, or rename a model"
                problems.append((name, message))
            expanded[member.name] = member
        if len(members) > room:
            message = (
                f"its lists stand for too many models: a config has at most {MOST_MODELS:,}; shorten the lists, or let "
                "`latentlab search` choose from ranges (docs/search.md)"
            )
            problems.append((name, message))
            break
    return expanded, problems


def replace_sweeps(source: Source) -> None:
    """Replace the sweeps of a config by the models they stand for, in place.

    The keys of these models get the positions of the sweep's keys, so that messages name the lines of the sweep.
    """
    models = source.value.get("models")
    if not isinstance(models, dict):
        return
    expanded, problems = expand_models(models)
    for name, message in problems:
        source.problems.append(Problem(source.position_of(("models", name)), ("models", name), message))
    source.value["models"] = {name: model.settings for name, model in expanded.items()}
    for name, model in expanded.items():
        if name != model.origin:
            source.positions["models", name] = source.position_of(("models", model.origin))
            for key in model.settings:
                path = (key, model.entries[key]) if key in model.entries else (key,)
                source.positions["models", name, key] = source.position_of(("models", model.origin, *path))


def _name_part(value: object) -> str:
    """Return a value as part of a model's name, which cannot contain dots and plus signs."""
    if isinstance(value, dict):
        return "-".join(
            _name_part(inner) if key == "when" else f"{key}{_name_part(inner)}" for key, inner in value.items()
        )
    if value is None:
        return "none"
    text = str(value).removesuffix(".0") if isinstance(value, int | float) else str(value)
    return text.replace(".", "_").replace("+", "")
