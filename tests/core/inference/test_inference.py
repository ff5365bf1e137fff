"""Whether two models list others: effect, exact test, interval, verdict."""

from fractions import Fraction
from itertools import combinations, product
from math import comb, sqrt

import numpy as np
import pytest
from scipy import stats

from tasks.core.comparison import verdict
from tasks.core.comparison.overlap import Pair
from tasks.core.comparison.verdict import Finding, Verdict
from tasks.core.inference import effect, jackknife, multiplicity, overlap_counts, permutation
from tasks.core.inference.effect import Effect
from tasks.core.inference.jackknife import FLAT, NO_VARIATION, TOO_FEW, Interval, Precision
from tasks.core.inference.multiplicity import holm
from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.inference.permutation import Permutation

# One entity's lists in six runs, AAABBB, and the entries that every two of them share, counted by hand.
SIX = [[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 4, 6], [1, 7, 8, 9], [1, 7, 8, 2], [7, 8, 9, 3]]
SIX_LABELS = np.array([False, False, False, True, True, True])
SIX_COUNTS = [
    [4, 3, 3, 1, 2, 1],
    [3, 4, 2, 1, 2, 1],
    [3, 2, 4, 1, 2, 0],
    [1, 1, 1, 4, 3, 3],
    [2, 2, 2, 3, 4, 2],
    [1, 1, 0, 3, 2, 4],
]


def runs_of(*entities):
    """Lists entity by entity, each of one row a run, as one array (E, n) a run."""
    return [np.array(run, dtype=np.int32) for run in zip(*entities, strict=True)]


def halves(a, b):
    return np.arange(a + b) >= a


def random_runs(rng, runs, *, entities, n, candidates):
    order = np.argsort(rng.random((runs, entities, candidates)), axis=2)
    return list(order[:, :, :n].astype(np.int32))


def exact_delta(counts, whole, labels):
    """Δ in rational numbers, straight from its definition."""

    def mean(pairs):
        found = [Fraction(int(counts[r][s]), whole) for r, s in pairs]
        return sum(found) / len(found)

    a, b = np.flatnonzero(~labels), np.flatnonzero(labels)
    return (mean(combinations(a, 2)) + mean(combinations(b, 2))) / 2 - mean(product(a, b))


def exact_p(counts, whole, labels):
    """Every choice of the runs of A, in rational numbers."""
    runs, observed = len(labels), exact_delta(counts, whole, labels)
    found = []
    for chosen in combinations(range(runs), int((~labels).sum())):
        split = np.ones(runs, dtype=bool)
        split[list(chosen)] = False
        found.append(exact_delta(counts, whole, split) >= observed)
    return sum(found) / len(found)


@pytest.fixture
def six():
    return overlap_counts.overlap_counts(runs_of(SIX), 4)


def test_counts_are_the_entries_shared_by_every_two_runs(six):
    assert six.counts.tolist() == SIX_COUNTS
    assert six.counts.dtype == np.int64
    assert six.whole == 4


def test_counts_see_only_the_first_n():
    found = overlap_counts.overlap_counts(runs_of([[1, 2, 3], [2, 1, 9], [3, 4, 1]]), 2)
    assert found.counts.tolist() == [[2, 2, 0], [2, 2, 0], [0, 0, 2]]


def test_short_and_empty_lists_count_as_in_the_pairwise_overlap(monkeypatch):
    monkeypatch.setattr(overlap_counts, "BLOCK_BYTES", 2000)  # several blocks of entities
    rng = np.random.default_rng(5)
    lists = random_runs(rng, 4, entities=25, n=6, candidates=9)
    for run in lists:
        for row, length in zip(run, rng.integers(0, 7, size=25), strict=True):
            row[length:] = -1
    lists[1][:3] = lists[2][:3] = -1
    lists[3] = lists[3][:, :5]
    for n in (1, 3, 6, 10):
        mean, entities = overlap_counts.overlap_counts(lists, n), overlap_counts.overlap_counts_by_entity(lists, n)
        for r, s in product(range(4), repeat=2):
            pair = Pair.of(lists[r], lists[s])
            assert mean.counts[r, s] / mean.whole == pytest.approx(pair.at(n).overlap, abs=1e-12)
            each = [pair.of_entity(e).at(n).overlap for e in range(25)]
            assert (entities.counts[:, r, s] / entities.whole).tolist() == pytest.approx(each, abs=1e-12)


