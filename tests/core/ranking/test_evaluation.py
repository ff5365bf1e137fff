"""Evaluation of scores on a split."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import RandomSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import hold_out
from tasks.core.models.factors import Factors
from tasks.core.ranking import top_n
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.recommendations import preferences, recommend
from tests.core.models.examples import two_blocks


def random_factors(users: int, items: int, k: int = 4, seed: int = 2) -> Factors:
    rng = np.random.default_rng(seed)
    return Factors(*(rng.standard_normal((rows, k), dtype=np.float32) for rows in (users, items)))


def test_the_perfect_order_gives_1() -> None:
    split = two_blocks()
    truth = split.test.toarray().astype(np.float32)
    means = evaluate(lambda start, stop: truth[start:stop].copy(), split, (1, 20)).means()
    for metric in ("auc", "precision_at_1", "ndcg_at_1", "ndcg_at_20", "recall_at_20", "map_at_20"):
        assert means[metric] == pytest.approx(1), metric


def test_items_of_the_train_part_are_never_recommended() -> None:
    split = two_blocks()
    train, truth = (part.toarray().astype(np.float32) for part in (split.train, split.test))
    # the items of the train part have the highest scores, and are left out
    means = evaluate(lambda start, stop: truth[start:stop] + 2 * train[start:stop], split, (5,)).means()
    assert means["auc"] == means["ndcg_at_5"] == pytest.approx(1)


def test_the_lists_of_an_evaluation_are_those_of_recommend() -> None:
    split = two_blocks()
    factors = random_factors(*split.train.shape)
    evaluation = evaluate(preferences(factors), split, (3,))
    lists = recommend(factors, split.train, n=3).ids
    first_hits = [bool(split.test[[user], lists[user, :1]][0]) for user in evaluation.users]
    assert evaluation.per_user["precision_at_3"].shape == evaluation.users.shape
    assert evaluation.per_user["mrr_at_3"][np.array(first_hits)].tolist() == [1.0] * sum(first_hits)


def test_blocks_do_not_change_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    split = two_blocks()
    factors = random_factors(*split.train.shape, seed=3)
    in_one_block = evaluate(preferences(factors), split, (3, 5))
    monkeypatch.setattr(top_n, "BLOCK_BYTES", 4 * 40 * 7)  # blocks of seven users
    in_blocks = evaluate(preferences(factors), split, (3, 5))
    assert in_blocks.means() == pytest.approx(in_one_block.means())


def test_users_without_a_list_count_as_misses_and_have_no_novelty() -> None:
    split = Split(csr_array(np.array([[1, 0], [0, 0]])), csr_array(np.array([[0, 1], [1, 0]])))
    factors = Factors(np.array([[1.0], [0.0]], dtype=np.float32), np.array([[1.0], [1.0]], dtype=np.float32))
    evaluation = evaluate(preferences(factors), split, (1,))
    assert evaluation.per_user["recall_at_1"].tolist() == [1, 0]
    assert np.isnan(evaluation.per_user["novelty_at_1"][1])
    assert np.isfinite(list(evaluation.means().values())).all()


def test_memory_does_not_grow_with_users_times_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_n, "BLOCK_BYTES", 4 << 20)

    def peak_bytes(users: int, items: int = 2_000) -> int:
        rng = np.random.default_rng(0)
        pairs = np.repeat(np.arange(users), 6), rng.integers(0, items, 6 * users)
        matrix = csr_array((np.ones(6 * users, np.float32), pairs), (users, items))
        matrix.sum_duplicates()
        split = hold_out(Interactions(matrix, np.arange(users), np.arange(items), None), RandomSplit(), seed=1)
        factors = random_factors(users, items, k=8)
        tracemalloc.start()
        evaluate(preferences(factors), split, (10,))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    few, many = peak_bytes(2_000), peak_bytes(6_000)
    assert many - few < 0.1 * 4 * 4_000 * 2_000
