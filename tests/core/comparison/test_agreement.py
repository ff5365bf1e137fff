"""Agreement of lists within a model and between two models."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import pytest

from tasks.core.comparison.agreement import TARGETS, Row, RunLists, compare
from tasks.core.ranking.lists import Lists
from tests.core.comparison.examples import NO_LISTS, SAMPLE, lists, of_sample, random_runs

SAME_ITEMS = lists([1, 2], [0, 2], [0, 1])


def run(*users: Sequence[int]) -> RunLists:
    """One replicate of 2 users and 3 items; only the users' lists differ between runs."""
    return RunLists(lists(*users), SAME_ITEMS, NO_LISTS)


# The seeds of a share 1 of 2 entries for user 0 and 2 of 2 for user 1. b shares 0 and 1, then 1 and 1 of 2 with them.
RUNS = {
    "a": [run([5, 6], [7, 8]), run([6, 9], [8, 7])],
    "b": [run([9, 4], [7, 4])],
}
CANDIDATES = np.array([2, 10])


def row(target: str, depth: int, a: str, b: str) -> Row:
    rows, _ = compare(RUNS, depths=(1, 2), query=[("user_1", "users", 1)], candidates=CANDIDATES)
    (matching,) = [row for row in rows if (row.target, row.depth, row.a, row.b) == (target, depth, a, b)]
    return matching


def test_within_a_model_every_two_replicates_are_compared() -> None:
    within = row("users", 2, "a", "a")
    assert (within.pairs, within.overlap) == (1, (1 / 2 + 1) / 2)
    assert within.jaccard == pytest.approx((1 / 3 + 1) / 2)


def test_between_models_every_replicate_is_compared_with_every_replicate() -> None:
    between = row("users", 2, "a", "b")
    # user 0: {5,6}{9,4} 0 and {6,9}{9,4} 1/2; user 1: {7,8}{7,4} 1/2 and {8,7}{7,4} 1/2
    assert (between.pairs, between.overlap) == (2, (0 + 1 / 2 + 1 / 2 + 1 / 2) / 4)


def test_depth_one_compares_the_first_entries() -> None:
    assert row("users", 1, "a", "a").overlap == 0
    assert row("users", 1, "a", "b").overlap == 1 / 4


def test_a_query_compares_the_lists_of_one_entity() -> None:
    assert row("user_1", 2, "a", "a").overlap == 1
    assert row("user_1", 2, "a", "b").overlap == 1 / 2


def test_a_model_of_one_replicate_has_no_agreement_within() -> None:
    within = row("users", 2, "b", "b")
    assert (within.pairs, within.overlap, within.jaccard, within.rbo) == (0, None, None, None)


def test_equal_lists_overlap_one_and_so_do_empty_lists() -> None:
    assert row("items", 2, "a", "b").overlap == 1
    assert row("recommendations", 2, "a", "b").overlap == 1


def test_curves_have_the_overlap_and_chance_of_the_rows_at_every_depth() -> None:
    rows, curves = compare(RUNS, depths=(1, 2, 3), query=(), candidates=CANDIDATES, longest=3)
    overlaps = {
        (curve.target, n, curve.a, curve.b): (curve.overlap[n - 1 : n] or [None])[0]
        for curve in curves
        for n in (1, 2, 3)
    }
    assert overlaps == {(row.target, row.depth, row.a, row.b): row.overlap for row in rows}
    chances = {(curve.target, n): curve.chance[n - 1] for curve in curves for n in (1, 2, 3)}
    assert chances == {(row.target, row.depth): row.chance for row in rows}


@pytest.mark.parametrize(("replicates", "within", "between"), [(1, 0, 3), (2, 1, 6), (5, 10, 15)])
def test_numbers_of_pairs_of_runs(replicates: int, within: int, between: int) -> None:
    one = run([5, 6], [7, 8])
    rows, _ = compare({"a": [one] * replicates, "b": [one] * 3}, depths=(1,), query=(), candidates=CANDIDATES)
    pairs = {(row.a, row.b): row.pairs for row in rows}
    assert pairs == {("a", "a"): within, ("a", "b"): between, ("b", "b"): 3}