def test_lengths_without_a_small_common_multiple_are_counted_in_fine_parts():
    lengths = [97, 89, 83, 79]
    lists = [np.full((4, 97), -1, dtype=np.int32) for _ in range(2)]
    for entity, length in enumerate(lengths):
        lists[0][entity, :length] = np.arange(length)
        lists[1][entity, :length] = np.arange(length) + 10
    found = overlap_counts.overlap_counts(lists, 100)
    assert found.whole == 4 * overlap_counts.FINEST
    assert found.counts[0, 0] == found.whole
    expected = sum((length - 10) / length for length in lengths) / 4
    assert found.counts[0, 1] / found.whole == pytest.approx(expected, abs=1e-5)


def test_entities_sum_to_the_mean():
    lists = random_runs(np.random.default_rng(1), 4, entities=7, n=3, candidates=6)
    entities, mean = overlap_counts.overlap_counts_by_entity(lists, 3), overlap_counts.overlap_counts(lists, 3)
    assert entities.total().counts.tolist() == mean.counts.tolist()
    assert entities.total().whole == mean.whole == 21
    alone = overlap_counts.overlap_counts([run[4:5] for run in lists], 3)
    assert entities.entity(4).counts.tolist() == alone.counts.tolist()


def test_runs_can_be_chosen_and_put_in_order(six):
    assert six.among([3, 0]).counts.tolist() == [[4, 1], [1, 4]]


@pytest.mark.parametrize(
    "lists", [[], [np.zeros((0, 3), dtype=np.int32)], [np.zeros((e, 3), np.int32) for e in (1, 2)]]
)
def test_runs_of_other_numbers_of_entities_cannot_be_compared(lists):
    with pytest.raises(ValueError, match="one and the same number of entities"):
        overlap_counts.overlap_counts(lists, 3)


def test_effect_by_hand(six):
    """Within A (3 + 3 + 2)/12 = 2/3, within B (3 + 3 + 2)/12 = 2/3, between (1+2+1 + 1+2+1 + 1+2+0)/36 = 11/36."""
    found = effect.effect(six, SIX_LABELS)
    assert (found.within_a, found.within_b, found.between) == pytest.approx((2 / 3, 2 / 3, 11 / 36))
    assert found.delta == pytest.approx(13 / 36)
    assert found.n_delta == pytest.approx(13 / 9)
    assert found.rho == pytest.approx(11 / 24)
    assert found.steadier == 0
    assert found.others == pytest.approx(13 / 36)


def test_effect_splits_into_steadier_and_others():
    found = Effect(within_a=0.81, within_b=0.25, between=0.36, n=10)
    assert found.steadier == pytest.approx((0.9 - 0.5) ** 2 / 2)  # .08
    assert found.others == pytest.approx(0.45 * (1 - 0.36 / 0.45))  # .09
    assert found.delta == pytest.approx(0.17)
    assert found.rho == pytest.approx(0.8)


def test_rho_of_a_model_that_never_agrees_with_itself_is_unknown():
    found = Effect(within_a=0.0, within_b=0.5, between=0.1, n=5)
    assert found.rho is None
    assert found.steadier + found.others == pytest.approx(found.delta)


@pytest.mark.parametrize(("within", "seed"), [(0.39, True), (0.4, False)])
def test_a_list_is_decided_by_the_seed_where_two_runs_share_less_than_two_fifths(within, seed):
    assert Effect(0.9, within, 0.3, 5).decided_by_seed is seed
    assert Effect(within, 0.9, 0.3, 5).decided_by_seed is seed


