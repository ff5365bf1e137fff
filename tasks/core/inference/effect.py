"""Excess disagreement of two models beyond seed variance."""

from dataclasses import dataclass
from math import comb, gcd, sqrt

import numpy as np

from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.types import Counts, Mask, Values


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


def effect(overlaps: Overlaps, labels: Mask) -> Effect:
    """The effect in a matrix (R, R); ValueError unless each model has two runs."""
    a, b = group_sizes(overlaps, labels)
    in_a, in_b, between = (int(found) for found in _sums(overlaps.counts, labels))
    whole = overlaps.whole
    return Effect(in_a / (comb(a, 2) * whole), in_b / (comb(b, 2) * whole), between / (a * b * whole), overlaps.n)


def deltas(overlaps: Overlaps, labels: Mask) -> Values:
    """Δ of each entity of (E, R, R): (E,). ValueError unless each model has two runs."""
    group_sizes(overlaps, labels)
    total, denominator = scaled_delta(overlaps.counts, labels)
    return np.asarray(total / (denominator * overlaps.whole))


def group_sizes(overlaps: Overlaps, labels: Mask) -> tuple[int, int]:
    runs = overlaps.counts.shape[-1]
    a, b = int((~labels).sum()), int(labels.sum())
    if labels.shape != (runs,) or min(a, b) < 2:
        raise ValueError(f"{a} and {b} labels for {runs} runs; one a run and two or more of each model expected")
    return a, b


def _sums(counts: Counts, labels: Mask) -> tuple[Counts, Counts, Counts]:
    """Summed over the pairs within A, within B, and between: counts (..., R, R) -> three of (...)."""
    pairs = np.triu(np.ones(counts.shape[-2:], dtype=bool), 1)
    same = labels[:, None] == labels
    chosen = (pairs & same & ~labels, pairs & same & labels, pairs & ~same)
    in_a, in_b, between = (counts[..., pair].sum(axis=-1) for pair in chosen)
    return in_a, in_b, between


def scaled_delta(counts: Counts, labels: Mask) -> tuple[Counts, int]:
    """Integers t (...) and d with Δ = t / (d · whole)."""
    in_a, in_b, between = _sums(counts, labels)
    of_a, of_b, of_between, denominator = pair_weights(int((~labels).sum()), int(labels.sum()))
    return np.asarray(of_a * in_a + of_b * in_b - of_between * between), denominator


def pair_weights(a: int, b: int) -> tuple[int, int, int, int]:
    """Integers w_A, w_B, w, d with Δ = (w_A · sum within A + w_B · sum within B - w · sum between) / (d · whole)."""
    weights = b * (b - 1), a * (a - 1), (a - 1) * (b - 1)
    common = gcd(*weights)
    of_a, of_b, of_between = (weight // common for weight in weights)
    return of_a, of_b, of_between, a * (a - 1) * b * (b - 1) // common
