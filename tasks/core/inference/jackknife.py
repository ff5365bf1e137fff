"""Confidence intervals of the excess disagreement, and tests of whether it is above or below a margin.

The intervals come from a jackknife that leaves out one run at a time. Where the runs of each model are nearly all
equal, bounds widen or replace them (`tasks.core.inference.steady`).
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb, sqrt

import numpy as np

from tasks.core.inference.effect import effect, group_sizes
from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.inference.sampling import PairErrors, SampledBounds, SampledEstimate, SamplingError
from tasks.core.inference.split_statistics import delta_variances
from tasks.core.inference.steady import SteadyModels, UsualList
from tasks.core.inference.student import Estimate, Interval
from tasks.core.types import Mask

NO_VARIATION = "no seed variation seen"
HARDLY_ANY = "nearly all runs of each model give one list"
FLAT = "leaving out any one run changes nothing"
TOO_FEW = "fewer than 3 replicates of a model"
_ROUNDING = 1e-24
"""A variance of ρ that rounding errors alone give."""


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty of Δ and of ρ, in units of overlap.

    Attributes
    ----------
    estimates : tuple of Estimate
        Δ with its standard error from the jackknife. Further ones where a single run of a model deviates: with the
        usual list in its place. Empty if `note` says why there is none.
    steady : SteadyModels or None
        Bounds, if both usual lists are steady.
    note : str or None
        `NO_VARIATION`, `HARDLY_ANY`, `FLAT`, `TOO_FEW`, or None.
    usual : tuple of UsualList
        The usual lists of A and of B.
    rho : Estimate or None
        ρ with its standard error from the jackknife; None if a model is steady, if no run changes ρ, or if it is not
        defined.
    sampling : PairErrors or None
        Sampling errors of Δ and ρ, which intervals and p include; None if all entities have lists.
    """

    estimates: tuple[Estimate, ...]
    steady: SteadyModels | None
    note: str | None
    usual: tuple[UsualList, UsualList]
    rho: Estimate | None = None
    sampling: PairErrors | None = None

    @property
    def standard_error(self) -> float | None:
        """The standard error of Δ over runs and, if they were drawn, over entities; None if there is none over runs."""
        if not self.estimates:
            return None
        return _with(self.estimates[0], self.sampling.delta if self.sampling else None).standard_error

    @property
    def _parts(self) -> "tuple[Estimate | SampledEstimate | SteadyModels | SampledBounds, ...]":
        """What the interval is the union of."""
        sampling = self.sampling.delta if self.sampling else None
        estimates = tuple(_with(estimate, sampling) for estimate in self.estimates)
        if not self.steady:
            return estimates
        return (*estimates, SampledBounds(self.steady, sampling) if sampling else self.steady)

    def limits(self, level: float) -> Interval | None:
        """Return the confidence interval of Δ at a level such as .95; None if there is no interval and no bound."""
        intervals = [part.interval(level) for part in self._parts]
        if not intervals:
            return None
        return Interval(min(part.low for part in intervals), max(part.high for part in intervals))

    def rho_limits(self, level: float) -> Interval | None:
        """Return the confidence interval of ρ at a level such as .95; None without a standard error."""
        return _with(self.rho, self.sampling.rho if self.sampling else None).interval(level) if self.rho else None

    def p_at_most(self, margin: float) -> float:
        """Return the one-sided p of Δ ≤ `margin`: small if Δ is above it. 1 if there is no interval and no bound."""
        return max((part.p_at_most(margin) for part in self._parts), default=1.0)

    def p_at_least(self, margin: float) -> float:
        """Return the one-sided p of Δ ≥ `margin`: small if Δ is below it. 1 if there is no interval and no bound."""
        return max((part.p_at_least(margin) for part in self._parts), default=1.0)


def _with(estimate: Estimate, sampling: SamplingError | None) -> Estimate | SampledEstimate:
    return SampledEstimate(estimate, sampling) if sampling else estimate


