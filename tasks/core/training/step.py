"""The record of one iteration that training reports."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """One iteration of a fit. Values that were not computed are not a number.

    Attributes
    ----------
    iteration : int
        From 1.
    elapsed : float
        Seconds of training up to the end of the iteration.
    factor_change, objective, imbalance : float
        See `tasks.core.models.als.Iteration`.
    at : float
        The end of the iteration, in milliseconds since 1970.
    overlap : float
        At a check of the stopping rule `steady`, see `tasks.core.training.stopping.Check`.
    accuracy : float
        At a check of the stopping rule `metric`.
    """

    iteration: int
    elapsed: float
    factor_change: float
    objective: float
    imbalance: float
    at: float
    overlap: float = np.nan
    accuracy: float = np.nan


OnSteps = Callable[[list[Step]], None]
"""Called after each iteration with its step. A resumed fit first calls it once with all steps before the checkpoint. A
fit by Spark also calls it without steps, so that it can be stopped."""
