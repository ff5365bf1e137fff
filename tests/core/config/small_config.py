"""The smallest valid config, and the types of the fixtures that load configs."""

from collections.abc import Callable

from tasks.core.config.experiment import ExperimentConfig

SMALL = "name: small\nmodels:\n  k2: {factors: 2, iterations: 3}\n"
"""A test that appends a line knows that it is line 4."""

Load = Callable[..., ExperimentConfig]
"""(text, *overrides) -> the config."""
Faults = Callable[..., list[str]]
"""(text, *overrides) -> the lines of the error message."""
