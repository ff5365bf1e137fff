"""A small experiment for the tests of the planning."""

from typing import Any

from tasks.core.config.experiment import ExperimentConfig

SETTINGS = {"factors": 2, "iterations": 3, "regularization": 0.1}


def small_experiment(models: dict[str, dict[str, Any]] | None = None, **changes: Any) -> ExperimentConfig:
    """Return a config of one model, k2, with two fits for the lists and one for the evaluation."""
    config = {"name": "small", "models": models or {"k2": SETTINGS}, "replicates": 2, "evaluation": {"replicates": 1}}
    return ExperimentConfig.model_validate({**config, **changes})
