"""Confidence intervals of the excess disagreement, tests of its margin, and bounds for steady models."""

from itertools import product
from math import sqrt

import numpy as np
import pytest
from scipy.stats import binom

from tasks.core.inference.effect import effect
from tasks.core.inference.jackknife import FLAT, HARDLY_ANY, NO_VARIATION, TOO_FEW, jackknife
from tasks.core.inference.overlap_counts import overlap_counts
from tasks.core.inference.student import Interval
from tests.core.inference.examples import SIX_LABELS, exact_delta, halves, random_runs, runs_of

LIST, NEAR, OTHER = [1, 2, 3, 4, 5], [1, 2, 3, 4, 9], [5, 4, 3, 6, 7]


def test_interval_by_hand(six):
    """Without run 0, within A is 2/4, within B 8/12 and between (1+2+1 + 1+2+0)/24 = 7/24; and so on.

    Δ without each run, in 24ths: A: (12 + 16)/2 - 7 = 7; (18 + 16)/2 - 7 = 10; (18 + 16)/2 - 8 = 9, mean 26/3.
    B: (16 + 12)/2 - 8 = 6; (16 + 18)/2 - 5 = 12; (16 + 18)/2 - 9 = 8, mean 26/3.
    Σ squares about the means: 14/3 and 56/3; variance 2/3 of their sum, 140/9 over 24².
    """
    uncertainty = jackknife(six, SIX_LABELS)
    error = sqrt(140) / 3 / 24
    limits_95, limits_90 = uncertainty.limits(0.95), uncertainty.limits(0.90)
    assert uncertainty.standard_error == pytest.approx(error)
    # Student's t with 3 - 1 degrees of freedom
    assert limits_95.low == pytest.approx(13 / 36 - 4.302653 * error, abs=1e-6)
    assert limits_95.high == pytest.approx(13 / 36 + 4.302653 * error, abs=1e-6)
    assert limits_90.high == pytest.approx(13 / 36 + 2.919986 * error, abs=1e-6)
    assert uncertainty.note is uncertainty.steady is None


def test_a_margin_at_the_limit_of_an_interval_has_the_p_of_that_limit(six):
    uncertainty = jackknife(six, SIX_LABELS)
    assert uncertainty.p_at_most(uncertainty.limits(0.95).low) == pytest.approx(0.025)
    assert uncertainty.p_at_least(uncertainty.limits(0.90).high) == pytest.approx(0.05)
    assert uncertainty.p_at_most(13 / 36) == pytest.approx(0.5)
    assert uncertainty.p_at_least(13 / 36) == pytest.approx(0.5)


def test_rho_has_the_standard_error_of_its_pseudo_values(six):
    rhos = []
    for run in range(6):
        remaining = np.delete(np.arange(6), run)
        rhos.append(effect(six.of_runs(remaining), SIX_LABELS[remaining]).rho)
    variance = sum(2 * np.var(of_model) for of_model in (rhos[:3], rhos[3:]))
    uncertainty = jackknife(six, SIX_LABELS)
    assert uncertainty.rho.value == effect(six, SIX_LABELS).rho
    assert uncertainty.rho.standard_error == pytest.approx(sqrt(variance))
    half = 4.302653 * sqrt(variance)
    limits = uncertainty.rho_limits(0.95)
    assert (limits.low, limits.high) == pytest.approx((uncertainty.rho.value - half, uncertainty.rho.value + half))


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


def test_equal_lists_in_all_runs_have_bounds_and_no_standard_error():
    uncertainty = jackknife(overlap_counts(runs_of([LIST] * 10 + [OTHER] * 10), 5), halves(10, 10))
    assert uncertainty.note == NO_VARIATION
    assert uncertainty.standard_error is uncertainty.rho_limits(0.95) is None
    assert uncertainty.limits(0.95) is not None


def test_bounds_without_variation_by_hand():
    """At 90%, 0.05 on each side: nine repeats a model, so ε = 2 - 2 · 0.05^(1/18) = 0.30667; the Δ seen is 0.4."""
    uncertainty = jackknife(overlap_counts(runs_of([LIST] * 10 + [OTHER] * 10), 5), halves(10, 10))
    limits_90, limits_95 = uncertainty.limits(0.90), uncertainty.limits(0.95)
    assert limits_90.low == pytest.approx(0.4 * (1 - 0.30667) ** 2, abs=1e-4)
    assert limits_90.high == pytest.approx((sqrt(0.4) + 0.30667) ** 2, abs=1e-4)
    assert limits_95.low < limits_90.low < 0.4 < limits_90.high < limits_95.high <= 1


def test_p_of_a_margin_without_variation_by_hand():
    """Δ = 0.4 falls to the margin 0.1 at ε = 1/2: (3/4)^18. From 0 it rises to 0.25 at ε = 1/2 as well."""
    different = jackknife(overlap_counts(runs_of([LIST] * 10 + [OTHER] * 10), 5), halves(10, 10))
    equal = jackknife(overlap_counts(runs_of([LIST] * 20), 5), halves(10, 10))
    assert different.p_at_most(0.1) == equal.p_at_least(0.25) == pytest.approx(0.75**18)
    assert different.p_at_least(0.1) == equal.p_at_most(0.25) == 1


def test_one_run_that_deviates_has_the_bound_of_clopper_and_pearson():
    """Of nine others one deviates: at most one with probability (1 - ε)^9 + 9 ε (1 - ε)^8."""
    uncertainty = jackknife(overlap_counts(runs_of([LIST] * 9 + [NEAR] + [LIST] * 10), 5), halves(10, 10))
    assert uncertainty.note == HARDLY_ANY
    of_a = np.linspace(0, 0.5, 50_001)
    of_b = 0.5 - of_a
    product_of_both = ((1 - of_a) ** 9 + 9 * of_a * (1 - of_a) ** 8) * (1 - of_b) ** 9
    assert uncertainty.p_at_least(0.25) == pytest.approx(product_of_both.max(), rel=1e-3)


