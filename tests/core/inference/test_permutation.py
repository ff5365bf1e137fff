"""Permutation test of run labels."""

from itertools import combinations
from math import comb, sqrt

import numpy as np
import pytest
from scipy import stats

from tasks.core.inference import permutation
from tasks.core.inference.overlap_counts import Overlaps, overlap_counts, overlap_counts_by_entity
from tasks.core.inference.permutation import (
    permutation_p_by_entity,
    permutation_test,
    replicates_needed,
    smallest_p,
)
from tests.benchmarks.unequal_replicates import MODELS, rejection_rates
from tests.core.inference.examples import SIX_LABELS, exact_p, halves, random_runs, runs_of


@pytest.mark.parametrize(("a", "b"), [(2, 2), (3, 3), (2, 3), (2, 4), (5, 3), (3, 6), (4, 4)])
def test_p_is_that_of_full_enumeration(a, b):
    rng = np.random.default_rng([a, b])
    labels = rng.permutation(halves(a, b))
    lists = random_runs(rng, a + b, entities=4, n=3, candidates=5)  # few values, so many ties
    entities = overlap_counts_by_entity(lists, 3)
    p = permutation_p_by_entity(entities, labels, seed=0)
    for entity in range(4):
        assert p[entity] == pytest.approx(exact_p(entities.counts[entity], 3, labels), abs=1e-12)
    test = permutation_test(entities.averaged(), labels, seed=0)
    assert test.p == pytest.approx(exact_p(entities.averaged().counts, 12, labels), abs=1e-12)
    assert test.exact
    assert test.splits == comb(a + b, a) // (2 if a == b else 1)


def test_runs_that_separate_reach_the_smallest_p():
    lists = [[1, 2]] * 5 + [[3, 4]] * 5
    test = permutation_test(overlap_counts(runs_of(lists), 2), halves(5, 5), seed=0)
    assert test.p == 2 / 252
    uneven = overlap_counts(runs_of(lists[1:]), 2)
    assert permutation_test(uneven, halves(4, 5), seed=0).p == pytest.approx(1 / 126)


@pytest.mark.parametrize("a", [2, 3])
def test_p_is_one_if_all_lists_are_equal(a):
    overlaps = overlap_counts(runs_of([[1, 2]] * 6), 2)
    assert permutation_test(overlaps, halves(a, 6 - a), seed=0).p == 1


@pytest.mark.parametrize(
    ("lists_of_a", "lists_of_b"),
    [
        ([[1, 2]] * 3, [[3, 4], [3, 5], [4, 5], [3, 6]]),  # a model without seed variation, and one with
        ([[3, 4], [3, 5], [4, 5], [3, 6]], [[1, 2]] * 3),
        ([[1, 2]] * 2, [[1, 2]] * 3 + [[3, 4]]),  # lists that one run of one model does not repeat
        ([[1, 2]] * 4, [[1, 2], [1, 3]]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4], [1, 2], [3, 4]]),  # lists of either kind in both models: Δ < 0
    ],
)
def test_models_with_little_seed_variation(lists_of_a, lists_of_b):
    """Splits whose standard error is zero are among them."""
    overlaps = overlap_counts(runs_of(lists_of_a + lists_of_b), 2)
    labels = halves(len(lists_of_a), len(lists_of_b))
    expected = exact_p(overlaps.counts, 2, labels)
    assert permutation_test(overlaps, labels, seed=0).p == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("a", "b", "splits"), [(2, 3, 10), (3, 4, 35), (4, 10, 1001)])
def test_unequal_groups_that_separate_reach_the_smallest_p(a, b, splits):
    """Also without any seed variation, where the statistic is infinite."""
    rng = np.random.default_rng(3)
    steady = overlap_counts(runs_of([[1, 2]] * a + [[3, 4]] * b), 2)
    noisy = random_runs(rng, a + b, entities=40, n=3, candidates=6)
    noisy[a:] = [run + 6 for run in noisy[a:]]
    for overlaps in (steady, overlap_counts(noisy, 3)):
        p = permutation_test(overlaps, halves(a, b), seed=0).p
        assert p == pytest.approx(1 / splits)
        assert p == pytest.approx(smallest_p(a, b))


def test_users_that_move_together_in_the_model_with_fewer_runs():
    """Δ = 0, and the overlaps of A vary more than those of B: Δ alone is rejected four times too often, p is not."""
    rates = rejection_rates(MODELS[0], 4, 10, repetitions=500)
    assert rates["Δ"] > 0.15
    assert rates["pseudo-F"] > 0.15
    assert rates["project"] < 0.12
    reverse = rejection_rates(MODELS[0], 10, 4, repetitions=500)
    assert reverse["Δ"] < 0.02
    assert 0.02 < reverse["project"] < 0.08


def test_unequal_numbers_of_runs_of_one_model_are_rejected_at_the_level():
    repetitions = 500
    rate = rejection_rates(MODELS[2], 4, 10, repetitions=repetitions)["project"]
    assert (
        stats.binom.ppf(0.0005, repetitions, 0.05) <= rate * repetitions <= stats.binom.ppf(0.9995, repetitions, 0.05)
    )


def test_more_runs_of_one_model_find_differences_that_equal_numbers_miss():
    rates = rejection_rates(MODELS[3], 4, 10, repetitions=300)
    assert rates["project"] > rates["Δ, equally many runs"] + 0.15


