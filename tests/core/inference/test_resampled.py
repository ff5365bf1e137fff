"""A difference of means over users, runs and splits, against hand-worked numbers, other forms and simulated data."""

import numpy as np
import pytest
from scipy import stats

from tasks.core.inference.means.crossed import mean_difference
from tasks.core.inference.means.resampled import SplitValues, mean_difference_over_splits
from tasks.core.inference.student import Estimate
from tests.benchmarks.resampled_level import DIFFERENCE_SD, Design, draw, simulate


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def difference(of_a, of_b, users=None, *, ratio=0.25) -> Estimate:
    """Of values on each split, with the same users on all splits unless they are given."""
    of_a, of_b = (tuple(map(np.asarray, values)) for values in (of_a, of_b))
    users = tuple(np.arange(values.shape[-1]) for values in of_b) if users is None else users
    return mean_difference_over_splits(SplitValues(of_a, users, ratio), SplitValues(of_b, users, ratio))


def test_one_split_is_the_analysis_of_users_and_runs(rng):
    of_a, of_b = rng.uniform(size=(3, 20)), rng.uniform(size=(4, 20))
    assert difference([of_a], [of_b], ratio=np.inf) == mean_difference(of_a, of_b)
    popularity = rng.uniform(size=20)
    assert difference([popularity], [of_b]) == mean_difference(popularity, of_b)


def test_two_splits_of_two_users_without_runs_by_hand():
    """The differences of the users are 1, 3 in one split and 5, 11 in the other.

    Their means 2 and 8 have the variance s² = 18, and D = 5. The users' contributions are (1 - 5 + 5 - 5)/4 = -1 and
    (3 - 5 + 11 - 5)/4 = 1, so U = 2/1·(1 + 1) = 4. The variances 2 and 18 over users, divided by 2, have the mean
    V = 5, so W = 2/1·(5 - 4) = 2. F = 18 - 2 = 16, with the weight 1/2 + 1/4. U is above W/2.
    """
    estimate = difference([[0.0, 0.0]] * 2, [[[1.0, 3.0]], [[5.0, 11.0]]])
    assert estimate.value == 5
    assert estimate.standard_error**2 == pytest.approx(4 + 16 * 0.75)
    # the upper limit of s² with one degree of freedom is s²/χ²_.2(1), and χ²_.2(1) = z_.6², z_.6 = .25335
    upper = 18 / 0.25335**2
    expected = (4 + (upper - 2) * 0.75) ** 2 / (4**2 + (upper * 0.75) ** 2)
    assert estimate.degrees_of_freedom == pytest.approx(expected, rel=1e-4)


def test_runs_average_out_over_splits_and_what_splits_share_does_not():
    """All users have one value, so that U = W = E = 0.

    The run means of B are 0, 2 and 4, 10, of variances 2 and 18, divided by 2: C = (1 + 9)/2 = 5. The means 1 and 7 of
    the splits have the variance 18, so F = 18 - 5 = 13. C counts with 1/2, F with 1/2 + 1/4.
    """
    of_b = [np.tile([[0.0], [2.0]], (1, 3)), np.tile([[4.0], [10.0]], (1, 3))]
    estimate = difference([np.zeros(3)] * 2, of_b)
    assert estimate.standard_error**2 == pytest.approx(5 / 2 + 13 * 0.75)


def test_users_of_one_split_each_are_the_users_of_all_folds(rng):
    """Without an effect of the fold and with one run, the variance is about that of all users together."""
    values = rng.normal(0.1, 1, 4000)
    users = tuple(np.array_split(rng.permutation(4000), 5))
    of_b = [values[None, of_fold] for of_fold in users]
    estimate = difference([np.zeros(800)] * 5, of_b, users)
    spread = np.var([of_fold.mean() for of_fold in of_b], ddof=1) - values.var() / 800
    assert estimate.standard_error**2 == pytest.approx(values.var() / 4000 + max(spread, 0) * (1 / 5 + 1 / 4), rel=0.02)


def test_without_users_and_runs_it_is_the_corrected_resampled_t_test(rng):
    """Nadeau and Bengio 2003, with 8 repeats: all users have the value of the split."""
    means = rng.normal(0.2, 1, 8)
    estimate = difference([np.zeros(5)] * 8, [np.full((1, 5), mean) for mean in means])
    t = means.mean() / np.sqrt(means.var(ddof=1) * (1 / 8 + 0.25))
    assert estimate.p == pytest.approx(2 * stats.t.sf(abs(t), estimate.degrees_of_freedom))
    assert estimate.degrees_of_freedom == pytest.approx(7)


def test_without_splits_that_differ_users_count_once(rng):
    """The same values in each of many splits: the paired t test over users."""
    a, b = rng.uniform(size=(2, 30))
    estimate = difference([a] * 6, [b[None, :]] * 6)
    assert estimate.p == pytest.approx(stats.ttest_rel(b, a).pvalue)
    assert estimate.degrees_of_freedom == pytest.approx(29)


@pytest.mark.parametrize("kind", ["random", "users"])
def test_the_variance_is_that_of_new_users_runs_and_splits(kind):
    """Means over 2,000 draws: the estimate is unbiased where the part of the splits is large, and it is seldom 0 then.

    This part has the correlation that the correction assumes. Without the correction it would be half as large.
    """
    rng, design = np.random.default_rng(3), Design(kind, splits=6, seeds=3, users=120, shares="splits")
    estimates = [mean_difference_over_splits(*draw(design, rng)) for _ in range(2000)]
    assert np.var([estimate.value for estimate in estimates]) == pytest.approx(DIFFERENCE_SD**2, rel=0.1)
    assert np.mean([estimate.standard_error**2 for estimate in estimates]) == pytest.approx(DIFFERENCE_SD**2, rel=0.1)


@pytest.mark.parametrize("scale", [1e-150, 1.0])
def test_degrees_of_freedom_do_not_depend_on_the_unit(rng, scale):
    of_a, of_b = rng.uniform(size=(2, 4, 3, 20))
    expected = difference(of_a, of_b).degrees_of_freedom
    assert difference(scale * of_a, scale * of_b).degrees_of_freedom == pytest.approx(expected, rel=1e-3)


def test_values_that_do_not_vary_have_no_standard_error():
    estimate = difference(np.zeros((3, 2, 5)), np.ones((3, 2, 5)))
    assert (estimate.value, estimate.standard_error, estimate.degrees_of_freedom) == (1, 0, 4)


@pytest.mark.parametrize("kind", ["random", "interactions", "users"])
@pytest.mark.parametrize(("splits", "seeds"), [(2, 2), (5, 1), (5, 5)])
def test_models_of_equal_accuracy_are_called_different_in_at_most_five_percent(kind, splits, seeds):
    """The simulation of docs/verdict.md at a smaller size, where the part of the splits is the largest."""
    repetitions = 400
    rates = simulate(Design(kind, splits, seeds, users=100, shares="splits"), repetitions=repetitions)
    assert rates.ours <= stats.binom.ppf(0.999, repetitions, 0.05) / repetitions


def test_the_t_test_over_splits_that_share_train_parts_calls_equal_models_different():
    rates = simulate(Design("random", 10, 2, users=100, shares="splits"), repetitions=400)
    assert rates.t > 0.15
    users = simulate(Design("random", 5, 2, users=100, shares="users"), repetitions=400)
    assert users.corrected > 0.07, "the corrected test leaves out the users"
    assert users.ours <= 0.07