@pytest.mark.parametrize("steady", [True, False])
@pytest.mark.parametrize("runs", [3, 5, 10])
@pytest.mark.parametrize("list_of_b", [[1, 2, 3, 4, 5], [1, 2, 3, 6, 7], [6, 7, 8, 9, 10]])
def test_one_entry_of_one_run_in_a_constant_list_never_narrows_an_interval(list_of_b, runs, steady):
    """B changes from equal lists to one entry of one run. A has equal lists, one list that deviates, or random ones."""
    rng = np.random.default_rng(runs)
    for deviating in range(2) if steady else range(2, 20):
        lists = [LIST] * runs
        if steady and deviating:
            lists[0] = NEAR
        elif not steady:
            lists = [(rng.permutation(8)[:5] + 1).tolist() for _ in range(runs)]
        before = jackknife(overlap_counts(runs_of(lists + [list_of_b] * runs), 5), halves(runs, runs))
        for entry, replacement in product(range(5), [11, *set(range(1, 9)) - set(list_of_b)]):
            changed = [replacement if rank == entry else candidate for rank, candidate in enumerate(list_of_b)]
            runs_of_b = [list_of_b] * (runs - 1) + [changed]
            after = jackknife(overlap_counts(runs_of(lists + runs_of_b), 5), halves(runs, runs))
            for level in (0.90, 0.95):
                narrow, wide = before.limits(level), after.limits(level)
                if narrow is None:  # leaving out a run changes nothing: the interval is unlimited
                    continue
                assert wide.low <= narrow.low + 1e-9
                assert wide.high >= narrow.high - 1e-9


@pytest.mark.parametrize("deviating", [0, 1])
def test_bounds_hold_for_every_model_that_can_give_the_lists(deviating):
    """Models with the list seen and another: whenever the bounds miss Δ, so few deviations are as rare as stated."""
    runs, level = 6, 0.90
    seen_a, seen_b = {1, 2, 3, 4}, {3, 4, 5, 6}
    unseen = [{1, 2, 3, 4}, {3, 4, 5, 6}, {7, 8, 9, 10}, {1, 2, 7, 8}]
    lists = [sorted(seen_a)] * (runs - deviating) + [[1, 2, 3, 9]] * deviating + [sorted(seen_b)] * runs
    limits = jackknife(overlap_counts(runs_of(lists), 4), halves(runs, runs)).limits(level)
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
            if not limits.low - 1e-12 <= delta <= limits.high + 1e-12:
                missed += 1
                rare_a = 0.0 if unseen_a == seen_a else rare_a
                rare_b = 0.0 if unseen_b == seen_b else rare_b
                so_few = binom.cdf(deviating, runs - 1, rare_a) * binom.cdf(0, runs - 1, rare_b)
                assert so_few < (1 - level) / 2
    assert missed


def test_two_equal_runs_of_each_model_rule_out_nothing():
    uncertainty = jackknife(overlap_counts(runs_of([[1, 2], [1, 2], [1, 3], [1, 3]]), 2), halves(2, 2))
    assert (uncertainty.note, uncertainty.limits(0.95)) == (NO_VARIATION, Interval(0.0, 1.0))


@pytest.mark.parametrize(
    ("lists", "labels", "note"),
    [
        ([[1, 2], [1, 3], [1, 2], [4, 5], [2, 3]], halves(2, 3), TOO_FEW),
        # every two runs of one model share one entry, and runs of two models share none: all runs matter alike
        ([[1, 2], [1, 3], [1, 4], [5, 6], [5, 7], [5, 8]], halves(3, 3), FLAT),
    ],
)
def test_without_an_interval_no_claim_about_a_margin_is_possible(lists, labels, note):
    uncertainty = jackknife(overlap_counts(runs_of(lists), 2), labels)
    assert (uncertainty.note, uncertainty.limits(0.95), uncertainty.standard_error) == (note, None, None)
    assert uncertainty.p_at_most(0.1) == uncertainty.p_at_least(0.1) == 1


@pytest.mark.parametrize(
    ("steady", "has_interval"), [([LIST] * 4, False), ([LIST, NEAR, OTHER, [1, 2, 9, 8, 7]], True)]
)
def test_rho_has_no_interval_if_a_model_is_steady(steady, has_interval):
    varying = [[1, 2, 3, 6, 7], [1, 3, 4, 6, 8], [2, 3, 4, 5, 6], [1, 4, 5, 9, 3]]
    uncertainty = jackknife(overlap_counts(runs_of(steady + varying), 5), halves(4, 4))
    assert (uncertainty.rho_limits(0.95) is not None) is has_interval
    assert uncertainty.limits(0.95) is not None


def test_one_entry_in_a_constant_list_does_not_end_an_unlimited_interval():
    """B's runs each have an entry of their own: leaving out any one changes nothing. Then one run of A deviates."""
    lists_of_b = [[10, 11, 12, 13, 20 + run] for run in range(6)]
    for deviating in (LIST, [1, 2, 3, 4, 50]):
        overlaps = overlap_counts(runs_of([deviating] + [LIST] * 5 + lists_of_b), 5)
        uncertainty = jackknife(overlaps, halves(6, 6))
        assert (uncertainty.note, uncertainty.limits(0.95), uncertainty.p_at_most(0.2)) == (FLAT, None, 1.0)
