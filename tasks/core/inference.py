"""Do two models list others, beyond what their seeds change: effect, exact test, interval.

The trained run is the unit of replication: S_A runs of model A, S_B of model B, in one run-by-run matrix of overlaps,
with `labels` (R,) bool, False for a run of A and True for one of B. Overlaps are kept as integers, counts out of a
`whole`, so that ties between permutations are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import comb, gcd, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.overlap import BLOCK_BYTES, Counts, Overlaps, Values

Labels = npt.NDArray[np.bool_]

LEVEL = 0.05
MOST_SPLITS = 100_000
"""Splits that are enumerated; beyond, `DRAWS` of them are drawn. 10 runs against 10 have 92,378."""
DRAWS = 99_999
NO_VARIATION = "no seed variation seen"
FLAT = "leaving out any one run changes nothing"
TOO_FEW = "fewer than 3 replicates of a model"


@dataclass(frozen=True)
class Effect:
    """Excess disagreement of two models, in units of overlap (1 is a whole list).

    within_a, within_b : O_AA, O_BB, mean overlap of two runs of one model; between : O_AB, of one run of each
    delta : Δ = (O_AA + O_BB)/2 - O_AB
    n_delta : n·Δ, entries of a list of n replaced beyond what the seed replaces
    rho : O_AB / sqrt(O_AA · O_BB), agreement with the noise divided out; None where a model never agrees with itself
    steadier, others : Δ = ½(√O_AA - √O_BB)² + √(O_AA·O_BB)(1 - ρ), "one is steadier" and "they list others"

    Δ estimates half a squared maximum mean discrepancy (Gretton et al. 2012, eq. 3, the unbiased form) whose kernel is
    the overlap. With p_i, q_i the probabilities that candidate i enters a list of n under A and B, two independent runs
    share Σ p_i² (A), Σ q_i² (B), Σ p_i q_i (one of each) entries in expectation, hence E Δ = Σ (p_i - q_i)² / 2n: zero
    exactly when every candidate enters the list with equal probability under both. An estimate may be below zero.
    The split is algebra: ½(a + b) - c = ½(√a - √b)² + √(ab) - c, and c = √(ab)·ρ.
    """

    within_a: float
    within_b: float
    between: float
    n: int

    @property
    def delta(self) -> float:
        return (self.within_a + self.within_b) / 2 - self.between

    @property
    def n_delta(self) -> float:
        return self.n * self.delta

    @property
    def rho(self) -> float | None:
        scale = sqrt(self.within_a * self.within_b)
        return self.between / scale if scale else None

    @property
    def steadier(self) -> float:
        return (sqrt(self.within_a) - sqrt(self.within_b)) ** 2 / 2

    @property
    def others(self) -> float:
        return sqrt(self.within_a * self.within_b) - self.between

    @property
    def decided_by_seed(self) -> bool:
        """Two runs of one of the models share less than 0.4 of their lists: largely the seed decides them."""
        return min(self.within_a, self.within_b) < 0.4


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


@dataclass(frozen=True)
class Permutation:
    """p of the label permutation, one-sided for large Δ.

    splits : of the runs that it is over, the observed included
    exact : all there are, not a sample
    """

    p: float
    splits: int
    exact: bool


@dataclass(frozen=True)
class Finding:
    """One endpoint of two models before p is adjusted over the endpoints."""

    effect: Effect
    precision: Precision
    test: Permutation


def effect(overlaps: Overlaps, labels: Labels) -> Effect:
    """The effect in a matrix (R, R); ValueError unless each model has two runs."""
    a, b = _sizes(overlaps, labels)
    in_a, in_b, between = (int(found) for found in _sums(overlaps.counts, labels))
    whole = overlaps.whole
    return Effect(in_a / (comb(a, 2) * whole), in_b / (comb(b, 2) * whole), between / (a * b * whole), overlaps.n)


def deltas(overlaps: Overlaps, labels: Labels) -> Values:
    """Δ of each entity of (E, R, R): (E,). ValueError unless each model has two runs."""
    _sizes(overlaps, labels)
    total, denominator = _scaled_delta(overlaps.counts, labels)
    return np.asarray(total / (denominator * overlaps.whole))


def precision(overlaps: Overlaps, labels: Labels) -> Precision:
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
    a, b = _sizes(overlaps, labels)
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
            total, denominator = _scaled_delta(overlaps.among(others).counts, labels[others])
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


def permutation_test(overlaps: Overlaps, labels: Labels, *, seed: int) -> Permutation:
    """Permutation of run labels for a matrix (R, R): the share of splits whose Δ is at least the observed.

    Exact over all splits up to `MOST_SPLITS` (where S_A = S_B, a split and its complement have equal Δ and count once);
    beyond, (hits + 1)/(draws + 1) over random ones (Phipson and Smyth 2010). Holds its level where runs of both models
    have lists of one distribution. With S_A = S_B, p is that of PERMANOVA (Anderson 2001) on the distances √(1 - O).
    """
    p, splits, exact = _permute(overlaps, labels, seed)
    return Permutation(float(p[0]), splits, exact)


def permutation_by_entity(overlaps: Overlaps, labels: Labels, *, seed: int) -> Values:
    """p of each entity of (E, R, R), as `permutation_test` gives it, all over the same splits: (E,)."""
    return _permute(overlaps, labels, seed)[0]


def find(overlaps: Overlaps, labels: Labels, *, seed: int) -> Finding:
    """Effect, interval and test for a matrix (R, R); ValueError unless each model has two runs."""
    test = permutation_test(overlaps, labels, seed=seed)
    return Finding(effect(overlaps, labels), precision(overlaps, labels), test)


def smallest_p(runs_a: int, runs_b: int, *, endpoints: int = 1) -> float:
    """The least p that so many runs can reach after Holm over the endpoints: at best each p is one split's."""
    splits = _split_count(runs_a, runs_b)
    return min(1.0, endpoints / (splits if splits <= MOST_SPLITS else DRAWS + 1))


