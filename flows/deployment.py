"""A step of `prefect deploy`: a YAML config as a deployment's parameters."""

from typing import Any


def read_config(path: str) -> dict[str, Any]:
    """Return the experiment of a config file with every key, so that Prefect's form shows them all.

    Raises
    ------
    ConfigError
        Naming every fault of the file.
    """
    from tasks.core.config.load import load_config

    config = load_config(path)
    # explicit, because a server on PostgreSQL does not keep the order of keys, and the first model is the default
    comparison = config.comparison.model_copy(update={"baseline": config.baseline})
    return {"config": config.model_copy(update={"comparison": comparison}).model_dump(mode="json")}
