"""Confidence intervals of the excess disagreement.

The interval comes from a jackknife that leaves out one run at a time. If no run differs from the others of its model,
there is no variation to build an interval on, and a bound takes its place.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from tasks.core.inference.effect import effect, group_sizes, scaled_delta
from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.types import Mask

NO_VARIATION = "no seed variation seen"
FLAT = "leaving out any one run changes nothing"
TOO_FEW = "fewer than 3 replicates of a model"


@dataclass(frozen=True)
class Interval:
    """A lower and an upper limit."""

    low: float
    high: float


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty of Δ, in units of overlap.

    Attributes
    ----------
    standard_error : float or None
        From the jackknife; None if `note` says why there is none.
    interval_95, interval_90 : Interval or None
        Confidence intervals; None together with the standard error.
    note : str or None
        `NO_VARIATION`, `FLAT`, `TOO_FEW`, or None.
    bound_95, bound_90 : Interval or None
        With `NO_VARIATION` only: the values of Δ that so many equal lists do not rule out, see `jackknife`.
    """

    standard_error: float | None = None
    interval_95: Interval | None = None
    interval_90: Interval | None = None
    note: str | None = None
    bound_95: Interval | None = None
    bound_90: Interval | None = None

    @property
    def limits_95(self) -> Interval | None:
        """The 95% interval, or the bound if there is no variation."""
        return self.interval_95 or self.bound_95

    @property
    def limits_90(self) -> Interval | None:
        """The 90% interval, or the bound if there is no variation."""
        return self.interval_90 or self.bound_90


def jackknife(overlaps: Overlaps, labels: Mask) -> Uncertainty:
    """Estimate the uncertainty of Δ by leaving out one run at a time, over both models.

    Var Δ = Σ over models g of (S_g - 1)/S_g · Σ_r (Δ_(-r) - mean)², where Δ_(-r) leaves out run r of g and the mean is
    over these runs (Arvesen 1969, for U-statistics). The intervals are Δ ± t·√Var, with S_A + S_B - 2 degrees of
    freedom. Each model needs three runs, because Δ needs two after one is left out.

    If all runs of each model give equal lists, there is no variation and no interval. Equal lists are evidence
    nevertheless. Let a run of A differ from the list seen with probability ε_A, and a run of B with ε_B. Given the
    first run of each model, the others repeat its list with probability (1 - ε_A)^(S_A - 1) (1 - ε_B)^(S_B - 1). Values
    of ε for which this is less than α = (1 - level)/2 are ruled out, so ε = ε_A + ε_B is at most 2 - 2·α^(1/2m), where
    m is the smaller S less one. Δ is half a squared distance of mean indicator vectors. For lists of one length it is
    therefore at least (1 - ε)² times the Δ seen (if unseen runs give the other model's list) and at most (√Δ + ε)².
    These are the bounds. They are wide for few runs: if all lists are equal, 10 runs of each model rule out Δ > 0.094
    at the 90% level, and 5 runs only Δ > 0.39.

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
    a, b = group_sizes(overlaps, labels)
    estimate = effect(overlaps, labels)
    # Comparing floats is exact here: a within overlap of one is an integer divided by itself.
    if estimate.within_a == estimate.within_b == 1:
        bound_95, bound_90 = (_bound(estimate.delta, min(a, b), level) for level in (0.95, 0.90))
        return Uncertainty(note=NO_VARIATION, bound_95=bound_95, bound_90=bound_90)
    if min(a, b) < 3:
        return Uncertainty(note=TOO_FEW)
    variance, varies = 0.0, False
    for group in (False, True):
        totals = []
        for run in np.flatnonzero(labels == group):
            remaining = np.delete(np.arange(a + b), run)
            total, multiplier = scaled_delta(overlaps.of_runs(remaining).counts, labels[remaining])
            totals.append(int(total))
        size = len(totals)
        varies = varies or len(set(totals)) > 1
        deltas = np.array(totals) / (multiplier * overlaps.denominator)
        variance += (size - 1) * float(np.var(deltas))
    # An interval of width zero would claim certainty that a symmetric pattern of overlaps does not give.
    if not varies:
        return Uncertainty(note=FLAT)
    from scipy.stats import t

    error = sqrt(variance)
    half_95, half_90 = (float(t.ppf(0.5 + level / 2, a + b - 2)) * error for level in (0.95, 0.90))
    interval_95, interval_90 = (Interval(estimate.delta - half, estimate.delta + half) for half in (half_95, half_90))
    return Uncertainty(error, interval_95, interval_90)


def _bound(delta: float, runs: int, level: float) -> Interval:
    epsilon = 2 * (1 - ((1 - level) / 2) ** (1 / (2 * (runs - 1))))
    return Interval(max(0.0, 1 - epsilon) ** 2 * delta, min(1.0, sqrt(delta) + epsilon) ** 2)
