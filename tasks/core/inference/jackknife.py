"""Confidence intervals of the excess disagreement."""

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
    low: float
    high: float


@dataclass(frozen=True)
class Precision:
    """How well Δ is known, in units of overlap.

    standard_error, interval_95, interval_90 : from the jackknife; None where `note` says why there is none
    note : NO_VARIATION, FLAT, TOO_FEW or None
    bound_95, bound_90 : with NO_VARIATION alone, what so many equal lists can rule out (see `precision`)
    """

    standard_error: float | None = None
    interval_95: Interval | None = None
    interval_90: Interval | None = None
    note: str | None = None
    bound_95: Interval | None = None
    bound_90: Interval | None = None


def precision(overlaps: Overlaps, labels: Mask) -> Precision:
    """Delete-one-run jackknife over both groups, for a matrix (R, R).

    Var Δ = Σ over groups of (S_g - 1)/S_g · Σ_r (Δ_(-r) - their mean)², r the runs of group g (Arvesen 1969, for
    U-statistics); intervals are Δ ± t · √Var, t with S_A + S_B - 2 degrees of freedom. Without a run two must be left.

    Where every run of a model gave the same lists there is no variation to build on and no interval. But equal lists
    are evidence. Let a run of A differ from the one seen with probability ε_A, of B with ε_B. The first run of each
    names a list, the others repeat it with probability (1 - ε_A)^(S_A - 1) (1 - ε_B)^(S_B - 1), and what makes that
    less than α = (1 - level)/2 is ruled out: ε = ε_A + ε_B is at most 2 - 2 α^(1/2m), m the smaller S less one. Δ, half
    a squared distance of mean indicator vectors, is then at least (1 - ε)² of the one seen (unseen runs give the other
    model's list) and at most (√Δ + ε)². These are the bounds, for lists of one length. They are wide with few runs:
    where all lists are equal, 10 runs a model rule out Δ > .094 at the 90% level, 5 runs only Δ > .39.
    """
    a, b = group_sizes(overlaps, labels)
    found = effect(overlaps, labels)
    if found.within_a == found.within_b == 1:  # exactly: equal integers divided
        at_95, at_90 = (_bound(found.delta, min(a, b), level) for level in (0.95, 0.90))
        return Precision(note=NO_VARIATION, bound_95=at_95, bound_90=at_90)
    if min(a, b) < 3:
        return Precision(note=TOO_FEW)
    variance, varies = 0.0, False
    for group in (False, True):
        left_out = []
        for run in np.flatnonzero(labels == group):
            others = np.delete(np.arange(a + b), run)
            total, denominator = scaled_delta(overlaps.among(others).counts, labels[others])
            left_out.append(int(total))
        size = len(left_out)
        varies = varies or len(set(left_out)) > 1
        spread = np.var(np.array(left_out) / (denominator * overlaps.whole))
        variance += (size - 1) * float(spread)
    if not varies:
        return Precision(note=FLAT)
    from scipy.stats import t

    error = sqrt(variance)
    reach_95, reach_90 = (float(t.ppf(0.5 + level / 2, a + b - 2)) * error for level in (0.95, 0.90))
    at_95, at_90 = (Interval(found.delta - reach, found.delta + reach) for reach in (reach_95, reach_90))
    return Precision(error, at_95, at_90)


def _bound(delta: float, runs: int, level: float) -> Interval:
    moved = 2 * (1 - ((1 - level) / 2) ** (1 / (2 * (runs - 1))))
    return Interval(max(0.0, 1 - moved) ** 2 * delta, min(1.0, sqrt(delta) + moved) ** 2)
