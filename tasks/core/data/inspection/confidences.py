"""How far the confidences of interactions are apart."""

from dataclasses import dataclass

import numpy as np

from tasks.core.types import Floats

_HEAVY = 100
"""Times the median from which on the largest confidence is said to outweigh the others."""


@dataclass(frozen=True)
class Confidences:
    """The smallest, the median and the largest value in a matrix of interactions."""

    low: float
    median: float
    high: float

    @property
    def heavy_tail(self) -> str:
        """A sentence on confidences that outweigh the others by far, as counts of plays do; empty if none does."""
        if self.high < _HEAVY * self.median:
            return ""
        return (
            f"confidences from {self.low:g} to {self.high:g}, median {self.median:g}: the largest weighs as much as "
            f"{self.high / self.median:,.0f} of the median; preprocess.confidence with transform: log weighs it less"
        )


def spread_of(values: Floats) -> Confidences:
    """Return the smallest, the median and the largest of confidences.

    Parameters
    ----------
    values : (nnz,) float32
        At least one.

    Returns
    -------
    Confidences
    """
    return Confidences(float(values.min()), float(np.median(values)), float(values.max()))
