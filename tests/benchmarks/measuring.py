"""What the benchmarks share: the time of a step, and the command in a folder of its own."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
OWN = {"LATENTLAB_HOME", "MLFLOW_TRACKING_URI", "PREFECT_API_URL"}
"""Where a command of somebody's own would keep what it makes."""


def seconds(step: Callable[[], object]) -> float:
    """What a step takes, this once."""
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


def least(step: Callable[[], object]) -> float:
    """Seconds of a step, the least of three turns."""
    return min(seconds(step) for _ in range(3))


def latentlab(*arguments: str, overrides: list[str]) -> list[str]:
    """The command of this checkout."""
    return [sys.executable, "-m", "flows", *arguments, *(word for each in overrides for word in ("--set", each))]


def environment(prefect: Path) -> dict[str, str]:
    """What that command needs to leave all alone but the folder that it is run in, and Prefect's."""
    kept = {key: value for key, value in os.environ.items() if key not in OWN}
    return kept | {"PREFECT_HOME": str(prefect), "PYTHONPATH": str(ROOT)}
