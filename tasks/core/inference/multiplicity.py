"""Adjustment of p-values for multiple tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.types import Values

LEVEL = 0.05
"""Significance level of every test, after adjustment."""


@dataclass(frozen=True)
class Levels:
    """What the adjusted p of each claim about Δ is compared with.

    A comparison that is one of several planned looks has smaller levels, see `inference.sequential`.

    Attributes
    ----------
    difference : float
        Of the claim that Δ is not 0.
    meaningful : float
        Of the claim that Δ is above the margin: one-sided, as a two-sided 95% interval has it.
    below : float
        Of the claim that Δ is below the margin: one-sided, as in an equivalence test.
    """

    difference: float = LEVEL
    meaningful: float = 0.025
    below: float = 0.05


def holm(p: Sequence[float]) -> Values:
    """Adjust p-values for the family-wise error rate (Holm 1979).

    The i-th smallest of m p-values becomes the maximum over j <= i of (m - j + 1)·p_(j), at most 1.

    Parameters
    ----------
    p : (m,) float
        May be empty.

    Returns
    -------
    (m,) float64
        In the order of `p`.
    """
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def benjamini_hochberg(p: Values) -> Values:
    """Adjust p-values (m,) for the false discovery rate (Benjamini and Hochberg 1995), in the order of `p`."""
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(-raw, kind="stable")
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum.accumulate(raw[order] * len(raw) / np.arange(len(raw), 0, -1))
    return adjusted
