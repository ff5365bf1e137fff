"""Confidence intervals of the excess disagreement, and bounds without variation."""

from itertools import product
from math import sqrt

import numpy as np
import pytest

from tasks.core.inference.jackknife import FLAT, NO_VARIATION, TOO_FEW, Interval, Uncertainty, jackknife
from tasks.core.inference.overlap_counts import overlap_counts
from tests.core.inference.examples import SIX_LABELS, exact_delta, halves, random_runs, runs_of


def test_interval_by_hand(six):
    """Without run 0, within A is 2/4, within B 8/12 and between (1+2+1 + 1+2+0)/24 = 7/24; and so on.

    Δ without each run, in 24ths: A: (12 + 16)/2 - 7 = 7; (18 + 16)/2 - 7 = 10; (18 + 16)/2 - 8 = 9, mean 26/3.
    B: (16 + 12)/2 - 8 = 6; (16 + 18)/2 - 5 = 12; (16 + 18)/2 - 9 = 8, mean 26/3.
    Σ squares about the means: 14/3 and 56/3; variance 2/3 of their sum, 140/9 over 24².
    """
    uncertainty = jackknife(six, SIX_LABELS)
    error = sqrt(140) / 3 / 24
    assert uncertainty.standard_error == pytest.approx(error)
    assert uncertainty.interval_95.low == pytest.approx(13 / 36 - 2.776445 * error, abs=1e-6)
    assert uncertainty.interval_95.high == pytest.approx(13 / 36 + 2.776445 * error, abs=1e-6)
    assert uncertainty.interval_90.high == pytest.approx(13 / 36 + 2.131847 * error, abs=1e-6)
    assert uncertainty.note is uncertainty.bound_95 is uncertainty.bound_90 is None


def test_standard_error_is_that_of_pseudo_values_for_groups_of_two_sizes():
    rng = np.random.default_rng(9)
    labels = rng.permutation(halves(4, 6))
    overlaps = overlap_counts(random_runs(rng, 10, entities=5, n=3, candidates=6), 3)
    delta = exact_delta(overlaps.counts, overlaps.denominator, labels)
    variance = 0.0
    for group, size in ((False, 4), (True, 6)):
        pseudo_values = []
        for run in np.flatnonzero(labels == group):
            remaining = np.delete(np.arange(10), run)
            counts = overlaps.counts[np.ix_(remaining, remaining)]
            left_out = exact_delta(counts, overlaps.denominator, labels[remaining])
            pseudo_values.append(float(size * delta - (size - 1) * left_out))
        assert np.mean(pseudo_values) == pytest.approx(float(delta))
        variance += np.var(pseudo_values, ddof=1) / size
    assert jackknife(overlaps, labels).standard_error == pytest.approx(sqrt(variance))


def test_equal_lists_in_all_runs_have_no_interval():
    lists = [[1, 2, 3, 4, 5]] * 10 + [[5, 4, 3, 6, 7]] * 10
    uncertainty = jackknife(overlap_counts(runs_of(lists), 5), halves(10, 10))
    assert uncertainty.note == NO_VARIATION
    assert uncertainty.interval_95 is uncertainty.interval_90 is uncertainty.standard_error is None


def test_bounds_without_variation_by_hand():
    """At 90%, 0.05 on each side: nine repeats a model, so ε = 2 - 2 · 0.05^(1/18) = 0.30667; the Δ seen is 0.4."""
    lists = [[1, 2, 3, 4, 5]] * 10 + [[5, 4, 3, 6, 7]] * 10
    uncertainty = jackknife(overlap_counts(runs_of(lists), 5), halves(10, 10))
    bound_90, bound_95 = uncertainty.bound_90, uncertainty.bound_95
    assert bound_90.low == pytest.approx(0.4 * (1 - 0.30667) ** 2, abs=1e-4)
    assert bound_90.high == pytest.approx((sqrt(0.4) + 0.30667) ** 2, abs=1e-4)
    assert bound_95.low < bound_90.low < 0.4 < bound_90.high < bound_95.high <= 1


def test_bounds_hold_for_every_model_that_can_give_equal_lists():
    """Models with the list seen and one other list: whenever the bounds miss Δ, equal lists are as rare as stated."""
    runs, level = 6, 0.90
    seen_a, seen_b = {1, 2, 3, 4}, {3, 4, 5, 6}
    unseen = [{1, 2, 3, 4}, {3, 4, 5, 6}, {7, 8, 9, 10}, {1, 2, 7, 8}]
    lists = [sorted(seen_a)] * runs + [sorted(seen_b)] * runs
    bound = jackknife(overlap_counts(runs_of(lists), 4), halves(runs, runs)).bound_90
    missed = 0
    for unseen_a, unseen_b in product(unseen, repeat=2):
        for rare_a, rare_b in product(np.linspace(0, 1, 21), repeat=2):
            p, q = np.zeros(11), np.zeros(11)
            for share, members, probabilities in (
                (1 - rare_a, seen_a, p),
                (rare_a, unseen_a, p),
                (1 - rare_b, seen_b, q),
                (rare_b, unseen_b, q),
            ):
                probabilities[sorted(members)] += share
            delta = ((p - q) ** 2).sum() / 8
            if not bound.low - 1e-12 <= delta <= bound.high + 1e-12:
                missed += 1
                repeat_a = 1.0 if unseen_a == seen_a else 1 - rare_a
                repeat_b = 1.0 if unseen_b == seen_b else 1 - rare_b
                assert (repeat_a * repeat_b) ** (runs - 1) < (1 - level) / 2
    assert missed


def test_two_equal_runs_of_each_model_rule_out_nothing():
    uncertainty = jackknife(overlap_counts(runs_of([[1, 2], [1, 2], [1, 3], [1, 3]]), 2), halves(2, 2))
    assert (uncertainty.note, uncertainty.bound_95) == (NO_VARIATION, Interval(0.0, 1.0))


def test_two_runs_of_a_model_are_too_few():
    lists = [[1, 2], [1, 3], [1, 2], [4, 5], [2, 3]]
    assert jackknife(overlap_counts(runs_of(lists), 2), halves(2, 3)) == Uncertainty(note=TOO_FEW)


def test_overlaps_that_no_run_changes_have_no_interval():
    """Every two runs of one model share one entry and runs of two models share none: all runs matter alike."""
    lists = [[1, 2], [1, 3], [1, 4], [5, 6], [5, 7], [5, 8]]
    assert jackknife(overlap_counts(runs_of(lists), 2), halves(3, 3)) == Uncertainty(note=FLAT)


def test_bounds_replace_missing_intervals_as_limits():
    interval, bound = Interval(0.1, 0.2), Interval(0.0, 0.3)
    assert Uncertainty(interval_95=interval, interval_90=interval).limits_95 == interval
    without = Uncertainty(note=NO_VARIATION, bound_95=bound, bound_90=bound)
    assert (without.limits_95, without.limits_90) == (bound, bound)
    assert Uncertainty(note=TOO_FEW).limits_90 is None
