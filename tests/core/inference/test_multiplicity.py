"""Adjustment of p-values for multiple tests."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from tasks.core.inference.multiplicity import benjamini_hochberg, holm


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_holm_keeps_the_order_of_p_and_lies_between_p_and_bonferroni():
    p = np.random.default_rng(3).random(40) ** 3
    adjusted = holm(p)
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    assert ((p <= adjusted) & (adjusted <= np.minimum(40 * p, 1))).all()


def test_benjamini_hochberg_is_that_of_scipy():
    for p in (np.random.default_rng(4).random(60) ** 3, np.full(7, 0.02), np.array([1.0, 1.0, 0.0]), np.array([])):
        assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p) if len(p) else p)


def test_benjamini_hochberg_by_hand():
    """4/1 · 0.01 = 0.04, 4/2 · 0.02 = 0.04, 4/3 · 0.03 = 0.04, 0.5; the smallest of those from each rank on."""
    assert benjamini_hochberg(np.array([0.5, 0.03, 0.01, 0.02])).tolist() == pytest.approx([0.5] + [0.04] * 3)
