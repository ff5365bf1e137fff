"""Tests of a difference in accuracy, over users and over seeds."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from tasks.core.comparison import accuracy_tests
from tasks.core.comparison.accuracy_tests import (
    AccuracyTest,
    compare_accuracy,
    compare_with_baseline,
    compare_with_popularity,
    usual_cutoff,
)
from tasks.core.inference.multiplicity import holm


def compared(of_a: np.ndarray, of_b: np.ndarray) -> AccuracyTest:
    return compare_accuracy("ndcg_at_10", "a", "b", of_a, of_b, seed=1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_every_test_shows_a_clear_gain(rng):
    users = rng.uniform(0.1, 0.5, 200)
    of_a = users + rng.normal(0, 0.01, (5, 200))
    of_b = users + 0.05 + rng.normal(0, 0.01, (5, 200))
    test = compared(of_a, of_b)
    assert test.difference == pytest.approx((of_b - of_a).mean())
    assert test.low_95 < test.difference < test.high_95
    assert test.low_95 > 0
    assert test.p_users_t < 1e-10
    assert test.p_users_flip == 1 / 10_000
    assert test.p_seeds == pytest.approx(2 / 252)  # the observed split and its mirror image, of 10 over 5
    assert test.p_equivalent > 0.05
    assert test.sentence == (
        f"b is significantly more accurate than a (ndcg_at_10: a {of_a.mean():.4f}, b {of_b.mean():.4f})."
    )


def test_the_t_test_is_over_users_averaged_over_seeds(rng):
    of_a, of_b = rng.uniform(size=(3, 30)), rng.uniform(size=(4, 30))
    expected = stats.ttest_rel(of_b.mean(axis=0), of_a.mean(axis=0)).pvalue
    assert compared(of_a, of_b).p_users_t == pytest.approx(expected)


def test_equivalence_is_the_larger_of_two_one_sided_tests(rng):
    users = rng.uniform(0.3, 0.5, 400)
    of_a, of_b = np.tile(users, (5, 1)), np.tile(users + rng.normal(0, 0.002, 400), (5, 1))
    test = compared(of_a, of_b)
    differences = of_b[0] - of_a[0]
    bound = 0.02 * of_a.mean()
    one_sided = [
        stats.ttest_1samp(differences + bound, 0, alternative="greater").pvalue,
        stats.ttest_1samp(differences - bound, 0, alternative="less").pvalue,
    ]
    assert test.p_equivalent == pytest.approx(max(one_sided))
    assert test.sentence.startswith("a and b are equally accurate to within 2% (ndcg_at_10: a 0.")


def test_fewer_than_five_seeds_have_no_test_over_seeds(rng):
    of_a, of_b = rng.uniform(size=(4, 30)), rng.uniform(size=(5, 30)) + 1
    test = compared(of_a, of_b)
    assert test.p_seeds is None
    assert test.sentence.endswith("; tested over users only, because a test over seeds needs 5 seeds).")


def test_equal_values_are_equivalent():
    values = np.tile(np.linspace(0.1, 0.9, 20), (5, 1))
    test = compared(values, values)
    assert test.difference == 0
    assert (test.low_95, test.high_95) == pytest.approx((0, 0), abs=1e-12)
    assert (test.p_users_t, test.p_users_flip, test.p_seeds) == (1, 1, 1)
    assert test.p_equivalent == 1 / 10_000, "all 20 signs are equal in one of 2^20 cases; a sample shows no less"
    assert test.sentence.startswith("a and b are equally accurate to within 2%")


@pytest.mark.parametrize(("users", "p"), [(2, 0.5), (4, 0.125), (5000, 1 / 10_000)])
def test_a_difference_that_is_the_same_for_all_users_has_the_p_of_all_sign_flips(users, p):
    for sign in (1, -1):
        test = compared(np.full((2, users), 0.5), np.full((2, users), 0.5 + sign * 0.2))
        assert (test.p_users_t, test.p_users_flip, test.p_equivalent, test.p) == (None, p, 1, p)
    assert compare_with_baseline({"a": {"m": np.full((2, 2), 0.5)}, "b": {"m": np.full((2, 2), 0.7)}}, "a", seed=1)


def test_a_constant_difference_within_two_percent_is_equivalent_by_signs():
    few, many = (compared(np.full((1, users), 0.5), np.full((1, users), 0.501)) for users in (4, 10))
    assert (few.p_equivalent, many.p_equivalent) == (1 / 16, 1 / 1024)
    assert many.sentence.startswith("a and b are equally accurate")


VALUES = np.linspace(0.1, 0.9, 20)


@pytest.mark.parametrize("seeds", [(1, 1), (1, 5), (5, 5), (2, 7)])
@pytest.mark.parametrize(
    ("of_a", "of_b"),
    [
        (np.zeros(2), np.zeros(2)),
        (np.zeros(20), VALUES),
        (VALUES, np.zeros(20)),
        (np.zeros(4), np.full(4, 0.25)),
        (VALUES, VALUES + 0.1),  # equal but for rounding
        (VALUES, (VALUES + 0.1) - 0.1),  # 0 but for rounding
        (np.array([0.1 + 0.2, 0.3]), np.array([0.3, 0.1 + 0.2])),
        (np.array([0.0, 1.0]), np.array([1.0, 0.0])),
        (np.array([0.0, 0.0]), np.array([0.0, 1.0])),
        (np.full(3, 1e-300), np.full(3, 2e-300)),
        (np.tile(VALUES, 200), np.tile(VALUES + 1e-3 * VALUES[::-1], 200)),  # a t test rounds p to 0
    ],
)
def test_degenerate_values_give_a_p_above_zero_or_none_and_no_warning(of_a, of_b, seeds):
    test = compared(*(np.tile(values, (number, 1)) for values, number in zip((of_a, of_b), seeds, strict=True)))
    for p in (test.p_users_t, test.p_users_flip, test.p_seeds, test.p_equivalent):
        assert p is None or 0 < p <= 1
    assert 0 < test.p <= 1
    assert np.isfinite([test.low_95, test.high_95]).all()
    assert "nan" not in test.sentence


def test_noise_is_no_significant_difference(rng):
    test = compared(rng.uniform(size=(5, 100)), rng.uniform(size=(5, 100)))
    assert test.sentence.startswith("a and b do not differ significantly in accuracy (ndcg_at_10: a 0.")
    assert test.low_95 < 0 < test.high_95


def test_sign_flips_reject_at_their_level():
    rng = np.random.default_rng(3)
    p = [accuracy_tests._sign_flip_p(rng.normal(size=25) - rng.normal(size=25), rng) for _ in range(200)]
    rejected = sum(value <= 0.05 for value in p)
    assert stats.binomtest(rejected, 200, 0.05).pvalue > 0.001


@pytest.mark.parametrize("users", [8, 11])
def test_sampled_sign_flips_are_close_to_all_sign_flips(rng, users):
    of_a, of_b = rng.uniform(size=(1, users)), rng.uniform(0.1, 1.1, size=(1, users))
    differences = (of_b - of_a)[0]
    sums = [sum(s * x for s, x in zip(signs, differences, strict=True)) for signs in product((-1, 1), repeat=users)]
    exact = np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-12)
    assert 0.01 < exact < 0.99
    sampled = compared(of_a, of_b).p_users_flip
    assert sampled == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 10_000))


def test_the_interval_has_the_variance_of_users_and_of_seeds(rng):
    users = rng.normal(0, 0.2, (2, 400))
    of_a, of_b = (own + rng.normal(0, 0.02, (6, 1)) for own in users)
    test = compared(of_a, of_b)
    of_users = np.var(users[1] - users[0]) / 400
    of_seeds = (np.var(of_a.mean(axis=1)) + np.var(of_b.mean(axis=1))) / 6
    assert of_seeds > 0.2 * of_users
    assert test.high_95 - test.low_95 == pytest.approx(2 * 1.96 * np.sqrt(of_users + of_seeds), rel=0.1)


def test_different_users_are_refused():
    with pytest.raises(ValueError, match="found 3 and 4 users"):
        compared(np.ones((2, 3)), np.ones((2, 4)))


def test_the_usual_cutoff_is_ten_or_else_the_first():
    assert usual_cutoff([5, 10, 20]) == 10
    assert usual_cutoff([20, 50]) == 20


def test_four_metrics_are_tested_at_the_usual_cutoff():
    names = accuracy_tests.tested_metrics([20, 10])
    assert names == ["ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10"]
    assert accuracy_tests.tested_metrics(())[0] == "ndcg_at_0"


def values_of(rng, *models, users=30):
    return {model: {metric: rng.uniform(size=(3, users)) for metric in ("ndcg_at_10", "map_at_10")} for model in models}


def test_the_baseline_is_tested_against_each_other_model(rng):
    values = values_of(rng, "a", "b", "c")
    tests = compare_with_baseline(values, "b", seed=1)
    assert [(test.a, test.b, test.metric) for test in tests] == [
        ("b", "a", "ndcg_at_10"),
        ("b", "a", "map_at_10"),
        ("b", "c", "ndcg_at_10"),
        ("b", "c", "map_at_10"),
    ]
    for pair in (tests[:2], tests[2:]):
        assert [test.p_holm for test in pair] == holm([test.p for test in pair]).tolist()


def test_every_model_is_tested_against_popularity(rng):
    values, popularity = values_of(rng, "a", "b"), {"ndcg_at_10": rng.uniform(size=30)}
    tests = compare_with_popularity(values, popularity, metric="ndcg_at_10", seed=1)
    assert [(test.a, test.b, test.p_holm) for test in tests] == [("popularity", "a", None), ("popularity", "b", None)]
    assert tests[0].mean_a == pytest.approx(popularity["ndcg_at_10"].mean())


def test_there_are_no_tests_without_values_or_with_one_user(rng):
    one_user = values_of(rng, "a", "b", users=1)
    for values in ({}, one_user):
        assert compare_with_baseline(values, "a", seed=1) == []
        assert compare_with_popularity(values, {"ndcg_at_10": np.ones(1)}, metric="ndcg_at_10", seed=1) == []
