"""Agreement of lists within a model and between two models."""

from collections.abc import Sequence

import numpy as np
import pytest

from tasks.core.comparison.agreement import Row, RunLists, compare
from tests.core.comparison.examples import NO_LISTS, lists

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