def test_every_two_models_have_one_row_for_each_target_and_depth() -> None:
    one = run([5, 6], [7, 8])
    rows, _ = compare({"a": [one], "b": [one], "c": [one]}, depths=(1, 2), query=(), candidates=CANDIDATES)
    keys = {(row.target, row.depth, row.a, row.b) for row in rows}
    assert len(keys) == len(rows) == 3 * 2 * 6
    assert {(a, b) for _, _, a, b in keys} == {(a, b) for a in "abc" for b in "abc" if a <= b}


@pytest.mark.parametrize(
    ("target", "expected"),
    [("users", 1), ("items", 1 / 2), ("recommendations", (1 / 2 + 1 / 10) / 2), ("user_1", 1)],
)
def test_chance_depends_on_the_target(target: str, expected: float) -> None:
    assert row(target, 1, "a", "a").chance == pytest.approx(expected)


def test_chance_of_queried_recommendations_is_that_of_the_user() -> None:
    query = [("recommend_for_1", "recommendations", 1)]
    rows, _ = compare(RUNS, depths=(1,), query=query, candidates=CANDIDATES)
    assert {row.chance for row in rows if row.target == "recommend_for_1"} == {1 / 10}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("k50", "k50", "users_at_5.k50"), ("k50", "k500", "users_at_5.k50_vs_k500")],
)
def test_metric_names_are_stable(a: str, b: str, expected: str) -> None:
    assert Row("users", 5, a, b, 1, 1.0, 1.0, 1.0, 0.1).metric == expected


def test_means_over_a_sample_are_those_of_the_lists_that_were_drawn() -> None:
    """Queries that were added to it have their own rows, and enter no mean. Chance depends on all candidates."""
    rng = np.random.default_rng(5)
    runs = {model: random_runs(rng, first, 3, entities=20) for model, first in (("a", 0), ("b", 2))}
    candidates = np.arange(5, 25)
    settings = {"depths": (1, 3), "longest": 4}
    query = [("user_1", "users", 1), ("item_2", "items", 2), ("recommend_for_0", "recommendations", 0)]
    every, _ = compare(runs, query=query, candidates=candidates, **settings)
    sampled, curves = compare(
        {model: [of_sample(run) for run in replicates] for model, replicates in runs.items()},
        query=query,
        candidates=candidates[SAMPLE["users"].rows],
        entities=SAMPLE,
        **settings,
    )
    alone, curves_alone = compare(
        {model: [of_sample(run, drawn_only=True) for run in replicates] for model, replicates in runs.items()},
        query=(),
        candidates=candidates[[4, 9, 13]],
        **settings,
    )
    assert [replace(row, chance=0) for row in sampled if row.target in TARGETS] == [
        replace(row, chance=0) for row in alone
    ]
    assert [curve.overlap for curve in curves] == [curve.overlap for curve in curves_alone]
    names = {name for name, _, _ in query}
    assert [row for row in sampled if row.target in names] == [row for row in every if row.target in names]
    chances = {row.target: row.chance for row in sampled if row.depth == 3}
    assert chances["users"] == chances["items"] == 3 / 19
    assert chances["recommendations"] == pytest.approx(np.mean(3 / candidates[[4, 9, 13]]))


def ragged_lists(rng: np.random.Generator, entities: int, candidates: int, n: int = 100) -> Lists:
    """Random lists, a fifth of them shorter than n."""
    ids = rng.permuted(np.tile(np.arange(candidates, dtype=np.int32), (entities, 1)), axis=1)[:, :n]
    lengths = np.where(rng.random(entities) < 0.2, rng.integers(0, n, entities), n)
    return Lists(np.where(np.arange(n) < lengths[:, None], ids, -1), np.empty((entities, 0), dtype=np.float32))