@pytest.mark.parametrize("factor", [10**4, 10**13])  # too large for exact float32, for exact float64
def test_ties_are_exact_for_large_counts(factor):
    """Splits tie in rational numbers, and p counts all ties whatever the scale of the counts."""
    rng = np.random.default_rng(2)
    small = overlap_counts(random_runs(rng, 6, entities=1, n=3, candidates=5), 3)
    large = Overlaps(small.counts * factor, small.denominator * factor, 3)
    labels = halves(2, 4)
    expected = exact_p(small.counts, 3, labels)
    assert permutation_test(large, labels, seed=0).p == pytest.approx(expected, abs=1e-12)


def test_counts_that_do_not_fit_64_bits_are_refused(six):
    large = Overlaps(six.counts * 10**17, six.denominator * 10**17, 4)
    with pytest.raises(OverflowError, match="do not fit 64 bits"):
        permutation_test(large, SIX_LABELS, seed=0)


def test_p_is_that_of_permanova_for_groups_of_equal_size():
    """Anderson 2001, as in scikit-bio: pseudo-F of the distances √(1 - O), by full enumeration of the splits."""
    from skbio.stats.distance import DistanceMatrix, permanova

    rng = np.random.default_rng(4)
    lists = random_runs(rng, 8, entities=3, n=3, candidates=7)
    lists[4:] = [np.where(run == 6, 8, run).astype(np.int32) for run in lists[4:]]
    overlaps = overlap_counts(lists, 3)
    distances = DistanceMatrix(np.sqrt(1 - overlaps.counts / overlaps.denominator))

    def pseudo_f(group):
        labels = ["a" if run in group else "b" for run in range(8)]
        return permanova(distances, labels, permutations=0)["test statistic"]

    values = {group: pseudo_f(group) for group in combinations(range(8), 4)}
    observed = values[(0, 1, 2, 3)]
    expected = np.mean([value >= observed - 1e-9 for value in values.values()])
    assert 0 < expected < 1
    assert permutation_test(overlaps, halves(4, 4), seed=0).p == pytest.approx(expected)


def test_many_splits_are_sampled(monkeypatch):
    lists = random_runs(np.random.default_rng(6), 10, entities=5, n=3, candidates=6)
    overlaps, labels = overlap_counts(lists, 3), halves(5, 5)
    exact = permutation_test(overlaps, labels, seed=1)
    monkeypatch.setattr(permutation, "MOST_SPLITS", 100)
    monkeypatch.setattr(permutation, "DRAWS", 4999)
    sampled = permutation_test(overlaps, labels, seed=1)
    assert (exact.exact, exact.splits) == (True, 126)
    assert (sampled.exact, sampled.splits) == (False, 5000)
    assert sampled.p == pytest.approx(exact.p, abs=4 * sqrt(exact.p * (1 - exact.p) / 5000))
    assert sampled.p == permutation_test(overlaps, labels, seed=1).p
    assert smallest_p(5, 5) == 1 / 5000


def test_a_sampled_p_counts_the_observed_split(monkeypatch):
    monkeypatch.setattr(permutation, "MOST_SPLITS", 100)
    monkeypatch.setattr(permutation, "DRAWS", 9)
    lists = [[1, 2]] * 10 + [[3, 4]] * 10
    assert permutation_test(overlap_counts(runs_of(lists), 2), halves(10, 10), seed=0).p == 1 / 10
    assert permutation_test(overlap_counts(runs_of(lists[1:]), 2), halves(9, 10), seed=0).p == 1 / 10


def test_one_model_twice_is_rejected_at_the_stated_level():
    """Under the null hypothesis p ≤ 7/35 in a fifth of the repetitions, in fewer if there are ties."""
    rng = np.random.default_rng(20)
    repetitions, rejected, smallest = 600, 0, 0
    for _ in range(repetitions):
        lists = random_runs(rng, 8, entities=25, n=4, candidates=12)
        p = permutation_test(overlap_counts(lists, 4), halves(4, 4), seed=0).p
        rejected += p <= 7 / 35
        smallest += p <= smallest_p(4, 4)
    assert stats.binom.ppf(0.0005, repetitions, 0.18) <= rejected <= stats.binom.ppf(0.9995, repetitions, 0.2)
    assert smallest <= stats.binom.ppf(0.9995, repetitions, 1 / 35)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(3, 3, 0.1), (4, 4, 2 / 70), (5, 5, 2 / 252), (10, 10, 2 / 184756), (4, 5, 1 / 126), (2, 3, 0.1), (11, 11, 1e-5)],
)
def test_the_smallest_p_is_one_split_of_all(a, b, expected):
    assert smallest_p(a, b) == pytest.approx(expected)


def test_seven_endpoints_cannot_be_significant_with_five_seeds():
    assert smallest_p(5, 5, endpoints=7) == pytest.approx(0.0556, abs=5e-5)
    assert replicates_needed(7) == 6
    assert smallest_p(2, 2, endpoints=7) == 1


@pytest.mark.parametrize(("endpoints", "expected"), [(1, 4), (2, 5), (6, 5), (7, 6), (23, 6), (24, 7)])
def test_replicates_needed_are_the_fewest_that_can_be_significant(endpoints, expected):
    assert replicates_needed(endpoints) == expected
    assert smallest_p(expected, expected, endpoints=endpoints) <= 0.05
    assert smallest_p(expected - 1, expected - 1, endpoints=endpoints) > 0.05
