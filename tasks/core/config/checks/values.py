"""Values of a config that may have faults of any kind."""

from collections.abc import Iterator
from typing import Any

from tasks.core.config.file_models import model_kind
from tasks.core.config.yaml_source import KeyPath

Config = dict[str, Any]
Disagreements = Iterator[tuple[KeyPath, str]]
"""Key paths, each with what was found and what was expected."""
NO_VALIDATION_PART = "`strategy: files` has no validation part; to tune, use `strategy: random` on the train file"
"""What is said where settings are to be tuned on a published split."""


def value_at(node: Any, path: KeyPath) -> Any:
    """Return the value at a key path, or None if there is none.

    Parameters
    ----------
    node : Any
        Contents of a config file.
    path : KeyPath
        The keys that lead to the value.

    Returns
    -------
    Any
    """
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def model_kinds(config: Config) -> set[str]:
    """Return how the models of a config come about, see `tasks.core.config.file_models.model_kind`."""
    models = config.get("models")
    return {model_kind(settings) for settings in models.values()} if isinstance(models, dict) else {"als"}
