"""Models compared by the lists of their replicates."""

from collections.abc import Sequence

import numpy as np
import pytest

from tasks.core.comparison.agreement import Row, RunLists, compare
from tasks.core.comparison.query_lists import Names, queries, query_lists
from tasks.core.ranking.lists import Lists


def lists(*rows: Sequence[int]) -> Lists:
    """Lists whose score at rank r is 1 / r."""
    ids = np.array(rows, dtype=np.int32)
    scores = np.broadcast_to(1 / np.arange(1, ids.shape[1] + 1), ids.shape).astype(np.float32)
    return Lists(ids, np.where(ids >= 0, scores, np.nan).astype(np.float32))


SAME_ITEMS = lists([1, 2], [0, 2], [0, 1])
NOTHING = lists([-1, -1], [-1, -1])


def run(*users: Sequence[int]) -> RunLists:
    """One replicate of 2 users and 3 items; all but the users' lists are alike in every run."""
    return RunLists(lists(*users), SAME_ITEMS, NOTHING)


# two seeds of a share 1 of 2 for user 0 and 2 of 2 for user 1; b shares with them (0 and 1), then (1 and 0) of 2
RUNS = {
    "a": [run([5, 6], [7, 8]), run([6, 9], [8, 7])],
    "b": [run([9, 4], [7, 4])],
}
CANDIDATES = np.array([2, 10])


def row(target: str, depth: int, a: str, b: str) -> Row:
    rows, _ = compare(RUNS, depths=(1, 2), query=[("user_1", "users", 1)], candidates=CANDIDATES)
    (found,) = [each for each in rows if (each.target, each.depth, each.a, each.b) == (target, depth, a, b)]
    return found


def test_within_a_model_every_two_replicates_are_compared() -> None:
    found = row("users", 2, "a", "a")
    assert (found.pairs, found.overlap) == (1, (1 / 2 + 1) / 2)
    assert found.jaccard == pytest.approx((1 / 3 + 1) / 2)


def test_between_models_every_replicate_meets_every_other() -> None:
    found = row("users", 2, "a", "b")
    # user 0: {5,6}{9,4} 0 and {6,9}{9,4} 1/2; user 1: {7,8}{7,4} 1/2 and {8,7}{7,4} 1/2
    assert (found.pairs, found.overlap) == (2, (0 + 1 / 2 + 1 / 2 + 1 / 2) / 4)


def test_depth_one_looks_at_the_first_alone() -> None:
    assert row("users", 1, "a", "a").overlap == 0
    assert row("users", 1, "a", "b").overlap == 1 / 4


def test_a_query_is_one_entity_s() -> None:
    assert row("user_1", 2, "a", "a").overlap == 1
    assert row("user_1", 2, "a", "b").overlap == 1 / 2


def test_a_model_of_one_replicate_has_nothing_within() -> None:
    found = row("users", 2, "b", "b")
    assert (found.pairs, found.overlap, found.jaccard, found.rbo) == (0, None, None, None)


def test_equal_lists_agree_and_so_do_empty_ones() -> None:
    assert row("items", 2, "a", "b").overlap == 1
    assert row("recommendations", 2, "a", "b").overlap == 1


def test_curves_are_the_rows_at_every_depth() -> None:
    rows, curves = compare(RUNS, depths=(1, 2, 3), query=(), candidates=CANDIDATES, longest=3)
    found = {
        (each.target, n, each.a, each.b): (each.overlap[n - 1 : n] or [None])[0] for each in curves for n in (1, 2, 3)
    }
    assert found == {(each.target, each.depth, each.a, each.b): each.overlap for each in rows}
    chances = {(each.target, n): each.chance[n - 1] for each in curves for n in (1, 2, 3)}
    assert chances == {(each.target, each.depth): each.chance for each in rows}


@pytest.mark.parametrize(("replicates", "within", "between"), [(1, 0, 3), (2, 1, 6), (5, 10, 15)])
def test_numbers_of_pairs(replicates: int, within: int, between: int) -> None:
    one = run([5, 6], [7, 8])
    rows, _ = compare({"a": [one] * replicates, "b": [one] * 3}, depths=(1,), query=(), candidates=CANDIDATES)
    pairs = {(each.a, each.b): each.pairs for each in rows}
    assert pairs == {("a", "a"): within, ("a", "b"): between, ("b", "b"): 3}


