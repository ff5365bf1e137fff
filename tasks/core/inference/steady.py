"""Bounds of Δ for two models whose runs give the same list nearly always.

A jackknife has no variation to estimate from if a model's runs are equal, and next to none if one of them differs. The
bounds take its place: the values of Δ that so many equal runs do not rule out.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.inference.student import Interval
from tasks.core.types import Counts, Values

_GRID = 1001
"""Ways in which a probability is divided between two models. An odd number, so that equal shares are one of them."""


@dataclass(frozen=True)
class UsualList:
    """The list that most runs of a model give, and how many runs give another.

    Attributes
    ----------
    run : int
        Position of a run that gives it.
    runs : int
        Runs of the model.
    deviating : tuple of int
        Positions of the runs that give another list.
    """

    run: int
    runs: int
    deviating: tuple[int, ...]

    @property
    def steady(self) -> bool:
        """Whether at most one run, or at most a quarter of the runs, give another list.

        `tests/benchmarks/verdict_errors.py` shows the need for the quarter: from two runs of ten that deviate, a
        jackknife claims too much.
        """
        return len(self.deviating) < 2 or 4 * len(self.deviating) <= self.runs

    @classmethod
    def of(cls, overlaps: Overlaps, members: npt.NDArray[np.intp]) -> "UsualList":
        """Find the list that most of some runs give; of equally frequent ones, that of the first run.

        Parameters
        ----------
        overlaps : Overlaps
            Counts (R, R).
        members : (S,) int
            Positions of the model's runs.

        Returns
        -------
        UsualList
        """
        # two runs give equal lists if and only if their count is the denominator
        equal = overlaps.counts[np.ix_(members, members)] == overlaps.denominator  # (S, S)
        usual = int(equal.sum(axis=1).argmax())
        return cls(int(members[usual]), len(members), tuple(members[~equal[usual]].tolist()))


@dataclass(frozen=True)
class SteadyModels:
    """Two models of which few runs give another list than the usual one.

    Let a run of A give another list than the usual one of A with probability ε_A, and a run of B with ε_B. Of the runs
    besides one with the usual list, at most the observed numbers deviate with a probability that is the product of two
    binomial ones. Values of ε = ε_A + ε_B for which no division between the models makes the product reach α are ruled
    out, as in Clopper and Pearson (1934) for one model. If runs of both models deviate, the level is approximate: with
    10 to 20 runs, a nominal .05 can be .07. That the other lists are the worst possible ones makes up for it.

    Δ is half a squared distance of mean indicator vectors, divided by n. Lists of one length are at most 1 apart on the
    scale of √Δ, and the mean of a model that deviates comes closest to the other one if its other list is the other
    model's usual one. With Δ' of the usual lists, Δ is therefore at least (1 - ε)² Δ' and at most (√Δ' + ε)².

    Attributes
    ----------
    delta : float
        Δ' of the two usual lists.
    a, b : UsualList
    """

    delta: float
    a: UsualList
    b: UsualList

    def probability(self, epsilon: float) -> float:
        """Return the largest probability of so few deviating runs if ε is at least `epsilon`.

        Parameters
        ----------
        epsilon : float
            From 0 to 2.

        Returns
        -------
        float
            1 at 0, and it does not rise with epsilon.
        """
        of_a = np.linspace(max(0.0, epsilon - 1), min(1.0, epsilon), _GRID)
        return float((_so_few(self.a, of_a) * _so_few(self.b, epsilon - of_a)).max())

    def interval(self, level: float) -> Interval:
        """Return the smallest and the largest Δ that are not ruled out, each at the one-sided level (1 - level)/2."""
        from scipy.optimize import brentq

        alpha, epsilon = (1 - level) / 2, 2.0
        if self.probability(2.0) < alpha:
            epsilon = float(brentq(lambda value: self.probability(value) - alpha, 0.0, 2.0, xtol=1e-9))
        return Interval(max(0.0, 1 - epsilon) ** 2 * self.delta, min(1.0, sqrt(self.delta) + epsilon) ** 2)

    def p_at_most(self, margin: float) -> float:
        """Return the one-sided p of Δ ≤ `margin`."""
        return self.probability(1 - sqrt(margin / self.delta)) if self.delta > margin else 1.0

    def p_at_least(self, margin: float) -> float:
        """Return the one-sided p of Δ ≥ `margin`."""
        return self.probability(sqrt(margin) - sqrt(self.delta)) if self.delta < margin else 1.0


def _so_few(usual: UsualList, epsilon: Values) -> Values:
    """Return the probability that at most the observed number of the other runs deviates, for each ε."""
    from scipy.special import bdtr

    return np.asarray(bdtr(len(usual.deviating), usual.runs - 1, np.clip(epsilon, 0.0, 1.0)))


def loss_of_run_left_out(overlaps: Overlaps) -> float | None:
    """Return what one more run of a model loses where all other runs give the same list, on average over entities.

    Each run in turn is left out. Where the lists of the others are equal, the loss is 1 less the overlap of its list
    with theirs.

    Parameters
    ----------
    overlaps : Overlaps
        Counts (E, S, S) of the runs of one model.

    Returns
    -------
    float or None
        In units of overlap; None if no entity has such runs.
    """
    counts, runs = overlaps.counts, overlaps.counts.shape[-1]
    equal = (counts == overlaps.denominator).sum(axis=2)  # (E, S): runs with the same list, the run itself included
    usual = equal.argmax(axis=1)
    most = equal.max(axis=1)
    deviates = most == runs - 1
    # where all runs are equal, each of them can be left out; where one deviates, only that one
    n_left_out = runs * int((most == runs).sum()) + int(deviates.sum())
    if not n_left_out:
        return None
    shared: Counts = counts[deviates, usual[deviates]].min(axis=1)  # of the run that deviates with one of the others
    losses: Values = 1 - shared / overlaps.denominator
    return float(losses.sum() / n_left_out)