def test_delta_is_half_the_squared_distance_of_inclusion_probabilities_without_its_bias():
    """Σ(p - q)²/2n of the observed shares p, q, less their variances Σ p(1 - p)/(S - 1), Σ q(1 - q)/(S - 1)."""
    rng = np.random.default_rng(8)
    a, b, n, candidates = 4, 6, 5, 12
    lists = random_runs(rng, a + b, entities=9, n=n, candidates=candidates)
    listed = np.zeros((a + b, 9, candidates))
    np.put_along_axis(listed, np.stack(lists), 1, axis=2)
    p, q = listed[:a].mean(axis=0), listed[a:].mean(axis=0)
    noise = (p * (1 - p)).sum(axis=1) / (a - 1) + (q * (1 - q)).sum(axis=1) / (b - 1)
    expected = (((p - q) ** 2).sum(axis=1) - noise) / (2 * n)
    entities = overlap_counts.overlap_counts_by_entity(lists, n)
    assert effect.deltas(entities, halves(a, b)).tolist() == pytest.approx(expected.tolist())
    assert effect.effect(entities.total(), halves(a, b)).delta == pytest.approx(expected.mean())


def test_delta_is_zero_on_average_where_inclusion_probabilities_are_equal():
    """Of all pairs of lists of two known distributions, weighted: A draws {1,2} or {3,4}, B {1,3} or {2,4}, evenly."""
    in_a, in_b = [[1, 2], [3, 4]], [[1, 3], [2, 4]]
    found = []
    for draws in product(in_a, in_a, in_b, in_b):
        overlaps = overlap_counts.overlap_counts(runs_of(draws), 2)
        found.append(effect.effect(overlaps, halves(2, 2)).delta)
    assert np.mean(found) == pytest.approx(0, abs=1e-12)
    assert np.ptp(found) > 0


@pytest.mark.parametrize(("a", "b"), [(2, 2), (3, 3), (2, 4), (5, 3), (4, 4)])
def test_permutation_p_is_that_of_full_enumeration(a, b):
    rng = np.random.default_rng([a, b])
    labels = rng.permutation(halves(a, b))
    lists = random_runs(rng, a + b, entities=4, n=3, candidates=5)  # few values, so many ties
    entities = overlap_counts.overlap_counts_by_entity(lists, 3)
    found = permutation.permutation_by_entity(entities, labels, seed=0)
    for entity in range(4):
        assert found[entity] == pytest.approx(exact_p(entities.counts[entity], 3, labels), abs=1e-12)
    test = permutation.permutation_test(entities.total(), labels, seed=0)
    assert test.p == pytest.approx(exact_p(entities.total().counts, 12, labels), abs=1e-12)
    assert test.exact
    assert test.splits == comb(a + b, a) // (2 if a == b else 1)


def test_runs_that_separate_reach_the_smallest_p():
    two = [[1, 2]] * 5 + [[3, 4]] * 5
    found = permutation.permutation_test(overlap_counts.overlap_counts(runs_of(two), 2), halves(5, 5), seed=0)
    assert found.p == 2 / 252
    uneven = overlap_counts.overlap_counts(runs_of(two[1:]), 2)
    assert permutation.permutation_test(uneven, halves(4, 5), seed=0).p == pytest.approx(1 / 126)


def test_equal_lists_everywhere_are_all_ties():
    same = overlap_counts.overlap_counts(runs_of([[1, 2]] * 6), 2)
    assert permutation.permutation_test(same, halves(3, 3), seed=0).p == 1


@pytest.mark.parametrize("factor", [10**4, 10**13])  # beyond exact float32, beyond exact float64
def test_ties_stay_exact_for_large_counts(factor):
    """The splits tie in rational numbers, and p counts them all whatever the counts' scale."""
    rng = np.random.default_rng(2)
    small = overlap_counts.overlap_counts(random_runs(rng, 6, entities=1, n=3, candidates=5), 3)
    large = Overlaps(small.counts * factor, small.whole * factor, 3)
    labels = halves(2, 4)
    expected = exact_p(small.counts, 3, labels)
    assert permutation.permutation_test(large, labels, seed=0).p == pytest.approx(expected, abs=1e-12)


