"""Excess disagreement of two models beyond seed variance.

A *run* is one fit of a model with a random seed of its own. Every run gives each entity (a user or an item) a list of n
entries. The overlap of two runs is the share of entries that their lists have in common, averaged over entities.

Two runs of one model differ by their seeds only. Their mean overlap is the *within* overlap: O_AA for model A, O_BB for
model B. Two runs of different models differ by seed and by model. Their mean overlap is the *between* overlap O_AB. The
excess disagreement Δ is the difference that seeds do not explain:

    Δ = (O_AA + O_BB) / 2 - O_AB

Δ is 0 in expectation if the runs of both models draw their lists from one distribution. Δ is 1 if each model always
gives the same lists and the two models share no entry.

The run is the unit of replication: all of this package works on the (R, R) matrix of overlaps of S_A runs of A and S_B
runs of B, with `labels` (R,) bool, False for a run of A and True for a run of B.
"""

from dataclasses import dataclass
from math import comb, gcd, sqrt

import numpy as np

from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.types import Counts, Mask, Values

SEED_DECIDES = 0.4
"""Within overlap below which lists count as largely determined by the seed."""


@dataclass(frozen=True)
class Effect:
    """Excess disagreement of two models, in units of overlap (1 is a complete list).

    Δ estimates half a squared maximum mean discrepancy (Gretton et al. 2012, eq. 3, the unbiased form) whose kernel is
    the overlap. Let p_i and q_i be the probabilities that candidate i enters a list of n under A and under B. Two
    independent runs share Σ p_i² entries (two of A), Σ q_i² (two of B) or Σ p_i q_i (one of each) in expectation, hence
    E Δ = Σ (p_i - q_i)² / 2n. It is zero if and only if every candidate has the same probability under both models. An
    estimate can be negative.

    Attributes
    ----------
    within_a, within_b : float
        O_AA and O_BB, the mean overlap of two runs of one model.
    between : float
        O_AB, the mean overlap of a run of A and a run of B.
    n : int
        Length of the lists.
    """

    within_a: float
    within_b: float
    between: float
    n: int

    @property
    def delta(self) -> float:
        """Excess disagreement Δ = (O_AA + O_BB)/2 - O_AB."""
        return (self.within_a + self.within_b) / 2 - self.between

    @property
    def n_delta(self) -> float:
        """Excess disagreement n·Δ in entries: how many of n are replaced beyond seed variance."""
        return self.n * self.delta

    @property
    def rho(self) -> float | None:
        """Agreement corrected for seed noise, ρ = O_AB / √(O_AA·O_BB); None if a within overlap is zero."""
        return self.between / self.ceiling if self.ceiling else None

    @property
    def ceiling(self) -> float:
        """Noise ceiling √(O_AA·O_BB): the expected overlap of two models that differ by their seeds only."""
        return sqrt(self.within_a * self.within_b)

    @property
    def steadier(self) -> float:
        """Part of Δ due to one model varying less between seeds than the other: ½(√O_AA - √O_BB)².

        The parts follow from ½(a + b) - c = ½(√a - √b)² + (√(ab) - c).
        """
        return (sqrt(self.within_a) - sqrt(self.within_b)) ** 2 / 2

    @property
    def others(self) -> float:
        """Part of Δ due to the models giving different lists: √(O_AA·O_BB) - O_AB = √(O_AA·O_BB)·(1 - ρ)."""
        return self.ceiling - self.between

    @property
    def decided_by_seed(self) -> bool:
        """Whether two runs of one of the models share less than 0.4 of their lists."""
        return min(self.within_a, self.within_b) < SEED_DECIDES


def effect(overlaps: Overlaps, labels: Mask) -> Effect:
    """Estimate the effect from one matrix of overlaps.

    Parameters
    ----------
    overlaps : Overlaps
        Counts (R, R).
    labels : (R,) bool
        True for runs of B.

    Returns
    -------
    Effect

    Raises
    ------
    ValueError
        If a model has fewer than two runs, or the number of labels is not R.
    """
    a, b = group_sizes(overlaps, labels)
    in_a, in_b, between = (int(total) for total in _pair_sums(overlaps.counts, labels))
    one = overlaps.denominator
    return Effect(in_a / (comb(a, 2) * one), in_b / (comb(b, 2) * one), between / (a * b * one), overlaps.n)


def delta_by_entity(overlaps: Overlaps, labels: Mask) -> Values:
    """Estimate Δ for each entity.

    Parameters
    ----------
    overlaps : Overlaps
        Counts (E, R, R).
    labels : (R,) bool
        True for runs of B.

    Returns
    -------
    (E,) float64

    Raises
    ------
    ValueError
        As in `effect`.
    """
    weight_a, weight_b, weight_between, multiplier = pair_weights(*group_sizes(overlaps, labels))
    in_a, in_b, between = _pair_sums(overlaps.counts, labels)
    totals = weight_a * in_a + weight_b * in_b - weight_between * between
    return np.asarray(totals / (multiplier * overlaps.denominator))


def group_sizes(overlaps: Overlaps, labels: Mask) -> tuple[int, int]:
    """Count the runs of each model.

    Parameters
    ----------
    overlaps : Overlaps
        Counts (..., R, R).
    labels : (R,) bool
        True for runs of B.

    Returns
    -------
    tuple of int
        S_A and S_B, each at least 2.

    Raises
    ------
    ValueError
        If a model has fewer than two runs, or the number of labels is not R.
    """
    runs = overlaps.counts.shape[-1]
    a, b = int((~labels).sum()), int(labels.sum())
    if labels.shape != (runs,) or min(a, b) < 2:
        raise ValueError(
            f"found labels of {a} and {b} runs for a matrix of {runs} runs; expected one label for each run, and two "
            "or more runs of each model"
        )
    return a, b


def pair_weights(a: int, b: int) -> tuple[int, int, int, int]:
    """Return the integer weights of pairs of runs in Δ.

    With D the denominator of the counts, Δ = (w_A·Σ within A + w_B·Σ within B - w·Σ between) / (multiplier·D).

    Parameters
    ----------
    a, b : int
        Runs of A and of B.

    Returns
    -------
    tuple of int
        w_A, w_B, w and the multiplier, in lowest terms.
    """
    weights = b * (b - 1), a * (a - 1), (a - 1) * (b - 1)
    common = gcd(*weights)
    weight_a, weight_b, weight_between = (weight // common for weight in weights)
    return weight_a, weight_b, weight_between, a * (a - 1) * b * (b - 1) // common


def _pair_sums(counts: Counts, labels: Mask) -> tuple[Counts, Counts, Counts]:
    """Sum counts (..., R, R) over the pairs within A, within B and between: three arrays (...)."""
    pairs = np.triu(np.ones(counts.shape[-2:], dtype=bool), 1)
    same = labels[:, None] == labels
    masks = (pairs & same & ~labels, pairs & same & labels, pairs & ~same)
    in_a, in_b, between = (counts[..., mask].sum(axis=-1) for mask in masks)
    return in_a, in_b, between
