"""A model and the references on a split, every metric in one pass."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import REFERENCES as RESERVED
from tasks.core.config.evaluation import RandomSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits import Split, hold_out
from tasks.core.models import reference_recommenders
from tasks.core.models.factors import Factors
from tasks.core.models.reference_recommenders import RECOMMENDERS, ease, item_knn, popularity, random
from tasks.core.ranking import top_n
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.recommendations import preferences, recommend


def blocks(users: int = 60, items: int = 40) -> Split:
    """Users and items in two blocks that share nothing, some of it held out."""
    stream = np.random.default_rng(0)
    same = (np.arange(users)[:, None] + np.arange(items)[None, :]) % 2 == 0
    dense = (same & (stream.random((users, items)) < 0.6)).astype(np.float32)
    whole = Interactions(csr_array(dense), np.arange(users), np.arange(items), None)
    return hold_out(whole, RandomSplit(), seed=1)


def test_a_perfect_order_is_perfect() -> None:
    split = blocks()
    truth = split.test.toarray().astype(np.float32)
    found = evaluate(lambda start, stop: truth[start:stop].copy(), split, (1, 20)).means()
    for metric in ("auc", "precision_at_1", "ndcg_at_1", "ndcg_at_20", "recall_at_20", "map_at_20"):
        assert found[metric] == pytest.approx(1), metric


def test_what_was_trained_on_is_never_recommended() -> None:
    split = blocks()
    seen = split.train.toarray().astype(np.float32)
    truth = split.test.toarray().astype(np.float32)
    # the items trained on have the best scores: left out, nothing changes
    found = evaluate(lambda start, stop: truth[start:stop] + 2 * seen[start:stop], split, (5,)).means()
    assert found["auc"] == found["ndcg_at_5"] == pytest.approx(1)


def test_factors_are_evaluated_as_they_recommend() -> None:
    split = blocks()
    stream = np.random.default_rng(2)
    factors = Factors(*(stream.standard_normal((rows, 4), dtype=np.float32) for rows in split.train.shape))
    found = evaluate(preferences(factors), split, (3,))
    lists = recommend(factors, split.train, n=3).ids
    hits = [bool(split.test[[user], lists[user, :1]][0]) for user in found.users]
    assert found.per_user["precision_at_3"].shape == found.users.shape
    assert found.per_user["mrr_at_3"][np.array(hits)].tolist() == [1.0] * sum(hits)


def test_the_order_of_blocks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    split = blocks()
    factors = Factors(
        *(np.random.default_rng(3).standard_normal((rows, 4), dtype=np.float32) for rows in split.train.shape)
    )
    whole = evaluate(preferences(factors), split, (3, 5))
    monkeypatch.setattr(top_n, "BLOCK_BYTES", 4 * 40 * 7)  # seven users at a time
    parts = evaluate(preferences(factors), split, (3, 5))
    assert parts.means() == pytest.approx(whole.means())


def test_users_that_get_no_list_count_as_misses_and_have_no_novelty() -> None:
    split = Split(csr_array(np.array([[1, 0], [0, 0]])), csr_array(np.array([[0, 1], [1, 0]])))
    factors = Factors(np.array([[1.0], [0.0]], dtype=np.float32), np.array([[1.0], [1.0]], dtype=np.float32))
    found = evaluate(preferences(factors), split, (1,))
    assert found.per_user["recall_at_1"].tolist() == [1, 0]
    assert np.isnan(found.per_user["novelty_at_1"][1])
    assert np.isfinite(list(found.means().values())).all()


def test_memory_does_not_grow_with_users_times_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_n, "BLOCK_BYTES", 4 << 20)

    def peak(users: int, items: int = 2_000) -> int:
        stream = np.random.default_rng(0)
        pairs = np.repeat(np.arange(users), 6), stream.integers(0, items, 6 * users)
        whole = csr_array((np.ones(6 * users, np.float32), pairs), (users, items))
        whole.sum_duplicates()
        split = hold_out(Interactions(whole, np.arange(users), np.arange(items), None), RandomSplit(), seed=1)
        factors = Factors(*(stream.standard_normal((n, 8), dtype=np.float32) for n in (users, items)))
        tracemalloc.start()
        evaluate(preferences(factors), split, (10,))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few, many = peak(2_000), peak(6_000)
    assert many - few < 0.1 * 4 * 4_000 * 2_000


class TestReferences:
    def test_their_names_are_no_model_s(self) -> None:
        assert tuple(RECOMMENDERS) == RESERVED

    @pytest.mark.parametrize("name", ["popularity", "item-knn", "ease", "random"])
    def test_each_gives_rows_of_scores(self, name: str) -> None:
        split = blocks()
        scores = RECOMMENDERS[name](split.train, 1)
        assert scores(3, 10).shape == (7, 40)
        assert scores(3, 10).dtype == np.float32

    def test_those_that_learn_find_the_blocks_and_popularity_does_not(self) -> None:
        split = blocks()
        found = {
            name: evaluate(make(split.train, 1), split, (5,)).means()["auc"] for name, make in RECOMMENDERS.items()
        }
        assert min(found["item-knn"], found["ease"]) > 0.7
        assert max(found["popularity"], found["random"]) < 0.7
        assert abs(found["random"] - 0.5) < 0.1

    def test_popularity_is_the_number_of_users(self) -> None:
        train = csr_array(np.array([[5, 1, 0], [4, 0, 0]], dtype=np.float32))
        assert popularity(train, 0)(0, 2).tolist() == [[2, 1, -np.inf]] * 2

    def test_ease_is_ridge_regression_of_each_item_on_the_others(self) -> None:
        """Steck 2019: minimises |X - XB|² + penalty |B|² over B of zero diagonal, that is column by column."""
        owned = (np.random.default_rng(0).random((80, 9)) < 0.4).astype(np.float64)
        scores = ease(csr_array(owned.astype(np.float32) * 3), 0)(0, 80)
        for item in range(9):
            others = np.delete(owned, item, axis=1)
            gram = others.T @ others + reference_recommenders.PENALTY * np.eye(8)
            weights = np.linalg.solve(gram, others.T @ owned[:, item])
            has = owned.any(axis=1)
            np.testing.assert_allclose(scores[has, item], (others @ weights)[has], atol=1e-5)

    def test_item_knn_is_the_sum_of_cosines(self) -> None:
        train = csr_array(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=np.float32))
        dense = train.toarray()
        cosines = (dense.T @ dense) / np.outer(*[np.linalg.norm(dense, axis=0)] * 2)
        np.testing.assert_allclose(item_knn(train, 0)(0, 1)[0, 2], cosines[0, 2] + cosines[1, 2], rtol=1e-6)

    def test_who_has_nothing_gets_nothing_and_what_nobody_has_is_on_no_list(self) -> None:
        train = csr_array(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32))
        for make in (item_knn, ease):
            assert np.isneginf(make(train, 0)(2, 3)).all()
        for make in RECOMMENDERS.values():
            assert np.isneginf(make(train, 0)(0, 1)[0, 2])

    def test_random_follows_its_seed(self) -> None:
        train = blocks().train
        assert (random(train, 1)(0, 5) == random(train, 1)(0, 5)).all()
        assert (random(train, 1)(0, 5) != random(train, 2)(0, 5)).any()