def test_counts_beyond_64_bits_are_refused(six):
    large = Overlaps(six.counts * 10**17, six.whole * 10**17, 4)
    with pytest.raises(OverflowError, match="64 bits"):
        permutation.permutation_test(large, SIX_LABELS, seed=0)


def test_p_is_that_of_permanova_for_groups_of_one_size():
    """Anderson 2001, as scikit-bio has it: pseudo-F of the distances √(1 - O), by full enumeration of the splits."""
    from skbio.stats.distance import DistanceMatrix, permanova

    rng = np.random.default_rng(4)
    lists = random_runs(rng, 8, entities=3, n=3, candidates=7)
    lists[4:] = [np.where(run == 6, 8, run).astype(np.int32) for run in lists[4:]]
    overlaps = overlap_counts.overlap_counts(lists, 3)
    distances = DistanceMatrix(np.sqrt(1 - overlaps.counts / overlaps.whole))

    def pseudo_f(group):
        labels = ["a" if run in group else "b" for run in range(8)]
        return permanova(distances, labels, permutations=0)["test statistic"]

    values = {group: pseudo_f(group) for group in combinations(range(8), 4)}
    observed = values[(0, 1, 2, 3)]
    expected = np.mean([value >= observed - 1e-9 for value in values.values()])
    assert 0 < expected < 1
    assert permutation.permutation_test(overlaps, halves(4, 4), seed=0).p == pytest.approx(expected)


def test_many_splits_are_sampled(monkeypatch):
    lists = random_runs(np.random.default_rng(6), 10, entities=5, n=3, candidates=6)
    overlaps, labels = overlap_counts.overlap_counts(lists, 3), halves(5, 5)
    exact = permutation.permutation_test(overlaps, labels, seed=1)
    monkeypatch.setattr(permutation, "MOST_SPLITS", 100)
    monkeypatch.setattr(permutation, "DRAWS", 4999)
    sampled = permutation.permutation_test(overlaps, labels, seed=1)
    assert (exact.exact, exact.splits) == (True, 126)
    assert (sampled.exact, sampled.splits) == (False, 5000)
    assert sampled.p == pytest.approx(exact.p, abs=4 * sqrt(exact.p * (1 - exact.p) / 5000))
    assert sampled.p == permutation.permutation_test(overlaps, labels, seed=1).p
    assert permutation.smallest_p(5, 5) == 1 / 5000


def test_a_sampled_p_counts_the_observed_split(monkeypatch):
    monkeypatch.setattr(permutation, "MOST_SPLITS", 100)
    monkeypatch.setattr(permutation, "DRAWS", 9)
    lists = [[1, 2]] * 10 + [[3, 4]] * 10
    found = permutation.permutation_test(overlap_counts.overlap_counts(runs_of(lists), 2), halves(10, 10), seed=0)
    assert found.p == 1 / 10


def test_one_model_twice_rejects_at_the_level_it_states():
    """Under the null hypothesis p ≤ 7/35 in a fifth of the repetitions, fewer where there are ties."""
    rng = np.random.default_rng(20)
    repetitions, rejected, smallest = 600, 0, 0
    for _ in range(repetitions):
        lists = random_runs(rng, 8, entities=25, n=4, candidates=12)
        p = permutation.permutation_test(overlap_counts.overlap_counts(lists, 4), halves(4, 4), seed=0).p
        rejected += p <= 7 / 35
        smallest += p <= permutation.smallest_p(4, 4)
    assert stats.binom.ppf(0.0005, repetitions, 0.18) <= rejected <= stats.binom.ppf(0.9995, repetitions, 0.2)
    assert smallest <= stats.binom.ppf(0.9995, repetitions, 1 / 35)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(3, 3, 0.1), (4, 4, 2 / 70), (5, 5, 2 / 252), (10, 10, 2 / 184756), (4, 5, 1 / 126), (2, 3, 0.1), (11, 11, 1e-5)],
)
def test_smallest_p_is_one_split_of_all(a, b, expected):
    assert permutation.smallest_p(a, b) == pytest.approx(expected)


