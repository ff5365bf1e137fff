"""Tests of accuracy over users and seeds."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from tasks.core.comparison.accuracy_tests import AccuracyTest, compare_accuracy


def outcome(of_a: np.ndarray, of_b: np.ndarray) -> AccuracyTest:
    return compare_accuracy("ndcg_at_10", "a", "b", of_a, of_b, seed=1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_clear_gain_is_seen_by_every_test(rng):
    users = rng.uniform(0.1, 0.5, 200)
    of_a = users + rng.normal(0, 0.01, (5, 200))
    of_b = users + 0.05 + rng.normal(0, 0.01, (5, 200))
    found = outcome(of_a, of_b)
    assert found.difference == pytest.approx((of_b - of_a).mean())
    assert found.low_95 < found.difference < found.high_95
    assert found.low_95 > 0
    assert found.p_users_t < 1e-10
    assert found.p_users_flip == 1 / 10_000
    assert found.p_seeds == pytest.approx(2 / 252)  # the observed split and its mirror, of 10 over 5
    assert found.p_equivalent > 0.05
    assert found.sentence == f"b is more accurate than a (ndcg_at_10 {of_a.mean():.4f} against {of_b.mean():.4f})."


def test_the_t_test_is_over_users_averaged_over_seeds(rng):
    of_a, of_b = rng.uniform(size=(3, 30)), rng.uniform(size=(4, 30))
    found = outcome(of_a, of_b)
    assert found.p_users_t == pytest.approx(stats.ttest_rel(of_b.mean(axis=0), of_a.mean(axis=0)).pvalue)


def test_equivalence_is_the_larger_of_two_one_sided_tests(rng):
    users = rng.uniform(0.3, 0.5, 400)
    of_a, of_b = np.tile(users, (5, 1)), np.tile(users + rng.normal(0, 0.002, 400), (5, 1))
    found = outcome(of_a, of_b)
    shifts = of_b[0] - of_a[0]
    bound = 0.02 * of_a.mean()
    one_sided = [
        stats.ttest_1samp(shifts + bound, 0, alternative="greater").pvalue,
        stats.ttest_1samp(shifts - bound, 0, alternative="less").pvalue,
    ]
    assert found.p_equivalent == pytest.approx(max(one_sided))
    assert "equally accurate within 2%" in found.sentence


def test_fewer_than_five_seeds_have_no_test_over_seeds(rng):
    assert outcome(rng.uniform(size=(4, 30)), rng.uniform(size=(5, 30))).p_seeds is None


def test_equal_arrays_are_the_same_with_certainty():
    values = np.tile(np.linspace(0.1, 0.9, 20), (5, 1))
    found = outcome(values, values)
    assert found.difference == 0
    assert (found.low_95, found.high_95) == pytest.approx((0, 0), abs=1e-12)
    assert (found.p_users_t, found.p_users_flip, found.p_seeds, found.p_equivalent) == (1, 1, 1, 0)


def test_noise_cannot_be_told(rng):
    found = outcome(rng.uniform(size=(5, 100)), rng.uniform(size=(5, 100)))
    assert found.sentence.startswith("Which of a and b is more accurate cannot be told")
    assert found.low_95 < 0 < found.high_95


def test_sign_flips_hold_their_level():
    rng = np.random.default_rng(3)
    p = [outcome(*(rng.normal(size=(1, 25)) for _ in "ab")).p_users_flip for _ in range(200)]
    rejected = sum(each <= 0.05 for each in p)
    assert stats.binomtest(rejected, 200, 0.05).pvalue > 0.001


@pytest.mark.parametrize("users", [8, 11])
def test_sign_flips_are_near_all_of_them(rng, users):
    of_a, of_b = rng.uniform(size=(1, users)), rng.uniform(0.1, 1.1, size=(1, users))
    shifts = (of_b - of_a)[0]
    every = [sum(s * x for s, x in zip(signs, shifts, strict=True)) for signs in product((-1, 1), repeat=users)]
    exact = np.mean(np.abs(every) >= abs(shifts.sum()) - 1e-12)
    assert 0.01 < exact < 0.99
    assert outcome(of_a, of_b).p_users_flip == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 10_000))


def test_the_interval_has_the_variance_of_users_and_of_seeds(rng):
    users = rng.normal(0, 0.2, (2, 400))
    of_a, of_b = (own + rng.normal(0, 0.02, (6, 1)) for own in users)
    found = outcome(of_a, of_b)
    of_users = np.var(users[1] - users[0]) / 400
    of_seeds = (np.var(of_a.mean(axis=1)) + np.var(of_b.mean(axis=1))) / 6
    assert of_seeds > 0.2 * of_users
    assert found.high_95 - found.low_95 == pytest.approx(2 * 1.96 * np.sqrt(of_users + of_seeds), rel=0.1)


def test_other_users_are_refused():
    with pytest.raises(ValueError, match="3 and 4 users"):
        outcome(np.ones((2, 3)), np.ones((2, 4)))