def test_every_two_models_meet_on_every_target_and_depth_once() -> None:
    one = run([5, 6], [7, 8])
    rows, _ = compare({"a": [one], "b": [one], "c": [one]}, depths=(1, 2), query=(), candidates=CANDIDATES)
    keys = {(each.target, each.depth, each.a, each.b) for each in rows}
    assert len(keys) == len(rows) == 3 * 2 * 6
    assert {(a, b) for _, _, a, b in keys} == {(a, b) for a in "abc" for b in "abc" if a <= b}


@pytest.mark.parametrize(
    ("target", "expected"),
    [("users", 1), ("items", 1 / 2), ("recommendations", (1 / 2 + 1 / 10) / 2), ("user_1", 1)],
)
def test_chance_is_the_target_s(target: str, expected: float) -> None:
    assert row(target, 1, "a", "a").chance == pytest.approx(expected)


def test_chance_of_a_recommendation_query_is_that_user_s() -> None:
    query = [("recommend_for_1", "recommendations", 1)]
    rows, _ = compare(RUNS, depths=(1,), query=query, candidates=CANDIDATES)
    assert {each.chance for each in rows if each.target == "recommend_for_1"} == {1 / 10}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("k50", "k50", "overlap.users_at_5.k50"), ("k50", "k500", "overlap.users_at_5.k50_vs_k500")],
)
def test_metric_names_are_those_of_the_contract(a: str, b: str, expected: str) -> None:
    assert Row("users", 5, a, b, 1, 1.0, 1.0, 1.0, 0.1).metric == expected


def test_queries_are_named_after_whom_they_ask_about() -> None:
    assert list(queries([10], [100, 7], [0])) == [
        ("user_10", "users", 10),
        ("item_100", "items", 100),
        ("item_7", "items", 7),
        ("recommend_for_0", "recommendations", 0),
    ]


class TestQueryLists:
    NAMES = Names(np.array([100, 200]), np.array(["x", "y", "z", "w"]), np.array(["X", "Y", "Z", "W"]))

    def test_most_often_listed_come_first_then_best_ranked_then_lowest_id(self) -> None:
        seeds = [lists([3, 1, 0]), lists([1, 0, 3]), lists([1, 2, -1])]
        found = query_lists("recommend_for_0", "recommendations", 0, n=3, names=self.NAMES, lists={"k": seeds})
        # 1 in all three; 3 and 0 in two, at ranks 1, 3 and 3, 2; 2 in one
        entries = found.models["k"]
        assert [each.index for each in entries] == [1, 3, 0, 2]
        assert [each.share for each in entries] == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3])
        assert [each.rank for each in entries] == pytest.approx([4 / 3, 2, 5 / 2, 2])
        assert [each.score for each in entries] == pytest.approx([5 / 6, 2 / 3, 5 / 12, 1 / 2])

    def test_ties_stand_in_the_order_of_ids(self) -> None:
        seeds = [lists([3, 1]), lists([1, 3])]
        found = query_lists("recommend_for_0", "recommendations", 0, n=2, names=self.NAMES, lists={"k": seeds})
        assert [each.index for each in found.models["k"]] == [1, 3]

    def test_only_the_first_n_of_a_list_count(self) -> None:
        found = query_lists("item_0", "items", 0, n=1, names=self.NAMES, lists={"k": [lists([3, 1])]})
        assert [each.index for each in found.models["k"]] == [3]

    @pytest.mark.parametrize(
        ("target", "asked", "listed"),
        [
            ("users", (200, ""), (100, "")),
            ("items", ("y", "Y"), ("x", "X")),
            ("recommendations", (200, ""), ("x", "X")),
        ],
    )
    def test_names_are_those_of_the_target(
        self, target: str, asked: tuple[int | str, str], listed: tuple[int | str, str]
    ) -> None:
        found = query_lists("q", target, 1, n=1, names=self.NAMES, lists={"k": [lists([1], [0])]})
        assert (found.raw_id, found.title) == asked
        (entry,) = found.models["k"]
        assert (entry.raw_id, entry.title) == listed

    def test_without_titles_titles_are_empty(self) -> None:
        assert Names(np.array([1]), np.array([2]), None).of(0, item=True) == (2, "")

    def test_an_empty_list_has_no_entries(self) -> None:
        found = query_lists("user_0", "users", 0, n=2, names=self.NAMES, lists={"k": [NOTHING]})
        assert found.models == {"k": []}
