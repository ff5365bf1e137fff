"""A difference of means over users and runs, against hand-worked numbers, SciPy's t tests and simulated data."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from tasks.core.inference.means.crossed import mean_difference


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_two_runs_and_two_users_by_hand():
    """The user means are 2, 4 (A) and 5, 11 (B), so the users' differences are 3 and 7, of variance 8: U = 8/2 = 4.

    The run means of A are 2 and 4, of variance 2: R = 2/2 = 1. Its residuals are ±1, of sum of squares 4 and mean
    square 4/1: E = 4/(2·2) = 1. B has the run means 2 and 14, of variance 72: R = 36. Its residuals are 0.
    """
    of_a = np.array([[0.0, 4.0], [4.0, 4.0]])
    of_b = np.array([[-1.0, 5.0], [11.0, 17.0]])
    estimate = mean_difference(of_a, of_b)
    assert estimate.value == 8 - 3
    assert estimate.standard_error == pytest.approx(np.sqrt(4 + (1 - 1) + (36 - 0)))
    # the upper limit of a runs component with one degree of freedom is R/χ²_.2(1), and χ²_.2(1) = z_.6², z_.6 = .25335
    upper_a, upper_b = 1 / 0.25335**2, 36 / 0.25335**2
    expected = (4 + upper_a + upper_b) ** 2 / (4**2 + upper_a**2 + upper_b**2)
    assert estimate.degrees_of_freedom == pytest.approx(expected, rel=1e-4)


def test_a_negative_component_counts_as_zero():
    """U = 0: no user differs from another. R = 0 in both models. E = 1 in both: residuals ±1, divided by 2·2."""
    of_a = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert mean_difference(of_a, of_a + 3).standard_error == pytest.approx(np.sqrt(1 + 1))


def test_without_variance_of_runs_it_is_the_paired_t_test(rng):
    a, b = rng.uniform(size=(2, 30))
    estimate = mean_difference(np.tile(a, (3, 1)), np.tile(b, (4, 1)))
    paired = stats.ttest_rel(b, a)
    assert estimate.p == pytest.approx(paired.pvalue)
    assert estimate.degrees_of_freedom == pytest.approx(29)
    assert astuple(estimate.interval()) == pytest.approx(tuple(paired.confidence_interval(0.95)))


def test_without_variance_of_users_the_standard_error_is_that_of_the_t_test_of_run_means(rng):
    """Degrees of freedom: Welch's, with both variances raised by the same factor, which cancels."""
    a, b = rng.uniform(size=(2, 6))
    estimate = mean_difference(np.repeat(a[:, None], 9, axis=1), np.repeat(b[:, None], 9, axis=1))
    welch = stats.ttest_ind(b, a, equal_var=False)
    assert estimate.p == pytest.approx(welch.pvalue)
    assert estimate.degrees_of_freedom == pytest.approx(welch.df)


def test_a_single_run_leaves_the_paired_t_test_over_users(rng):
    of_a, of_b = rng.uniform(size=(1, 20)), rng.uniform(size=(5, 20))
    estimate = mean_difference(of_a, of_b)
    assert estimate.p == pytest.approx(stats.ttest_rel(of_b.mean(axis=0), of_a[0]).pvalue)
    assert estimate.degrees_of_freedom == 19


def test_a_recommender_without_seed_has_no_runs_component(rng):
    of_a, of_b = rng.uniform(size=20), rng.uniform(size=(5, 20)) + rng.normal(0, 1, (5, 1))
    estimate = mean_difference(of_a, of_b)
    residual = (of_b - of_b.mean(axis=1, keepdims=True) - of_b.mean(axis=0) + of_b.mean()).ravel()
    expected = (of_b.mean(axis=0) - of_a).var(ddof=1) / 20 + of_b.mean(axis=1).var(ddof=1) / 5
    expected -= residual @ residual / (4 * 19) / (5 * 20)
    assert estimate.standard_error**2 == pytest.approx(expected)
    assert estimate.degrees_of_freedom < 6


def test_the_variance_is_that_of_new_users_and_new_runs(rng):
    """Means over 3,000 draws: the estimate is unbiased, and a residual counts once."""
    draws, users = 3000, 50
    differences, variances = [], []
    for _ in range(draws):
        shared = rng.normal(0, 5, users)
        of_a = shared + rng.normal(0, 1, users) + rng.normal(0, 0.3, (4, 1)) + rng.normal(0, 2, (4, users))
        of_b = shared + rng.normal(0, 1, users) + rng.normal(0, 0.5, (6, 1)) + rng.normal(0, 1, (6, users))
        estimate = mean_difference(of_a, of_b)
        differences.append(estimate.value)
        variances.append(estimate.standard_error**2)
    expected = (1 + 1) / users + 0.3**2 / 4 + 0.5**2 / 6 + 2**2 / (4 * users) + 1**2 / (6 * users)
    assert np.var(differences) == pytest.approx(expected, rel=0.1)
    assert np.mean(variances) == pytest.approx(expected, rel=0.05)


def test_two_runs_reject_at_their_level_and_satterthwaites_formula_alone_does_not():
    """One model has no seed, the other two runs with nine tenths of the variance; 3,000 draws without a difference."""
    rng, draws, users = np.random.default_rng(5), 3000, 30
    rejected = rejected_by_formula = 0
    for _ in range(draws):
        of_b = rng.normal(0, np.sqrt(0.1 * users), users) + rng.normal(0, np.sqrt(0.9 * 2), (2, 1))
        estimate = mean_difference(np.zeros(users), of_b)
        rejected += estimate.p <= 0.05
        of_users, of_runs = of_b.mean(axis=0).var(ddof=1) / users, of_b.mean(axis=1).var(ddof=1) / 2
        freedom = (of_users + of_runs) ** 2 / (of_users**2 / (users - 1) + of_runs**2)
        rejected_by_formula += 2 * stats.t.sf(abs(of_b.mean()) / np.sqrt(of_users + of_runs), freedom) <= 0.05
    assert stats.binom.ppf(0.001, draws, 0.05) <= rejected <= stats.binom.ppf(0.999, draws, 0.05)
    assert rejected_by_formula > 0.1 * draws


@pytest.mark.parametrize("scale", [1e-160, 1.0])
def test_degrees_of_freedom_do_not_depend_on_the_unit(rng, scale):
    of_a, of_b = rng.uniform(size=(2, 3, 20))
    expected = mean_difference(of_a, of_b).degrees_of_freedom
    assert mean_difference(scale * of_a, scale * of_b).degrees_of_freedom == pytest.approx(expected, rel=1e-3)


def test_values_that_do_not_vary_have_no_standard_error():
    estimate = mean_difference(np.zeros((2, 5)), np.ones((3, 5)))
    assert (estimate.value, estimate.standard_error, estimate.degrees_of_freedom) == (1, 0, 4)
