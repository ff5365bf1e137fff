"""Sampling errors of means over drawn entities, beside the variance that the seeds cause.

A mean over n of N entities that were drawn without replacement has the variance (1 - n/N)·s²/n, with s² the variance of
the drawn entities' values (Cochran 1977, Sampling Techniques, eq. 2.20). It is 0 if all are drawn.

The estimate Δ of n drawn entities varies with the sample and with the runs. By the law of total variance,

    Var Δ = E[(1 - n/N)·S²/n] + Var(Δ of all N entities),

where S² is the variance over all N entities of their Δ_i from the same runs, and the second variance is over runs. The
values Δ_i of the drawn entities estimate the first term. The jackknife over runs is made of the sample's Δ, so it
estimates the second term and what the runs alone contribute to the first one. That part counts twice: the sum of both
is too large rather than too small, by at most the first term.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, hypot, log, log1p, sqrt

import numpy as np

from tasks.core.inference.overlap_counts import Overlaps, overlap_blocks
from tasks.core.inference.steady import SteadyModels
from tasks.core.inference.student import Estimate, Interval, quantile
from tasks.core.types import Ids, Values

_SMALLEST = 1e-12
"""Smallest p that is computed; smaller ones are given as this."""


@dataclass(frozen=True)
class SamplingError:
    """Error of a mean over entities because only a sample of them was drawn.

    Attributes
    ----------
    standard_error : float
        √((1 - n/N)·s²/n).
    drawn, population : int
        n and N.
    """

    standard_error: float
    drawn: int
    population: int

    def half_width(self, level: float) -> float:
        """Return the half-width of the interval at a level: Student's t with n - 1 degrees of freedom.

        It is at least `unseen`, as if those entities differed from the drawn ones by a whole list: a sample of which
        few have all of the difference, or whose lists are all alike, has too small an s².
        """
        return max(quantile(level, self.drawn - 1) * self.standard_error, self.unseen(level))

    def unseen(self, level: float) -> float:
        """Return the share of all entities that can differ from the drawn ones without one of them being drawn.

        Of D such entities none is drawn with a probability of at most (1 - n/N)^D. Shares whose D makes this smaller
        than (1 - level)/2 are ruled out.
        """
        return log((1 - level) / 2) / (self.population * log1p(-self.drawn / self.population))


@dataclass(frozen=True)
class SampledEstimate:
    """An estimate with a standard error over runs and one over drawn entities.

    The half-width of an interval is √(h² + g²), with h and g those of either error alone, each with its own degrees of
    freedom. For normal errors such an interval covers at least as often as its level says, whatever the two variances
    are (Banerjee 1960), and it is never narrower than without the sampling error. Satterthwaite's degrees of freedom do
    not have that property: a small second variance adds degrees of freedom faster than width.

    Attributes
    ----------
    runs : Estimate
        The estimate, with the standard error over runs.
    sampling : SamplingError
    """

    runs: Estimate
    sampling: SamplingError

    @property
    def standard_error(self) -> float:
        """The root of the sum of both variances."""
        return hypot(self.runs.standard_error, self.sampling.standard_error)

    def interval(self, level: float = 0.95) -> Interval:
        """Return the confidence interval at a level."""
        half = self._half_width(level)
        return Interval(self.runs.value - half, self.runs.value + half)

    def p_at_most(self, limit: float) -> float:
        """Return the one-sided p of the hypothesis that the true value is at most a limit: small if it is above."""
        return self._p_beyond(self.runs.value - limit)

    def p_at_least(self, limit: float) -> float:
        """Return the one-sided p of the hypothesis that the true value is at least a limit: small if it is below."""
        return self._p_beyond(limit - self.runs.value)

    def _half_width(self, level: float) -> float:
        of_runs = quantile(level, self.runs.degrees_of_freedom) * self.runs.standard_error
        return hypot(of_runs, self.sampling.half_width(level))

    def _p_beyond(self, distance: float) -> float:
        p = _root(lambda p: abs(distance) - self._half_width(1 - 2 * p), largest=0.5)
        return p if distance > 0 else 1 - p


@dataclass(frozen=True)
class SampledBounds:
    """Bounds of Δ for steady models whose lists are known for drawn entities only.

    The bounds of `SteadyModels` hold for the mean over the drawn entities, and the sampling error is that of this mean.
    Each may fail with half of the probability with which the interval may (Bonferroni).

    Attributes
    ----------
    steady : SteadyModels
    sampling : SamplingError
    """

    steady: SteadyModels
    sampling: SamplingError

    def interval(self, level: float) -> Interval:
        """Return the smallest and the largest Δ that are not ruled out, each at the one-sided level (1 - level)/2."""
        limits = self._limits(level)
        return Interval(max(0.0, limits.low), min(1.0, limits.high))

    def p_at_most(self, margin: float) -> float:
        """Return the one-sided p of Δ ≤ `margin`."""
        return _root(lambda p: self._limits(1 - 2 * p).low - margin, largest=1.0)

    def p_at_least(self, margin: float) -> float:
        """Return the one-sided p of Δ ≥ `margin`."""
        return _root(lambda p: margin - self._limits(1 - 2 * p).high, largest=1.0)

    def _limits(self, level: float) -> Interval:
        each = (1 + level) / 2
        bounds, half = self.steady.interval(each), self.sampling.half_width(each)
        return Interval(bounds.low - half, bounds.high + half)


@dataclass(frozen=True)
class PairErrors:
    """Sampling errors of Δ and of ρ for two models; that of ρ is None if ρ is not defined."""

    delta: SamplingError
    rho: SamplingError | None


@dataclass(frozen=True, eq=False)
class SamplingCovariance:
    """Mean overlaps of every two of M models over drawn entities, and the covariances of their sampling errors.

    Attributes
    ----------
    means : (M, M) float64
        Mean overlap of a run of one model and a run of the other; on the diagonal of two runs of one model, 0 for a
        model with one run.
    covariance : (P, P) float64
        (1 - n/N)/n times the covariances over entities of the P = M(M + 1)/2 entries of the upper triangle of `means`,
        in the order of `numpy.triu_indices`.
    drawn, population : int
        n and N.
    """

    means: Values
    covariance: Values
    drawn: int
    population: int

    def error(self, weights: Values) -> SamplingError:
        """Return the sampling error of a weighted sum of mean overlaps.

        Parameters
        ----------
        weights : (M, M) float64
            Weight of each entry of `means`. Only the upper triangle counts.

        Returns
        -------
        SamplingError
        """
        flat = weights[np.triu_indices(len(weights))]
        return SamplingError(sqrt(max(float(flat @ self.covariance @ flat), 0.0)), self.drawn, self.population)

    def of_pair(self, a: int, b: int) -> PairErrors:
        """Return the sampling errors of Δ and ρ of two models.

        Entity i has Δ_i = (O_AA,i + O_BB,i)/2 - O_AB,i, whose mean is Δ. ρ is a ratio of means, O_AB / √(O_AA·O_BB). To
        first order it changes with them by

            dρ = dO_AB / √(O_AA·O_BB) - ρ/2·(dO_AA/O_AA + dO_BB/O_BB),

        so its sampling error is that of the mean of z_i = O_AB,i / √(O_AA·O_BB) - ρ/2·(O_AA,i/O_AA + O_BB,i/O_BB)
        (linearisation: Cochran 1977, section 6.3).

        Parameters
        ----------
        a, b : int
            Positions of the models, a before b, with two runs or more each.

        Returns
        -------
        PairErrors
        """
        weights = np.zeros_like(self.means)
        weights[[a, b], [a, b]], weights[a, b] = 0.5, -1.0
        delta = self.error(weights)
        within = self.means[[a, b], [a, b]]
        ceiling = sqrt(float(within.prod()))
        if not ceiling:
            return PairErrors(delta, None)
        rho = float(self.means[a, b]) / ceiling
        weights[[a, b], [a, b]], weights[a, b] = -rho / 2 / within, 1 / ceiling
        return PairErrors(delta, self.error(weights))


def sampled_overlaps(
    lists: Sequence[Ids], n: int, *, sizes: Sequence[int], population: int
) -> tuple[Overlaps, SamplingCovariance]:
    """Count the overlaps of every two runs over drawn entities, with what their sampling errors follow from.

    Blocks of entities are added up. Nothing is kept of single entities.

    Parameters
    ----------
    lists : R arrays (E, >= 0) int32
        As in `overlap_counts`, of the E ≥ 2 drawn entities, model by model.
    n : int
        Depth of the comparison.
    sizes : M int
        Runs of each model, at least 1; their sum is R.
    population : int
        N, more than E.

    Returns
    -------
    overlaps : Overlaps
        The counts (R, R) of `overlap_counts`.
    covariance : SamplingCovariance
    """
    runs, starts = np.array(sizes), np.cumsum([0, *sizes[:-1]])
    pairs = np.outer(runs, runs) - np.diag(runs)  # ordered pairs of distinct runs
    models, upper = np.arange(len(runs)), np.triu_indices(len(runs))
    counts, denominator, drawn = np.zeros((len(lists), len(lists)), dtype=np.int64), 0, 0
    center, total, products = np.zeros(len(upper[0])), np.zeros(len(upper[0])), np.zeros((len(upper[0]),) * 2)
    for block in overlap_blocks(lists, n):
        counts += block.counts.sum(axis=0)
        sums = np.add.reduceat(np.add.reduceat(block.counts, starts, axis=1), starts, axis=2)  # (B, M, M)
        sums[:, models, models] -= runs * block.denominator  # a run with itself
        means = (sums / (np.maximum(pairs, 1) * block.denominator))[:, *upper]  # (B, P)
        if not drawn:
            center = means.mean(axis=0)  # close to the mean, so that little precision is lost
        means -= center
        total += means.sum(axis=0)
        products += means.T @ means
        denominator, drawn = block.denominator, drawn + len(means)
    covariance = (products - np.outer(total, total) / drawn) / (drawn - 1)
    matrix = np.zeros(pairs.shape)
    matrix[upper] = center + total / drawn
    return (
        Overlaps(counts, denominator * drawn, n),
        SamplingCovariance(matrix, covariance * (1 - drawn / population) / drawn, drawn, population),
    )


def _root(gap: Callable[[float], float], *, largest: float) -> float:
    """Return the p at which a gap that grows with p is 0, from `_SMALLEST` to `largest`; the closer end if none."""
    from scipy.optimize import brentq

    if gap(_SMALLEST) >= 0:
        return _SMALLEST
    if gap(largest) <= 0:
        return largest
    return exp(brentq(lambda logarithm: gap(exp(logarithm)), log(_SMALLEST), log(largest), xtol=1e-9))
