"""Planned looks: a group-sequential design whose looks together have the level of one test.

The models are compared at a few numbers of replicates that are fixed in advance. Each look spends a part of the level
α (Lan and DeMets 1983). An adjusted p at a look is compared with the part that the look spends. The parts sum to α, so
the probability of a false finding at any look is at most α, whatever the dependence between the looks (Bonferroni).
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from math import sqrt

import numpy as np

from tasks.core.inference.multiplicity import Levels
from tasks.core.inference.permutation import smallest_p


@dataclass(frozen=True)
class Look:
    """A planned look at the runs.

    Attributes
    ----------
    number : int
        Of the look, from 1.
    planned : tuple of int
        Replicates of each model at every planned look, in increasing order.
    levels : Levels
        What the look can spend: its own part of each level, and the parts of the skipped looks before it.
    smallest_p : float
        The smallest p after Holm's adjustment that its replicates can reach.
    skipped : bool
        Whether the look is left out because `smallest_p` is above its level. It then spends nothing. The last look is
        never skipped.
    """

    number: int
    planned: tuple[int, ...]
    levels: Levels
    smallest_p: float
    skipped: bool

    @property
    def replicates(self) -> int:
        """Replicates of each model at this look."""
        return self.planned[self.number - 1]

    @property
    def last(self) -> bool:
        """Whether the answer at this look is final, whatever it is."""
        return self.number == len(self.planned)

    @property
    def title(self) -> str:
        """The look in progress reports and messages, such as `look 2 of 3`."""
        return f"look {self.number} of {len(self.planned)}"


def spent(alpha: float, fraction: float) -> float:
    """Return how much of a level is spent up to a fraction of the information, in the manner of O'Brien and Fleming.

    α(t) = 2 - 2Φ(z / √t), where z is the upper α/2 quantile of the normal distribution (Lan and DeMets 1983, α₁*).
    Early looks spend very little, so that the last one keeps most of the level.

    Parameters
    ----------
    alpha : float
        The level of all looks together.
    fraction : float
        Information so far as a fraction of that of the last look, above 0 and at most 1.

    Returns
    -------
    float
        Exactly `alpha` at 1.
    """
    from scipy.special import ndtr, ndtri

    if fraction == 1:
        return alpha  # without rounding: a last look that spends everything has the level of a single comparison
    return float(2 * ndtr(ndtri(alpha / 2) / sqrt(fraction)))


def plan_looks(replicates: Sequence[int], *, tests: int) -> list[Look]:
    """Divide the levels of the verdict over looks.

    The fraction of information at a look is its number of replicates divided by that of the last look.

    Parameters
    ----------
    replicates : sequence of int
        Replicates of each model at each look, in increasing order.
    tests : int
        Number of p-values that are adjusted together.

    Returns
    -------
    list of Look
        All of them. The levels of those that are not skipped sum to `Levels()`.
    """
    looks = []
    before = [0.0, 0.0, 0.0]
    for number, count in enumerate(replicates, start=1):
        cumulative = [spent(alpha, count / replicates[-1]) for alpha in astuple(Levels())]
        levels = Levels(*np.subtract(cumulative, before).tolist())
        smallest = smallest_p(count, count, endpoints=tests)
        skipped = smallest > levels.difference and number < len(replicates)
        looks.append(Look(number, tuple(replicates), levels, smallest, skipped))
        if not skipped:
            before = cumulative
    return looks
