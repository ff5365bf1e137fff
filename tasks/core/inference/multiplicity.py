"""Adjustment of p-values for several tests."""

from collections.abc import Sequence

import numpy as np

from tasks.core.types import Values

LEVEL = 0.05


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
