"""Tests of a difference in accuracy, over users and seeds at once."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import stats

from tasks.core.comparison import accuracy_tests
from tasks.core.comparison.accuracy_tests import (
    AccuracyTest,
    compare_accuracy,
    compare_with_baseline,
    compare_with_references,
    usual_cutoff,
)
from tasks.core.inference.multiplicity import holm
from tests.benchmarks.accuracy_level import Design, simulate
from tests.core.comparison.examples import on_one_split


def compared(of_a: np.ndarray, of_b: np.ndarray) -> AccuracyTest:
    return compare_accuracy("ndcg_at_10", "a", "b", on_one_split(of_a), on_one_split(of_b))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_clear_gain_is_significant(rng):
    users = rng.uniform(0.1, 0.5, 200)
    of_a = users + rng.normal(0, 0.01, (5, 200))
    of_b = users + 0.05 + rng.normal(0, 0.01, (5, 200))
    test = compared(of_a, of_b)
    assert test.difference == pytest.approx((of_b - of_a).mean())
    assert 0 < test.low_95 < test.difference < test.high_95
    assert test.p < 1e-10
    assert test.p_equivalent > 0.05
    assert test.sentence == (
        f"ndcg_at_10 on this split: b is significantly more accurate than a (a {of_a.mean():.4f}, b {of_b.mean():.4f}; "
        f"difference {test.difference:+.4f}, 95% interval {test.low_95:+.4f} to {test.high_95:+.4f}; p < 0.001 over "
        "users and seeds)."
    )


def test_the_sentence_names_the_more_accurate_model_and_the_adjustment(rng):
    values = rng.uniform(0.1, 0.5, (3, 200))
    test = replace(compared(values + 0.2, values), p_holm=0.01, p_equivalent_holm=1.0)
    assert "a is significantly more accurate than b (" in test.sentence
    assert test.sentence.endswith("; p = 0.010 over users and seeds after Holm's adjustment).")


def test_interval_and_tests_rest_on_one_standard_error_and_its_degrees_of_freedom(rng):
    of_a, of_b = rng.uniform(size=(3, 40)), rng.uniform(size=(4, 40))
    test = compared(of_a, of_b)
    t = stats.t(test.degrees_of_freedom)
    half = t.ppf(0.975) * test.standard_error
    assert (test.low_95, test.high_95) == pytest.approx((test.difference - half, test.difference + half))
    assert test.p == pytest.approx(2 * t.sf(abs(test.difference) / test.standard_error))
    bound = 0.02 * of_a.mean()
    assert test.p_equivalent == pytest.approx(t.sf((bound - abs(test.difference)) / test.standard_error))


def test_equal_runs_of_each_model_are_tested_over_users(rng):
    users = rng.uniform(0.3, 0.5, 400)
    of_a, of_b = np.tile(users, (5, 1)), np.tile(users + rng.normal(0, 0.002, 400), (5, 1))
    test = compared(of_a, of_b)
    assert test.p == pytest.approx(stats.ttest_rel(of_b[0], of_a[0]).pvalue)
    differences = of_b[0] - of_a[0]
    bound = 0.02 * of_a.mean()
    one_sided = [
        stats.ttest_1samp(differences + bound, 0, alternative="greater").pvalue,
        stats.ttest_1samp(differences - bound, 0, alternative="less").pvalue,
    ]
    assert test.p_equivalent == pytest.approx(max(one_sided))
    assert test.sentence.startswith("ndcg_at_10 on this split: a and b are equally accurate to within 2% (a 0.")


def test_runs_that_vary_take_away_what_users_alone_would_show(rng):
    """The difference of .01 is 20 standard errors over users, and less than one over runs."""
    users = rng.uniform(0.3, 0.5, 400)
    of_a = users + np.array([[-0.02], [0.02]])
    of_b = users + 0.01 + np.array([[-0.02], [0.02]]) + rng.normal(0, 0.01, 400)
    test = compared(of_a, of_b)
    assert stats.ttest_rel(of_b.mean(axis=0), of_a.mean(axis=0)).pvalue < 1e-6
    assert test.p > 0.3
    assert test.sentence.startswith(
        "ndcg_at_10 on this split: no difference in accuracy between a and b is shown at the 5% level (a 0."
    )


@pytest.mark.parametrize("seeds", [(1, 1), (1, 5), (5, 1)])
def test_one_seed_is_described_over_users_and_makes_no_claim_about_the_models(rng, seeds):
    users = rng.uniform(0.1, 0.5, 200)
    of_a = users + rng.normal(0, 0.01, (seeds[0], 200))
    of_b = users + 0.1 + rng.normal(0, 0.01, (seeds[1], 200))
    test = compared(of_a, of_b)
    assert test.p == pytest.approx(stats.ttest_rel(of_b.mean(axis=0), of_a.mean(axis=0)).pvalue)
    assert test.seeds == 1
    assert "significant" not in test.sentence
    assert test.sentence.endswith(
        "; p < 0.001 over users only. This holds for these fits and not for the models: seeds are not tested, because "
        "a model has one seed."
    )
    equal = compared(np.tile(users, (seeds[0], 1)), np.tile(users + 1e-5 * of_b[0], (seeds[1], 1)))
    assert equal.p_equivalent < 0.001
    assert "equally accurate" not in equal.sentence


def test_equal_values_are_equivalent():
    values = np.tile(np.linspace(0.1, 0.9, 20), (5, 1))
    test = compared(values, values)
    assert (test.difference, test.p) == (0, 1)
    assert (test.low_95, test.high_95, test.standard_error, test.degrees_of_freedom) == (None, None, None, None)
    assert test.p_equivalent == 1 / 10_000, "all 20 signs are equal in one of 2^20 cases; no less is given"
    assert test.sentence == (
        "ndcg_at_10 on this split: a and b are equally accurate to within 2% (a 0.5000, b 0.5000; difference +0.0000 "
        "for all users and seeds; p < 0.001 over users and seeds)."
    )


@pytest.mark.parametrize(("users", "p"), [(2, 0.5), (4, 0.125), (5000, 1 / 10_000)])
def test_a_difference_that_is_the_same_for_all_users_and_seeds_has_the_p_of_all_signs(users, p):
    for sign in (1, -1):
        test = compared(np.full((2, users), 0.5), np.full((2, users), 0.5 + sign * 0.2))
        assert (test.p, test.p_equivalent, test.low_95, test.high_95) == (p, 1, None, None)
    values = {model: {"m": on_one_split(np.full((2, 2), mean))} for model, mean in (("a", 0.5), ("b", 0.7))}
    assert compare_with_baseline(values, "a")


def test_a_constant_difference_within_two_percent_is_equivalent_by_signs():
    few, many = (compared(np.full((2, users), 0.5), np.full((2, users), 0.501)) for users in (4, 10))
    assert (few.p_equivalent, many.p_equivalent) == (1 / 16, 1 / 1024)
    assert "a and b are equally accurate" in many.sentence


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
def test_degenerate_values_give_a_p_above_zero_and_no_warning(of_a, of_b, seeds):
    test = compared(*(np.tile(values, (number, 1)) for values, number in zip((of_a, of_b), seeds, strict=True)))
    assert 0 < test.p <= 1
    assert 0 < test.p_equivalent <= 1
    assert test.low_95 is None or np.isfinite([test.low_95, test.high_95]).all()
    assert "nan" not in test.sentence


def test_rounding_is_no_variance():
    others = (VALUES + 0.1, (VALUES + 0.1) - 0.1)
    tests = [compared(np.tile(VALUES, (2, 1)), np.tile(other, (3, 1))) for other in others]
    assert [test.standard_error for test in tests] == [None, None]
    assert [test.p for test in tests] == [1 / 10_000, 1]


def test_noise_is_no_significant_difference(rng):
    test = compared(rng.uniform(size=(5, 100)), rng.uniform(size=(5, 100)))
    assert "no difference in accuracy between a and b is shown at the 5% level (a 0." in test.sentence
    assert test.low_95 < 0 < test.high_95


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


def values_of(rng, *models, users=30, seeds=3):
    return {
        model: {metric: on_one_split(rng.uniform(size=(seeds, users))) for metric in ("ndcg_at_10", "map_at_10")}
        for model in models
    }


def test_the_baseline_is_tested_against_each_other_model_with_one_adjustment_for_all(rng):
    tests = compare_with_baseline(values_of(rng, "a", "b", "c"), "b")
    assert [(test.a, test.b, test.metric) for test in tests] == [
        ("b", "a", "ndcg_at_10"),
        ("b", "a", "map_at_10"),
        ("b", "c", "ndcg_at_10"),
        ("b", "c", "map_at_10"),
    ]
    assert [test.p_holm for test in tests] == holm([test.p for test in tests]).tolist()
    assert [test.p_equivalent_holm for test in tests] == holm([test.p_equivalent for test in tests]).tolist()


def test_an_equivalence_that_does_not_survive_the_adjustment_is_not_claimed():
    test = replace(compared(np.full((2, 10), 0.5), np.full((2, 10), 0.501)), p_holm=1.0, p_equivalent_holm=0.06)
    assert test.p_equivalent < 0.05
    assert "no difference in accuracy between a and b is shown at the 5% level" in test.sentence


def test_a_model_with_one_seed_is_not_part_of_the_adjustment(rng):
    values = values_of(rng, "a", "b") | values_of(rng, "c", seeds=1)
    tests = compare_with_baseline(values, "a")
    assert [test.p_holm for test in tests[:2]] == holm([test.p for test in tests[:2]]).tolist()
    assert [(test.p_holm, test.p_equivalent_holm) for test in tests[2:]] == [(None, None)] * 2


def test_every_model_is_tested_against_every_reference_over_users_and_its_own_seeds(rng):
    values = values_of(rng, "a", "b")
    of_users = {name: rng.uniform(size=30) for name in ("popularity", "ease")}
    references = {name: {"ndcg_at_10": on_one_split(values_of)} for name, values_of in of_users.items()}
    tests = compare_with_references(values, references, metric="ndcg_at_10")
    assert [(test.a, test.b, test.seeds) for test in tests] == [
        (reference, model, 3) for reference in ("popularity", "ease") for model in ("a", "b")
    ]
    assert [test.p_holm for test in tests] == holm([test.p for test in tests]).tolist()
    assert [test.p_equivalent_holm for test in tests] == holm([test.p_equivalent for test in tests]).tolist()
    for test in tests:
        assert test.mean_a == pytest.approx(of_users[test.a].mean())
        assert test.difference == pytest.approx(values[test.b]["ndcg_at_10"].mean - test.mean_a)
    users_only = compared(of_users["popularity"][None, :], values["a"]["ndcg_at_10"].values[0])
    assert tests[0].degrees_of_freedom < users_only.degrees_of_freedom == 29
    assert "over users and seeds" in tests[0].sentence


def test_there_are_no_tests_without_values_or_with_one_user(rng):
    one_user = values_of(rng, "a", "b", users=1)
    for values in ({}, one_user):
        assert compare_with_baseline(values, "a") == []
        references = {"ease": {"ndcg_at_10": on_one_split(np.ones(1))}}
        assert compare_with_references(values, references, metric="ndcg_at_10") == []
    assert compare_with_references(values_of(rng, "a"), {}, metric="ndcg_at_10") == []


def test_a_record_of_an_earlier_version_is_read_and_described():
    record = {
        **{"metric": "ndcg_at_10", "a": "k50", "b": "k500", "mean_a": 0.25, "mean_b": 0.2, "difference": -0.05},
        **{"low_95": -0.06, "high_95": -0.04, "p_users_t": 0.001, "p_users_flip": 0.002, "p_seeds": 0.008},
        **{"p_equivalent": 1.0, "users": 900, "seeds": 5, "p_holm": 0.032},
    }
    test = TypeAdapter(AccuracyTest).validate_python(record)
    assert test.p == 0.008
    assert test.sentence == (
        "ndcg_at_10 on this split: k50 0.2500, k500 0.2000; difference -0.0500, 95% interval -0.0600 to -0.0400; "
        "p = 0.032 after Holm's adjustment. An earlier version computed this p and did not test users and seeds at "
        "once; run the config again to do so."
    )


@pytest.mark.parametrize("seeds", [(2, 2), (5, 5), (0, 5)])
def test_equal_models_are_called_different_and_different_ones_equal_in_at_most_five_percent(seeds):
    """The simulation of docs/verdict.md at a smaller size, with most of the variance from runs."""
    repetitions = 400
    rates = simulate(Design(seeds, 200, share=0.8), repetitions=repetitions)
    most = stats.binom.ppf(0.999, repetitions, 0.05) / repetitions
    assert rates.level <= most
    assert rates.equivalence <= most  # over both bounds
    assert rates.equivalence_before > 0.15
    if min(seeds) >= 5:
        assert rates.level >= stats.binom.ppf(0.001, repetitions, 0.05) / repetitions
