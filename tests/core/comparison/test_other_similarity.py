"""Agreement by the similarity that gets no verdict."""

import numpy as np
import pytest

from tasks.core.comparison.agreement import OtherSimilarity, RunLists, compare, other_similarity
from tasks.core.ranking.entities import Entities
from tasks.core.types import Ids
from tests.core.comparison.examples import NO_LISTS, random_lists

ITEMS = np.array([[1, 2], [0, 2], [0, 1]], dtype=np.int32)
QUERIES = (("user_1", "users", 1), ("item_2", "items", 2), ("recommend_for_0", "recommendations", 0))


def run(*users: list[int]) -> dict[str, Ids]:
    """One replicate of 2 users and 3 items; only the users' lists differ between runs."""
    return {"users": np.array(users, dtype=np.int32), "items": ITEMS}


# The seeds of a share 1 of 2 entries for user 0 and 2 of 2 for user 1. b shares 0 and 1, then 1 and 1 of 2 with them.
RUNS = {"a": [run([5, 6], [7, 8]), run([6, 9], [8, 7])], "b": [run([9, 4], [7, 4])]}
EVERYBODY = {"users": Entities.all(2), "items": Entities.all(3)}


def rows(n: int = 2, entities: dict[str, Entities] = EVERYBODY) -> dict[str, OtherSimilarity]:
    """Return the rows by their target."""
    return {row.target: row for row in other_similarity(RUNS, by="scores", n=n, query=QUERIES, entities=entities)}


def test_targets_are_users_and_items_and_the_queries_for_neighbours() -> None:
    assert [(row.target, row.by, row.n, row.a, row.b) for row in rows().values()] == [
        (target, "scores", 2, "a", "b") for target in ("users", "user_1", "items", "item_2")
    ]


def test_overlaps_by_hand() -> None:
    users = rows()["users"]
    assert users.within_a == (1 / 2 + 1) / 2
    # user 0: {5,6}{9,4} 0 and {6,9}{9,4} 1/2; user 1: {7,8}{7,4} 1/2 and {8,7}{7,4} 1/2
    assert users.between == (0 + 1 / 2 + 1 / 2 + 1 / 2) / 4


def test_a_query_has_the_overlaps_of_its_own_lists() -> None:
    assert (rows()["user_1"].within_a, rows()["user_1"].between) == (1, 1 / 2)


def test_only_the_first_n_entries_count() -> None:
    first = rows(1)["users"]
    assert (first.within_a, first.between) == (0, 1 / 4)


def test_a_model_of_one_replicate_has_no_overlap_within_and_no_delta() -> None:
    users = rows()["users"]
    assert (users.within_b, users.delta) == (None, None)
    assert users.metrics == {
        "overlap/users_by_scores_at_2.a": 3 / 4,
        "overlap/users_by_scores_at_2.a_vs_b": 3 / 8,
    }


def test_metric_names_are_stable() -> None:
    row = OtherSimilarity("users", "scores", 5, "k50", "k500", 0.7, 0.9, 0.5)
    assert row.delta == pytest.approx(0.3)
    assert row.metrics == {
        "overlap/users_by_scores_at_5.k50": 0.7,
        "overlap/users_by_scores_at_5.k500": 0.9,
        "overlap/users_by_scores_at_5.k50_vs_k500": 0.5,
        "delta/users_by_scores_at_5.k50_vs_k500": row.delta,
    }
    of_query = OtherSimilarity("user_10", "factors", 5, "k50", "k500", None, None, 0.5)
    assert of_query.metrics == {"overlap/user_10_by_factors_at_5.k50_vs_k500": 0.5}


def test_a_query_outside_the_sample_is_described_and_enters_no_mean() -> None:
    """User 0 is drawn, as user 4 of 9; user 1, as user 6, was added."""
    users = Entities(np.array([4, 6], dtype=np.int32), np.array([True, False]), 9)
    sampled = other_similarity(
        RUNS, by="scores", n=2, query=[("user_6", "users", 6)], entities={**EVERYBODY, "users": users}
    )
    of_target = {row.target: row for row in sampled}
    assert (of_target["users"].within_a, of_target["users"].between) == (1 / 2, (0 + 1 / 2) / 2)
    assert (of_target["user_6"].within_a, of_target["user_6"].between) == (1, 1 / 2)


def test_overlaps_are_those_of_a_comparison_that_judges_the_same_lists() -> None:
    rng = np.random.default_rng(6)
    runs = {
        model: [RunLists(random_lists(rng, first), random_lists(rng, first), NO_LISTS) for _ in range(replicates)]
        for model, first, replicates in (("a", 0, 3), ("b", 2, 2), ("c", 4, 1))
    }
    query = [("user_1", "users", 1), ("item_2", "items", 2)]
    compared, _ = compare(runs, depths=(3,), query=query, candidates=np.full(2, 20))
    expected = {(row.target, row.a, row.b): row.overlap for row in compared}
    ids = {
        model: [{"users": run.users.ids, "items": run.items.ids} for run in replicates]
        for model, replicates in runs.items()
    }
    entities = {side: Entities.all(6) for side in ("users", "items")}
    described = other_similarity(ids, by="scores", n=3, query=query, entities=entities)
    assert len(described) == 4 * 3
    for row in described:
        assert row.between == pytest.approx(expected[row.target, row.a, row.b])
        for model, within in ((row.a, row.within_a), (row.b, row.within_b)):
            assert within == pytest.approx(expected[row.target, model, model])