def replicates_needed(endpoints: int, *, level: float = LEVEL) -> int:
    """The fewest replicates of each model whose smallest p after Holm, over all splits, is at most the level."""
    replicates = 2
    while endpoints > level * _split_count(replicates, replicates):
        replicates += 1
    return replicates


def holm(p: Sequence[float]) -> Values:
    """Adjusted for the family-wise error rate, in the order given: max over j <= i of (m - j + 1) p_(j) (Holm 1979)."""
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def benjamini_hochberg(p: Values) -> Values:
    """Adjusted for the false discovery rate, in the order given (Benjamini and Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p, method="bh"))


def _sizes(overlaps: Overlaps, labels: Labels) -> tuple[int, int]:
    runs = overlaps.counts.shape[-1]
    a, b = int((~labels).sum()), int(labels.sum())
    if labels.shape != (runs,) or min(a, b) < 2:
        raise ValueError(f"{a} and {b} labels for {runs} runs; one a run and two or more of each model expected")
    return a, b


def _sums(counts: Counts, labels: Labels) -> tuple[Counts, Counts, Counts]:
    """Summed over the pairs within A, within B, and between: counts (..., R, R) -> three of (...)."""
    pairs = np.triu(np.ones(counts.shape[-2:], dtype=bool), 1)
    same = labels[:, None] == labels
    chosen = (pairs & same & ~labels, pairs & same & labels, pairs & ~same)
    in_a, in_b, between = (counts[..., pair].sum(axis=-1) for pair in chosen)
    return in_a, in_b, between


def _scaled_delta(counts: Counts, labels: Labels) -> tuple[Counts, int]:
    """Integers t (...) and d with Δ = t / (d · whole)."""
    in_a, in_b, between = _sums(counts, labels)
    of_a, of_b, of_between, denominator = _weights(int((~labels).sum()), int(labels.sum()))
    return np.asarray(of_a * in_a + of_b * in_b - of_between * between), denominator


def _weights(a: int, b: int) -> tuple[int, int, int, int]:
    """Integers w_A, w_B, w, d with Δ = (w_A · sum within A + w_B · sum within B - w · sum between) / (d · whole)."""
    weights = b * (b - 1), a * (a - 1), (a - 1) * (b - 1)
    common = gcd(*weights)
    of_a, of_b, of_between = (weight // common for weight in weights)
    return of_a, of_b, of_between, a * (a - 1) * b * (b - 1) // common


def _bound(delta: float, runs: int, level: float) -> Interval:
    moved = 2 * (1 - ((1 - level) / 2) ** (1 / (2 * (runs - 1))))
    return Interval(max(0.0, 1 - moved) ** 2 * delta, min(1.0, sqrt(delta) + moved) ** 2)


def _split_count(a: int, b: int) -> int:
    return comb(a + b, a) // (2 if a == b else 1)


def _splits(labels: Labels, seed: int) -> tuple[Labels, bool]:
    """(M, R) labels of all splits, or of a random sample; and whether they are all."""
    runs, b = len(labels), int(labels.sum())
    a = runs - b
    count = _split_count(a, b)
    if count > MOST_SPLITS:
        generator = np.random.default_rng(seed)
        return generator.permuted(np.tile(labels, (DRAWS, 1)), axis=1), False
    # of a split and its complement, where both are splits, the one with run 0 in A
    chosen = chain.from_iterable(combinations(range(int(a == b), runs), b))
    members = np.fromiter(chosen, dtype=np.intp, count=count * b).reshape(count, b)
    splits = np.zeros((count, runs), dtype=bool)
    np.put_along_axis(splits, members, True, axis=1)
    return splits, True


def _permute(overlaps: Overlaps, labels: Labels, seed: int) -> tuple[Values, int, bool]:
    """p of each matrix: Δ times a common denominator, an integer, is a weighted sum of counts over pairs of runs."""
    a, b = _sizes(overlaps, labels)
    counts = overlaps.counts.reshape(-1, a + b, a + b)  # (E, R, R)
    of_a, of_b, of_between, denominator = _weights(a, b)
    # No sum of counts times weights, whatever its order, is beyond the bound: floats stay integers up to 2^24 and 2^53.
    bound = 2 * denominator * int(counts.max())
    if bound >= 1 << 63:
        raise OverflowError(f"overlaps counted out of {overlaps.whole} for {a + b} runs do not fit 64 bits")
    exact_in = ((1 << 24, np.dtype(np.float32)), (1 << 53, np.dtype(np.float64)), (1 << 63, np.dtype(np.int64)))
    dtype = next(dtype for limit, dtype in exact_in if bound < limit)
    first, second = np.triu_indices(a + b, 1)
    pairs = np.ascontiguousarray(counts[:, first, second].T, dtype=dtype)  # (P, E)
    weight_of = np.array([of_a, -of_between, of_b], dtype=dtype)

    def statistics(split: Labels, chosen: slice) -> npt.NDArray[Any]:
        in_b = split.view(np.int8)
        weights = weight_of[in_b[:, first] + in_b[:, second]]  # (M, P)
        return np.asarray(weights @ pairs[:, chosen])  # (M, E)

    splits, exact = _splits(labels, seed)
    hits = np.zeros(len(counts), dtype=np.int64)
    step = max(1, BLOCK_BYTES // (4 * dtype.itemsize * len(first)))
    for begin in range(0, len(counts), 2048):
        some = slice(begin, begin + 2048)
        observed = statistics(labels[None], some)
        for start in range(0, len(splits), step):
            hits[some] += (statistics(splits[start : start + step], some) >= observed).sum(axis=0)
    return (hits / len(splits) if exact else (hits + 1) / (len(splits) + 1)), len(splits) + (not exact), exact
