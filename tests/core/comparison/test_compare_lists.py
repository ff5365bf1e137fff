"""Everything that the lists of an experiment say about its models."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.compare_lists import ListComparison, compare_lists
from tasks.core.comparison.overlap import Pair
from tasks.core.config.base import LIST_LENGTH
from tasks.core.data.interactions import Interactions
from tasks.core.inference.multiplicity import Levels
from tasks.core.inference.permutation import replicates_needed, smallest_p
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.neighbours import nearest_by_interactions
from tests.core.comparison.examples import SAMPLE, config_of, of_sample, random_runs

INTERACTIONS = Interactions(
    csr_array((np.random.default_rng(1).random((20, 20)) < 0.5).astype(np.float32)),
    np.arange(100, 120),
    np.arange(200, 220),
    None,
)


def compared(
    lists: dict[str, list[RunLists]],
    levels: Levels = Levels(),
    entities: dict[str, Entities] | None = None,
    **changes: Any,
) -> ListComparison:
    config = config_of(list(lists), **changes)
    return compare_lists(
        lists,
        INTERACTIONS,
        models={name: settings.model_dump() for name, settings in config.models.items()},
        baseline=config.baseline,
        queries=config.queries,
        comparison=config.comparison,
        seed=config.seed,
        levels=levels,
        entities=entities,
        similarity=config.neighbours.similarity,
    )


@pytest.fixture(scope="module")
def three_models() -> dict[str, list[RunLists]]:
    """Models of 4, 3 and 5 runs, for 20 users and 20 items."""
    rng = np.random.default_rng(3)
    runs = {"a": 4, "b": 3, "c": 5}
    return {model: random_runs(rng, 3 * i, count, entities=20) for i, (model, count) in enumerate(runs.items())}


@pytest.fixture(scope="module")
def comparison(three_models: dict[str, list[RunLists]]) -> ListComparison:
    return compared(three_models, comparison={"baseline": "b", "depths": [2, 3]})


def test_the_first_answer_is_that_of_the_primary_endpoint(comparison: ListComparison) -> None:
    primary = comparison.answers[0]
    assert (primary.target, primary.a, primary.b, primary.verdict is None) == ("user_1", "b", "a", False)
    assert [matrix.target for matrix in comparison.matrices] == [
        "user_1",
        "users",
        "items",
        "recommendations",
        "item_2",
        "recommend_for_0",
    ]


def test_the_smallest_p_is_that_of_the_pair_with_most_runs(comparison: ListComparison) -> None:
    """Four endpoints and two models besides the baseline are eight tests; the other models have 4 and 5 runs."""
    assert comparison.smallest_p == smallest_p(3, 5, endpoints=8)
    assert comparison.replicates_needed == replicates_needed(8) == 6


def test_a_difference_is_significant_up_to_its_level() -> None:
    """With 5 runs of each of two models without a common entry, p is 4/126 on every endpoint."""
    rng = np.random.default_rng(4)
    lists = {"a": random_runs(rng, 0, 5, entities=20), "b": random_runs(rng, 10, 5, entities=20)}
    at_level, below = (compared(lists, Levels(difference=level)).answers[0] for level in (4 / 126, 4 / 126 - 1e-6))
    assert at_level.p_holm == below.p_holm == pytest.approx(4 / 126)
    assert str(at_level.verdict).startswith("different-")
    assert not str(below.verdict).startswith("different-")
    assert compared(lists, Levels(difference=0.001)).replicates_needed == replicates_needed(4, level=0.001) > 5


def test_the_baseline_has_references_and_a_distribution_over_users_with_each_model(comparison: ListComparison) -> None:
    assert [(row.target, row.a, row.b, sorted(row.raw)) for row in comparison.references] == [
        (target, "b", other, sorted(("b", other)) if target != "recommendations" else [])
        for other in "ac"
        for target in ("users", "items", "recommendations")
    ]
    assert [(row.a, row.b, row.n, list(row.queries)) for row in comparison.per_user] == [
        ("b", other, 3, ["user_1"]) for other in "ac"
    ]


def test_rows_have_the_depths_of_the_config_and_curves_all_depths(comparison: ListComparison) -> None:
    assert {row.depth for row in comparison.rows} == {2, 3}
    assert {len(curve.overlap) for curve in comparison.curves} == {LIST_LENGTH}
    within_a = [row for row in comparison.rows if (row.target, row.a, row.b, row.depth) == ("users", "a", "a", 3)]
    answer = next(row for row in comparison.answers if (row.target, row.b) == ("users", "a"))
    assert within_a[0].overlap == pytest.approx(answer.within_b)


def test_queries_have_their_lengths_and_names(comparison: ListComparison) -> None:
    assert [(query.name, query.n, query.raw_id) for query in comparison.queries] == [
        ("user_1", 3, 101),
        ("item_2", 3, 202),
        ("recommend_for_0", 2, 100),
    ]
    assert list(comparison.queries[0].models) == ["a", "b", "c"]
    assert comparison.factorial is None


def test_single_runs_are_described_only(three_models: dict[str, list[RunLists]]) -> None:
    comparison = compared({model: runs[:1] for model, runs in three_models.items()}, replicates=1)
    assert comparison.answers == comparison.references == comparison.per_user == []
    assert len(comparison.matrices) == 6
    assert len(comparison.queries) == 3


def test_one_model_is_compared_with_itself(three_models: dict[str, list[RunLists]]) -> None:
    comparison = compared({"a": three_models["a"]})
    assert {(row.a, row.b) for row in comparison.rows} == {("a", "a")}
    assert comparison.smallest_p == smallest_p(4, 4, endpoints=4)


def test_a_sample_is_compared_by_its_own_lists_and_queries_keep_theirs(
    three_models: dict[str, list[RunLists]], comparison: ListComparison
) -> None:
    runs = {model: [of_sample(run) for run in replicates] for model, replicates in three_models.items()}
    sampled = compared(runs, entities=SAMPLE, comparison={"baseline": "b", "depths": [2, 3]})
    queries = [query.name for query in comparison.queries]
    assert sampled.queries == comparison.queries
    assert [row for row in sampled.rows if row.target in queries] == [
        row for row in comparison.rows if row.target in queries
    ]
    assert [row.queries for row in sampled.per_user] == [row.queries for row in comparison.per_user]
    assert {row.users for row in sampled.per_user} == {5}  # three that were drawn and two queries
    drawn = [4, 9, 13]
    raw = nearest_by_interactions(INTERACTIONS.matrix, n=3).ids[drawn]
    overlap = np.mean([Pair.of(run.users.ids[drawn, :3], raw).at(3).overlap for run in three_models["a"]])
    of_users = next(row for row in sampled.references if row.target == "users")
    assert of_users.raw["a"] == pytest.approx(overlap)
    candidates = 20 - np.diff(INTERACTIONS.matrix.indptr)[drawn]
    chances = {row.chance for row in sampled.rows if (row.target, row.depth) == ("recommendations", 2)}
    assert list(chances) == [pytest.approx(np.mean(2 / candidates))]


@pytest.mark.parametrize("similarity", ["factors", "scores"])
def test_sentences_name_the_similarity_of_the_neighbours_unless_it_is_that_of_factors(similarity: str) -> None:
    rng = np.random.default_rng(4)
    lists = {model: random_runs(rng, first, 4, entities=20) for model, first in (("a", 0), ("b", 10))}
    answers = {row.target: row.sentence for row in compared(lists, neighbours={"similarity": similarity}).answers}
    by_scores = {target for target, sentence in answers.items() if "by predicted scores" in sentence}
    assert by_scores == ({"user_1", "users", "items", "item_2"} if similarity == "scores" else set())
