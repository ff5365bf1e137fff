"""Estimates with Student's t distribution: intervals and tests."""

from dataclasses import astuple

import pytest
from scipy import stats

from tasks.core.inference.student import Estimate


def test_equivalence_is_the_larger_of_two_one_sided_tests():
    for difference in (0.3, -0.3):
        estimate = Estimate(difference, standard_error=0.5, degrees_of_freedom=4.0)
        below = stats.t.cdf((difference - 1) / 0.5, 4)
        above = stats.t.sf((difference + 1) / 0.5, 4)
        assert estimate.p_equivalent(1.0) == pytest.approx(max(below, above))


def test_the_test_and_the_interval_agree():
    """A difference at a limit of its own interval, seen from 0, has p = .05."""
    estimate = Estimate(2.0, standard_error=1.0, degrees_of_freedom=7.0)
    low, high = astuple(estimate.interval())
    assert (low + high) / 2 == 2
    assert Estimate(2 - low, 1.0, 7.0).p == pytest.approx(0.05)


def test_intervals_and_p_are_those_of_scipy():
    for freedom in (1.0, 2.5, 7.0, 400.0):
        estimate = Estimate(0.7, standard_error=0.3, degrees_of_freedom=freedom)
        assert astuple(estimate.interval(0.9)) == pytest.approx(stats.t.interval(0.9, freedom, loc=0.7, scale=0.3))
        assert estimate.p == pytest.approx(2 * stats.t.sf(0.7 / 0.3, freedom))


def test_no_p_is_zero():
    assert Estimate(1.0, standard_error=1e-9, degrees_of_freedom=1e4).p > 0
    assert Estimate(0.0, standard_error=1e-9, degrees_of_freedom=1e4).p_equivalent(1.0) > 0