def at_once(a: np.ndarray, b: np.ndarray, longest: int) -> tuple[np.ndarray, dict[int, tuple[float, float, float]]]:
    """Return the curve, and overlap, Jaccard and RBO by depth, of all lists of two runs in one array expression."""
    in_b = a[:, :, None] == b[:, None, :]
    first_shared = np.maximum(np.arange(100)[:, None], np.arange(100)) + 1
    shared = np.stack([(in_b & (a >= 0)[:, :, None] & (first_shared <= n)).sum(axis=(1, 2)) for n in range(1, 101)], 1)
    lengths = (a >= 0).sum(axis=1), (b >= 0).sum(axis=1)
    depths = np.arange(1, longest + 1)
    longer = np.minimum(np.maximum(*lengths)[:, None], depths)
    curve = np.where(longer > 0, shared[:, :longest] / np.maximum(longer, 1), 1.0).mean(axis=0)
    measures = {}
    for n in (1, 10, 100):
        of_a, of_b = (np.minimum(length, n) for length in lengths)
        longer, last = np.maximum(of_a, of_b), np.maximum(np.maximum(of_a, of_b), 1)
        union, common = of_a + of_b - shared[:, n - 1], shared[:, n - 1]
        proportions = shared[:, :n] / np.arange(1, n + 1)
        weights = 0.8 ** np.arange(1, n + 1) * (np.arange(1, n + 1) <= longer[:, None])
        summed = (1 - 0.8) / 0.8 * (proportions * weights).sum(axis=1)
        final = np.take_along_axis(proportions, last[:, None] - 1, axis=1)[:, 0]
        rbo = np.where(longer > 0, summed + final * 0.8 ** last.astype(np.float64), 1.0)
        overlap = np.where(longer > 0, common / last, 1.0)
        jaccard = np.where(union > 0, common / np.maximum(union, 1), 1.0)
        measures[n] = (float(overlap.mean()), float(jaccard.mean()), float(rbo.mean()))
    return curve, measures


def test_pairs_one_at_a_time_and_in_blocks_give_the_values_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.core.comparison.overlap._BLOCK_BYTES", 64 * 100 * 7)  # 7 lists in a block
    rng = np.random.default_rng(4)
    runs = {
        model: [RunLists(*(ragged_lists(rng, 40, 130) for _ in TARGETS)) for _ in range(replicates)]
        for model, replicates in (("a", 3), ("b", 2), ("c", 1))
    }
    rows, curves = compare(runs, depths=(1, 10, 100), query=(), candidates=np.full(40, 130), longest=100)
    expected_rows, expected_curves = {}, {}
    for target, (a, b) in product(TARGETS, combinations_with_replacement(runs, 2)):
        of_a, of_b = ([getattr(run, target).ids for run in runs[model]] for model in (a, b))
        pairs = [at_once(*pair, 100) for pair in (combinations(of_a, 2) if a == b else product(of_a, of_b))]
        expected_curves[target, a, b] = np.mean([curve for curve, _ in pairs], axis=0).tolist() if pairs else []
        for n in (1, 10, 100):
            measures = zip(*(of_pair[n] for _, of_pair in pairs), strict=True)
            expected_rows[target, n, a, b] = [float(np.mean(values)) for values in measures] or [None] * 3
    assert {(row.target, row.depth, row.a, row.b): [row.overlap, row.jaccard, row.rbo] for row in rows} == expected_rows
    assert {(curve.target, curve.a, curve.b): curve.overlap for curve in curves} == expected_curves


def test_memory_of_a_comparison_does_not_grow_with_the_number_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.core.comparison.overlap._BLOCK_BYTES", 1 << 20)
    rng, users = np.random.default_rng(4), 2000
    one = [RunLists(ragged_lists(rng, users, 130), NO_LISTS, NO_LISTS) for _ in range(2)]
    tracemalloc.start()
    compare({"a": one * 4}, depths=(10,), query=(), candidates=np.full(2, 130), longest=100)  # 28 pairs
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # two arrays of 100 numbers for each user, and the temporary arrays of a block; all pairs at once took 52 MB
    assert peak < 16 * 100 * users + (3 << 20)
