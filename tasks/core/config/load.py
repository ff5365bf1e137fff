"""Loading of a config: a YAML file and overrides become an `ExperimentConfig`.

All faults are reported at once, each with its file and line. Only text that is not valid YAML ends the check early.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.core.config.checks.cross_checks import find_disagreements
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.messages import explain
from tasks.core.config.sweeps import replace_sweeps
from tasks.core.config.yaml_source import KeyPath, Problem, Source, parse, scalar
from tasks.core.errors import ConfigError
from tasks.core.formatting import shortened

_CONFIGS = Path(__file__).parents[3] / "configs"
"""Of the checkout."""
_MAX_REPORTED = 20
"""Faults in one message."""


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read and check a config file.

    Parameters
    ----------
    path : str or Path
        A YAML file.
    overrides : sequence of str
        `a.b.c=value`, with the value in YAML. Each replaces or adds one key; the last one for a key counts.

    Returns
    -------
    ExperimentConfig

    Raises
    ------
    ConfigError
        If the config has faults. The message lists the first 20, each with its file and line (or its override), its key
        path, what was found and what was expected.
    """
    return _checked(_read(Path(path)), overrides)


def config_from(content: dict[str, Any], name: str, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Check the content of a config that is in no file.

    Parameters
    ----------
    content : dict of str to Any
        Its keys and values. It is changed.
    name : str
        What messages call it.
    overrides : sequence of str
        See `load_config`.

    Returns
    -------
    ExperimentConfig

    Raises
    ------
    ConfigError
        See `load_config`.
    """
    return _checked(Source(name, content), overrides)


def with_overrides(config: ExperimentConfig, overrides: Mapping[str, Any]) -> ExperimentConfig:
    """Return a config with keys replaced by values that are no text, such as those of a flow run's parameters.

    Parameters
    ----------
    config : ExperimentConfig
        The config. It is not changed.
    overrides : mapping of str to Any
        Key with dots -> value, as `--set` takes them: `{"models.k500.iterations": 200}`. A mapping as a value replaces
        the whole section.

    Returns
    -------
    ExperimentConfig

    Raises
    ------
    ConfigError
        See `load_config`.
    """
    if not overrides:
        return config
    # only what was given: what was left out follows from the replaced keys, as it does in a file
    source = Source("config", config.model_dump(exclude_unset=True))
    for key, value in overrides.items():
        if isinstance(key, str):
            _replace(source, tuple(key.split(".")), deepcopy(value), "overrides")
        else:  # Python's mappings have keys of any type
            source.problems.append(Problem("overrides", (), f"found the key {shortened(key)}; expected text"))
    return _validated(source)


def _checked(source: Source, overrides: Sequence[str]) -> ExperimentConfig:
    if isinstance(source.value, dict):
        for override in overrides:
            _apply_override(source, override)
    return _validated(source)


def _validated(source: Source) -> ExperimentConfig:
    config = None
    if isinstance(source.value, dict):
        replace_sweeps(source)
        try:
            config = ExperimentConfig.model_validate(source.value)
        except ValidationError as error:
            source.problems += explain(source, error.errors())
        # pydantic runs the same checks only if there is no other fault, and reports them without positions.
        for key_path, message in find_disagreements(source.value):
            source.problems.append(Problem(source.position_of(key_path), key_path, message))
    elif not source.problems:
        contents = "empty" if source.value is None else f"found {shortened(source.value)}"
        source.problems.append(Problem(source.name, (), f"{contents}; expected keys such as name and models"))
    if source.problems or config is None:
        lines = list(dict.fromkeys(str(problem) for problem in source.problems))
        more = [f"and {len(lines) - _MAX_REPORTED:,} more"] if len(lines) > _MAX_REPORTED else []
        raise ConfigError("\n".join([*lines[:_MAX_REPORTED], *more]))
    return config


def _read(path: Path) -> Source:
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file{_other_configs()}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(text, str(path))


def _other_configs() -> str:
    """Return the configs that can be named instead of a missing file, as a clause of its message.

    They are those in `configs` of the current folder, else those of latentlab, which only a whole path names there.
    """
    if here := sorted(map(str, Path("configs").glob("*.yaml"))):
        return f"; configs here: {', '.join(here)}"
    names = sorted(path.name for path in _CONFIGS.glob("*.yaml"))
    return f"; latentlab's own are in {_CONFIGS}: {', '.join(names)}" if names else ""


def _apply_override(source: Source, override: str) -> None:
    """Replace or add one key of a config, in place. Faults of the override become problems of the source."""
    key, equals, text = override.partition("=")
    position = f"--set {key if '@' in override else override}"  # it may be the address of a server, with a password
    path: KeyPath = tuple(key.split("."))
    if not equals or not all(path):
        source.problems.append(Problem(position, (), "expected a.b.c=value"))
        return
    value: Any = scalar(text)
    # Only lists, mappings and quoted text are parsed. Other values may contain special characters of YAML, such as #.
    if text[:1] in "[{\"'":
        parsed = parse(text, position)
        source.problems += parsed.problems
        value = parsed.value
    _replace(source, path, value, position)


def _replace(source: Source, path: KeyPath, value: Any, position: str) -> None:
    """Replace or add one key of a config, in place; faults have the position of the override."""
    if not all(path):
        source.problems.append(Problem(position, path, "expected keys with one dot between them, such as a.b.c"))
        return
    node = source.value
    for depth, part in enumerate(path[:-1]):
        if node.get(part) is None:
            node[part] = {}
            source.positions[path[: depth + 1]] = position
        node = node[part]
        if not isinstance(node, dict):
            message = f"holds {shortened(node)}, which has no keys"
            source.problems.append(Problem(position, path[: depth + 1], message))
            return
    node[path[-1]] = value
    # The keys below the replaced key no longer come from the file.
    for replaced in [key_path for key_path in source.positions if key_path[: len(path)] == path]:
        del source.positions[replaced]
    source.positions[path] = position
