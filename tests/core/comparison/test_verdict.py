"""Tests of the answer: endpoints, family, order, identities."""

import numpy as np
import pytest

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.endpoints import endpoints, family_size
from tasks.core.comparison.verdict import RULE, Verdict, answer, noise_ceiling
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.inference.permutation import smallest_p
from tasks.core.ranking.lists import Lists


def config_of(models: list[str], **changes: object) -> ExperimentConfig:
    content = {
        "name": "test",
        "dataset": {"name": "synthetic-100k"},
        "models": {model: {"factors": 2, "iterations": 2} for model in models},
        "replicates": 5,
        "queries": {"users": [1], "items": [2], "recommend_for": [0], "n": 3, "recommend_n": 2},
        **changes,
    }
    return ExperimentConfig.model_validate(content)


def lists_of(rng: np.random.Generator, first: int, entities: int = 6, n: int = 4) -> Lists:
    """Each entity lists n of six candidates that start at `first`."""
    ids = np.array([first + rng.permutation(6)[:n] for _ in range(entities)], dtype=np.int32)
    return Lists(ids, np.ones_like(ids, dtype=np.float32))


def runs_of(rng: np.random.Generator, first: int, replicates: int) -> list[RunLists]:
    return [RunLists(*(lists_of(rng, first) for _ in range(3))) for _ in range(replicates)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_endpoints_are_query_users_users_items_recommendations_then_what_is_described():
    found = [(each.target, each.n, each.family, each.margin) for each in endpoints(config_of(["a", "b"]))]
    assert found == [
        ("user_1", 3, True, 0.2),
        ("users", 3, True, 0.1),
        ("items", 3, True, 0.1),
        ("recommendations", 2, True, 0.1),
        ("item_2", 3, False, 0.2),
        ("recommend_for_0", 2, False, 0.2),
    ]
    assert [each.subject for each in endpoints(config_of(["a", "b"]))] == [
        "the 3 users nearest to user 1",
        "every user's 3 nearest users",
        "every item's 3 nearest items",
        "every user's 2 recommendations",
        "the 3 items nearest to item 2",
        "the 2 recommendations for user 0",
    ]


def test_margins_come_from_the_config():
    config = config_of(["a", "b"], comparison={"margin": 0.05, "margin_query": 0.4})
    assert [each.margin for each in endpoints(config)] == [0.4, 0.05, 0.05, 0.05, 0.4, 0.4]


def test_models_that_list_others_are_found_different(rng):
    runs = {"a": runs_of(rng, 0, 5), "b": runs_of(rng, 10, 5)}
    found, matrices = answer(runs, config_of(["a", "b"]))
    primary = found[0]
    assert (primary.target, primary.n, primary.a, primary.b) == ("user_1", 3, "a", "b")
    assert primary.between == 0
    assert primary.p == 1 / 126  # 10 over 5, halved
    assert primary.p_holm == pytest.approx(4 / 126)
    assert primary.verdict == "different-meaningfully"
    assert [each.p_holm is None for each in found] == [False] * 4 + [True] * 2
    assert "described, not tested" in found[-1].sentence
    assert noise_ceiling(primary) == pytest.approx((primary.within_a * primary.within_b) ** 0.5)
    matrix = np.array(matrices[0].overlap)
    assert matrices[0].runs == [f"{model} #{number}" for model in "ab" for number in range(5)]
    assert (np.diag(matrix) == 1).all()
    assert matrix[:5, 5:].max() == 0
    assert matrix[:5, :5][np.triu_indices(5, 1)].mean() == pytest.approx(primary.within_a)


def test_one_model_twice_is_not_found_different(rng):
    runs = runs_of(rng, 0, 10)
    found, _ = answer({"a": runs[:5], "b": runs[5:]}, config_of(["a", "b"]))
    assert {each.verdict for each in found[:4]} <= {"inconclusive", "practically-same"}


def test_the_baselines_pairs_decide_and_the_others_are_described(rng):
    models = ["a", "b", "c"]
    runs = {model: runs_of(rng, 10 * place, 4) for place, model in enumerate(models)}
    config = config_of(models, comparison={"baseline": "b"})
    found, _ = answer(runs, config)
    pairs = list(dict.fromkeys((each.a, each.b) for each in found))
    assert pairs == [("b", "a"), ("b", "c"), ("a", "c")]
    assert family_size(config) == 8
    assert sum(each.p_holm is not None for each in found) == 8
    assert all(each.p_holm is None for each in found if "b" not in (each.a, each.b))
    least = min(each.p_holm for each in found if each.p_holm is not None)
    assert least == pytest.approx(smallest_p(4, 4, endpoints=8))


def test_single_runs_have_no_answer(rng):
    found, matrices = answer({"a": runs_of(rng, 0, 1), "b": runs_of(rng, 0, 1)}, config_of(["a", "b"], replicates=1))
    assert found == []
    assert len(matrices) == 6


def test_a_query_is_the_row_of_its_own_entity(rng):
    """User 1 alone differs: the primary endpoint sees it whole, all users see a sixth of it."""
    same = lists_of(rng, 0)
    other = Lists(same.ids.copy(), same.scores)
    other.ids[1] += 100
    runs = {"a": [RunLists(same, same, same)] * 3, "b": [RunLists(other, same, same)] * 3}
    found, _ = answer(runs, config_of(["a", "b"]))
    of = {each.target: each for each in found}
    assert of["user_1"].delta == 1
    assert of["users"].delta == pytest.approx(1 / 6)
    assert of["items"].delta == of["item_2"].delta == 0
    assert of["user_1"].note == "no seed variation seen"


def test_every_verdict_has_its_rule():
    assert set(RULE) == set(Verdict)


def test_metric_names_are_the_contracts(rng):
    found, _ = answer({"a": runs_of(rng, 0, 2), "b": runs_of(rng, 0, 2)}, config_of(["a", "b"]))
    assert [each.metric for each in found[:2]] == ["user_1_at_3.a_vs_b", "users_at_3.a_vs_b"]
