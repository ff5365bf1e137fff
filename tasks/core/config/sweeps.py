"""Lists in place of a setting's value: one model for each combination."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from tasks.core.config.yaml_source import Problem, Source

MOST_MODELS = 100


@dataclass(frozen=True)
class Member:
    """A model that a sweep stands for: the settings it has, and which entry of which list they come from."""

    name: str
    settings: dict[str, Any]
    entries: dict[str, int]


def expand(name: str, settings: Mapping[str, Any]) -> Iterator[Member]:
    """The models that a model with lists in it stands for, one for each combination; without lists it is itself."""
    lists = {key: value for key, value in settings.items() if isinstance(value, list) and value}
    for entries in product(*(range(len(value)) for value in lists.values())):
        chosen = {key: lists[key][entry] for key, entry in zip(lists, entries, strict=True)}
        suffix = "".join(f"-{key}{_text(value)}" for key, value in chosen.items())
        yield Member(name + suffix, {**settings, **chosen}, dict(zip(lists, entries, strict=True)))


def _text(value: object) -> str:
    """A value as a part of a model's name."""
    if isinstance(value, dict):
        return "-".join(_text(each) if key == "when" else f"{key}{_text(each)}" for key, each in value.items())
    if value is None:
        return "none"
    text = str(value).removesuffix(".0") if isinstance(value, int | float) else str(value)
    return text.replace(".", "_").replace("+", "")


Members = dict[Any, tuple[Any, Any, dict[str, int]]]


def expanded_models(models: dict[Any, Any]) -> tuple[Members, list[tuple[Any, str]]]:
    """Each model's settings, its name in the file and which entries of the lists it has; and what is wrong, by name."""
    found: Members = {}
    problems = []
    for name, settings in models.items():
        if not (isinstance(name, str) and isinstance(settings, dict)):
            found[name] = settings, name, {}
            continue
        members = list(islice(expand(name, settings), MOST_MODELS + 1))
        if len(members) > MOST_MODELS:
            problems.append((name, f"its lists stand for more than {MOST_MODELS} models; expected that many at most"))
        for member in members[:MOST_MODELS]:
            if member.name in found:
                problems.append((name, f"stands for the model {member.name} twice; expected values that differ"))
            found[member.name] = member.settings, name, member.entries
    return found, problems


def expand_sweeps(source: Source) -> None:
    """Put models in the place of sweeps; each key of theirs stands where the sweep's does."""
    models = source.value.get("models")
    if not isinstance(models, dict):
        return
    members, problems = expanded_models(models)
    source.problems += [Problem(source.place(("models", of)), ("models", of), told) for of, told in problems]
    source.value["models"] = {name: settings for name, (settings, _, _) in members.items()}
    for name, (settings, of, entries) in members.items():
        if name != of:
            source.places[("models", name)] = source.place(("models", of))
            for key in settings:
                at = (key, entries[key]) if key in entries else (key,)
                source.places[("models", name, key)] = source.place(("models", of, *at))