def test_seven_endpoints_at_five_seeds_can_only_reach_056():
    assert permutation.smallest_p(5, 5, endpoints=7) == pytest.approx(0.0556, abs=5e-5)
    assert permutation.replicates_needed(7) == 6
    assert permutation.smallest_p(2, 2, endpoints=7) == 1


@pytest.mark.parametrize(("endpoints", "expected"), [(1, 4), (2, 5), (6, 5), (7, 6), (23, 6), (24, 7)])
def test_replicates_needed_are_the_fewest(endpoints, expected):
    assert permutation.replicates_needed(endpoints) == expected
    assert permutation.smallest_p(expected, expected, endpoints=endpoints) <= 0.05
    assert permutation.smallest_p(expected - 1, expected - 1, endpoints=endpoints) > 0.05


def test_jackknife_by_hand(six):
    """Without run 0, within A is 2/4, within B 8/12 and between (1+2+1 + 1+2+0)/24 = 7/24; and so on.

    Δ without each run, in 24ths: A: (12 + 16)/2 - 7 = 7; (18 + 16)/2 - 7 = 10; (18 + 16)/2 - 8 = 9, mean 26/3.
    B: (16 + 12)/2 - 8 = 6; (16 + 18)/2 - 5 = 12; (16 + 18)/2 - 9 = 8, mean 26/3.
    Σ squares about the means: 14/3 and 56/3; variance 2/3 of their sum, 140/9 over 24².
    """
    found = jackknife.precision(six, SIX_LABELS)
    error = sqrt(140) / 3 / 24
    assert found.standard_error == pytest.approx(error)
    assert found.interval_95.low == pytest.approx(13 / 36 - 2.776445 * error, abs=1e-6)
    assert found.interval_95.high == pytest.approx(13 / 36 + 2.776445 * error, abs=1e-6)
    assert found.interval_90.high == pytest.approx(13 / 36 + 2.131847 * error, abs=1e-6)
    assert found.note is found.bound_95 is found.bound_90 is None


def test_jackknife_agrees_with_pseudo_values_for_groups_of_two_sizes():
    rng = np.random.default_rng(9)
    labels = rng.permutation(halves(4, 6))
    overlaps = overlap_counts.overlap_counts(random_runs(rng, 10, entities=5, n=3, candidates=6), 3)
    delta = exact_delta(overlaps.counts, overlaps.whole, labels)
    variance = 0.0
    for group, size in ((False, 4), (True, 6)):
        pseudo = []
        for run in np.flatnonzero(labels == group):
            keep = np.delete(np.arange(10), run)
            left = exact_delta(overlaps.counts[np.ix_(keep, keep)], overlaps.whole, labels[keep])
            pseudo.append(float(size * delta - (size - 1) * left))
        assert np.mean(pseudo) == pytest.approx(float(delta))
        variance += np.var(pseudo, ddof=1) / size
    assert jackknife.precision(overlaps, labels).standard_error == pytest.approx(sqrt(variance))


def test_equal_lists_in_every_run_have_no_interval():
    lists = [[1, 2, 3, 4, 5]] * 10 + [[5, 4, 3, 6, 7]] * 10
    found = jackknife.precision(overlap_counts.overlap_counts(runs_of(lists), 5), halves(10, 10))
    assert found.note == NO_VARIATION
    assert found.interval_95 is found.interval_90 is found.standard_error is None


def test_bounds_without_variation_are_what_equal_lists_rule_out():
    """At 90%, .05 each way: nine repeats a model, so ε = 2 - 2 · .05^(1/18) = .30667; Δ seen = .4."""
    lists = [[1, 2, 3, 4, 5]] * 10 + [[5, 4, 3, 6, 7]] * 10
    found = jackknife.precision(overlap_counts.overlap_counts(runs_of(lists), 5), halves(10, 10))
    assert found.bound_90.low == pytest.approx(0.4 * (1 - 0.30667) ** 2, abs=1e-4)
    assert found.bound_90.high == pytest.approx((sqrt(0.4) + 0.30667) ** 2, abs=1e-4)
    assert found.bound_95.low < found.bound_90.low < 0.4 < found.bound_90.high < found.bound_95.high <= 1


