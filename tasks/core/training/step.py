"""What is reported of an iteration."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """What is told of an iteration; not a number where it was not computed.

    elapsed : seconds of training up to its end
    at : its end, in milliseconds since 1970
    overlap : at a check of the stopping rule, see `tasks.core.training.stopping.Check`
    """

    iteration: int
    elapsed: float
    factor_change: float
    objective: float
    imbalance: float
    at: float
    overlap: float = np.nan


OnSteps = Callable[[list[Step]], None]
"""Called with each iteration's step, and once with all those before a checkpoint that is gone on from."""