def jackknife(overlaps: Overlaps, labels: Mask) -> Uncertainty:
    """Estimate the uncertainty of Δ and of ρ by leaving out one run at a time, over both models.

    Var Δ = Σ over models g of (S_g - 1)/S_g · Σ_r (Δ_(-r) - mean)², where Δ_(-r) leaves out run r of g and the mean is
    over these runs (Arvesen 1969, for U-statistics). The intervals are Δ ± t·√Var. The degrees of freedom are those of
    the smaller model, min(S_A, S_B) - 1, because one model alone may have all of the variance. Each model needs three
    runs, because Δ needs two after one is left out.

    A run that alone deviates from the usual list of its model never narrows the interval: the union is taken with the
    intervals that the usual list in its place would give. If at most one run or a quarter of the runs deviates, in each
    model, the union is also with the bounds of `SteadyModels`.

    Parameters
    ----------
    overlaps : Overlaps
        Counts (R, R).
    labels : (R,) bool
        True for runs of B.

    Returns
    -------
    Uncertainty

    Raises
    ------
    ValueError
        If a model has fewer than two runs, or the number of labels is not R.
    """
    sizes = group_sizes(overlaps, labels)
    usual_a, usual_b = (UsualList.of(overlaps, np.flatnonzero(labels == group)) for group in (False, True))
    usual = usual_a, usual_b
    both_equal = not usual_a.deviating and not usual_b.deviating
    steady = None
    if usual_a.steady and usual_b.steady and (both_equal or min(sizes) > 2):
        shared = overlaps.counts[usual_a.run, usual_b.run] / overlaps.denominator
        steady = SteadyModels(1 - float(shared), usual_a, usual_b)
    if both_equal:
        return Uncertainty((), steady, NO_VARIATION, usual)
    if min(sizes) < 3:
        return Uncertainty((), None, TOO_FEW, usual)
    delta, rho = _left_out(overlaps, labels)
    rho = None if usual_a.steady or usual_b.steady else rho  # its interval would be too short
    estimates = [delta]
    one_deviates = [model for model in usual if len(model.deviating) == 1]
    for size in range(1, len(one_deviates) + 1):
        for models in combinations(one_deviates, size):
            runs = np.arange(sum(sizes))
            for model in models:  # a run with the usual list takes the place of the one that deviates
                runs[list(model.deviating)] = model.run
            estimates.append(_left_out(overlaps.of_runs(runs), labels)[0])
    if None in estimates and not steady:  # a union with an unlimited interval
        return Uncertainty((), None, FLAT, usual, rho)
    known = tuple(estimate for estimate in estimates if estimate)
    note = HARDLY_ANY if steady else None
    return Uncertainty(known, steady, note, usual, rho)


def _left_out(overlaps: Overlaps, labels: Mask) -> tuple[Estimate | None, Estimate | None]:
    """Return Δ and ρ with their standard errors; None for one that leaving out any run does not change."""
    estimate, degrees = effect(overlaps, labels), min(group_sizes(overlaps, labels)) - 1
    # exactly 0 if no run changes Δ: an interval of width zero would claim certainty that a symmetric pattern of
    # overlaps does not give
    variance = float(delta_variances(overlaps.counts[None], labels[None])[0, 0])
    delta = Estimate(estimate.delta, sqrt(variance) / overlaps.denominator, degrees) if variance else None
    variance_of_rho = 0.0
    for own in (~labels, labels):
        other = ~own
        runs, runs_of_other = int(own.sum()), int(other.sum())
        # of each run, over its pairs with the others of its model and with those of the other model
        of_run = overlaps.counts[np.ix_(own, own)].sum(axis=1) - overlaps.denominator  # (S,)
        between_of_run = overlaps.counts[np.ix_(own, other)].sum(axis=1)  # (S,)
        within = of_run.sum() // 2 - of_run  # sums over pairs without that run
        between = between_of_run.sum() - between_of_run
        within_other = (overlaps.counts[np.ix_(other, other)].sum() - overlaps.denominator * runs_of_other) // 2
        scale = within / comb(runs - 1, 2) * (within_other / comb(runs_of_other, 2))
        rhos = between / ((runs - 1) * runs_of_other) / np.sqrt(scale) if (scale > 0).all() else np.full(runs, np.inf)
        variance_of_rho += (runs - 1) * float(np.var(rhos)) if np.isfinite(rhos).all() else np.inf
    if estimate.rho is None or not _ROUNDING < variance_of_rho < np.inf:
        return delta, None
    return delta, Estimate(estimate.rho, sqrt(variance_of_rho), degrees)