def test_bounds_hold_for_every_model_that_can_give_equal_lists():
    """Models with the lists seen and one other each: where the bounds miss Δ, equal lists are as rare as stated."""
    runs, level = 6, 0.90
    seen_a, seen_b, others = {1, 2, 3, 4}, {3, 4, 5, 6}, [{1, 2, 3, 4}, {3, 4, 5, 6}, {7, 8, 9, 10}, {1, 2, 7, 8}]
    lists = [sorted(seen_a)] * runs + [sorted(seen_b)] * runs
    bound = jackknife.precision(overlap_counts.overlap_counts(runs_of(lists), 4), halves(runs, runs)).bound_90
    missed = 0
    for other_a, other_b in product(others, repeat=2):
        for rare_a, rare_b in product(np.linspace(0, 1, 21), repeat=2):
            p, q = np.zeros(11), np.zeros(11)
            for share, chosen, found in ((1 - rare_a, seen_a, p), (rare_a, other_a, p)):
                found[sorted(chosen)] += share
            for share, chosen, found in ((1 - rare_b, seen_b, q), (rare_b, other_b, q)):
                found[sorted(chosen)] += share
            delta = ((p - q) ** 2).sum() / 8
            if not bound.low - 1e-12 <= delta <= bound.high + 1e-12:
                missed += 1
                repeat_a = 1.0 if other_a == seen_a else 1 - rare_a
                repeat_b = 1.0 if other_b == seen_b else 1 - rare_b
                assert (repeat_a * repeat_b) ** (runs - 1) < (1 - level) / 2
    assert missed


def test_two_equal_runs_a_model_rule_out_nothing():
    found = jackknife.precision(
        overlap_counts.overlap_counts(runs_of([[1, 2], [1, 2], [1, 3], [1, 3]]), 2), halves(2, 2)
    )
    assert (found.note, found.bound_95) == (NO_VARIATION, Interval(0.0, 1.0))


def test_two_runs_of_a_model_are_too_few_for_a_jackknife():
    lists = [[1, 2], [1, 3], [1, 2], [4, 5], [2, 3]]
    found = jackknife.precision(overlap_counts.overlap_counts(runs_of(lists), 2), halves(2, 3))
    assert found == Precision(note=TOO_FEW)


def test_lists_that_vary_alike_have_no_interval_of_width_zero():
    """Every two runs of one model share one entry, every two of two models none: no run matters more than another."""
    lists = [[1, 2], [1, 3], [1, 4], [5, 6], [5, 7], [5, 8]]
    found = jackknife.precision(overlap_counts.overlap_counts(runs_of(lists), 2), halves(3, 3))
    assert found == Precision(note=FLAT)


