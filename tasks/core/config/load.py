"""A YAML file and overrides -> a checked config."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.core.config.cross_checks import cross_checks
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.messages import explained
from tasks.core.config.sweeps import expand_sweeps
from tasks.core.config.yaml_source import KeyPath, Problem, Source, parse, scalar
from tasks.core.errors import ConfigError
from tasks.core.formatting import shortened

_TOLD = 20  # faults at once


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read a config file and check it whole.

    Parameters
    ----------
    path : path of a YAML file
    overrides : `a.b.c=value`, each replacing or adding one key, the value in YAML

    Raises
    ------
    ConfigError
        Naming every fault: file, line, key path, what was found, what is allowed.
    """
    source = _read(Path(path))
    if isinstance(source.value, dict):
        for override in overrides:
            _override(source, override)
    if not isinstance(source.value, dict) and not source.problems:
        found = "empty" if source.value is None else f"found {shortened(source.value)}"
        source.problems.append(Problem(source.name, (), f"{found}; expected keys such as name and models"))
    config = None
    problems = source.problems
    if isinstance(source.value, dict):
        expand_sweeps(source)
        try:
            config = ExperimentConfig.model_validate(source.value)
        except ValidationError as error:
            problems += explained(source, error.errors())
        problems += [Problem(source.place(path), path, text) for path, text in cross_checks(source.value)]
    if problems or config is None:
        told = list(dict.fromkeys(str(problem) for problem in problems))
        more = [f"and {len(told) - _TOLD:,} more"] if len(told) > _TOLD else []
        raise ConfigError("\n".join([*told[:_TOLD], *more]))
    return config


def _read(path: Path) -> Source:
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        shipped = sorted(str(other) for other in Path("configs").glob("*.yaml"))
        hint = f"; configs here: {', '.join(shipped)}" if shipped else ""
        raise ConfigError(f"{path}: there is no such file{hint}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse(text, str(path))


def _override(source: Source, text: str) -> None:
    key, equals, raw = text.partition("=")
    place = f"--set {text}"
    path: KeyPath = tuple(key.split("."))
    if not equals or not all(path):
        source.problems.append(Problem(place, (), "expected a.b.c=value"))
        return
    value: Any = scalar(raw)
    if raw[:1] in "[{\"'":
        parsed = parse(raw, place)
        source.problems += parsed.problems
        value = parsed.value
    node = source.value
    for depth, part in enumerate(path[:-1]):
        if node.get(part) is None:
            node[part] = {}
        node = node[part]
        if not isinstance(node, dict):
            found = f"holds {shortened(node)}, which has no keys"
            source.problems.append(Problem(place, path[: depth + 1], found))
            return
    node[path[-1]] = value
    # what stood below the key in the file is gone
    source.places = {at: where for at, where in source.places.items() if at[: len(path)] != path}
    source.places[path] = place