@pytest.mark.parametrize("labels", [[False, True, True, True, True, True], [False] * 6, [False, True, False, True]])
def test_a_model_of_one_run_cannot_be_tested(six, labels):
    for function in (effect.effect, jackknife.precision, effect.deltas):
        with pytest.raises(ValueError, match="two or more of each model"):
            function(six, np.array(labels))
    with pytest.raises(ValueError, match="two or more of each model"):
        verdict.find(six, np.array(labels), seed=0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_holm_keeps_the_order_of_p_and_lies_between_p_and_bonferroni():
    p = np.random.default_rng(3).random(40) ** 3
    adjusted = holm(p)
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    assert ((p <= adjusted) & (adjusted <= np.minimum(40 * p, 1))).all()


def test_benjamini_hochberg_by_hand():
    """4/1 · .01 = .04, 4/2 · .02 = .04, 4/3 · .03 = .04, .5; the least of those from each rank on."""
    assert multiplicity.benjamini_hochberg(np.array([0.5, 0.03, 0.01, 0.02])).tolist() == pytest.approx(
        [0.5] + [0.04] * 3
    )


def known(low_95, low_90, high_90, high_95):
    return Precision(0.1, Interval(low_95, high_95), Interval(low_90, high_90))


@pytest.mark.parametrize(
    ("precision", "p", "expected"),
    [
        (known(0.21, 0.25, 0.5, 0.6), 0.05, "different-meaningfully"),
        (known(0.21, 0.25, 0.5, 0.6), 0.051, "inconclusive"),
        (known(0.20, 0.25, 0.5, 0.6), 0.01, "different-size-uncertain"),
        (known(0.05, 0.06, 0.19, 0.25), 0.01, "different-small"),
        (known(0.05, 0.06, 0.20, 0.25), 0.01, "different-size-uncertain"),
        (known(-0.1, -0.05, 0.19, 0.25), 0.2, "practically-same"),
        (known(-0.1, -0.05, 0.20, 0.25), 0.2, "inconclusive"),
        (Precision(note=TOO_FEW), 0.01, "different-size-uncertain"),
        (Precision(note=FLAT), 0.2, "inconclusive"),
        (Precision(note=NO_VARIATION, bound_95=Interval(0.3, 1), bound_90=Interval(0.4, 1)), 0.01, Verdict.MEANINGFUL),
        (Precision(note=NO_VARIATION, bound_95=Interval(0, 0.3), bound_90=Interval(0, 0.1)), 1.0, Verdict.SAME),
    ],
)
def test_the_verdict_follows_the_rule(precision, p, expected):
    assert verdict.judge(precision, p, margin=0.20) == expected
    assert set(verdict.RULE) == set(Verdict)


@pytest.mark.parametrize(
    ("runs", "other", "margin", "expected"),
    [
        (10, [1, 2, 3, 4, 5], 0.10, "practically-same"),
        (5, [1, 2, 3, 4, 5], 0.10, "inconclusive"),
        (10, [6, 7, 8, 4, 5], 0.20, "different-meaningfully"),
        (10, [6, 2, 3, 4, 5], 0.20, "different-size-uncertain"),
    ],
)
def test_equal_lists_in_every_run_are_judged_by_how_many_runs_there_are(runs, other, margin, expected):
    lists = [[1, 2, 3, 4, 5]] * runs + [other] * runs
    found = verdict.find(overlap_counts.overlap_counts(runs_of(lists), 5), halves(runs, runs), seed=0)
    assert verdict.judge(found.precision, found.test.p, margin=margin) == expected


SUBJECT = "the 5 users nearest to user 10"


def worded(precision, p, *, within=0.8, between=0.4):
    finding = Finding(Effect(within, within, between, 5), precision, Permutation(p, 9, True))
    return verdict.sentence(finding, p, margin=0.20, a="k50", b="k500", subject=SUBJECT)


def test_the_verdict_in_a_sentence():
    assert worded(known(0.25, 0.3, 0.5, 0.55), 0.0002) == (
        "k50 and k500 differ significantly and meaningfully in the 5 users nearest to user 10: 2.0 of 5 are replaced"
        " beyond what the seed replaces (95% interval 1.2 to 2.8; p < 0.001)."
    )
    assert worded(known(-0.1, -0.05, 0.1, 0.15), 0.34, within=0.3, between=0.3) == (
        "k50 and k500 are practically the same in the 5 users nearest to user 10: no difference beyond the seed's is"
        " shown (p = 0.340), and it is at most 0.50 of 5; such a list is largely decided by the seed."
    )


@pytest.mark.parametrize(
    ("precision", "p", "words"),
    [
        (known(0.05, 0.06, 0.19, 0.25), 0.01, "differ detectably"),
        (known(0.05, 0.06, 0.3, 0.4), 0.01, "by how much is uncertain"),
        (known(-0.1, -0.05, 0.3, 0.4), 0.2, "cannot be told from these runs"),
        (Precision(note=NO_VARIATION, bound_95=Interval(0.3, 1), bound_90=Interval(0.4, 1)), 0.01, NO_VARIATION),
        (Precision(note=TOO_FEW), 0.2, TOO_FEW),
    ],
)
def test_every_verdict_has_one_sentence_that_names_models_and_lists(precision, p, words):
    found = worded(precision, p)
    assert words in found
    assert "k50 and k500" in found
    assert SUBJECT in found
    assert found.endswith(".")
    assert "None" not in found
