"""Coverage, novelty and diversity, by hand and by their definitions."""

import tracemalloc
from itertools import combinations
from math import log2

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.ranking import beyond_accuracy
from tasks.core.ranking.beyond_accuracy import of_all_lists, of_each_list
from tasks.core.types import Counts, Ids, Values

# items 0 and 1 are on both lists, 2 and 3 on one each, 4 on none
LISTS = np.array([[0, 1, 2], [1, 0, 3]], dtype=np.int32)


def of_counts(counts: Counts) -> dict[str, float]:
    """Metrics of lists of one item each that list every item as often as given."""
    items = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return of_all_lists(items[:, None], len(counts))


def intra_list_similarity(lists: Ids, train: csr_array, cutoff: int) -> Values:
    return of_each_list(lists, train, (cutoff,))[f"intra_list_similarity_at_{cutoff}"]


def test_metrics_of_all_lists_by_hand() -> None:
    metrics = of_all_lists(LISTS, 5)
    assert metrics["coverage"] == 4 / 5
    assert metrics["entropy"] == pytest.approx(-2 * (2 / 6) * log2(2 / 6) - 2 * (1 / 6) * log2(1 / 6))
    # ascending 0 1 1 2 2 with weights -4 -2 0 2 4
    assert metrics["gini"] == pytest.approx((-2 + 0 + 4 + 8) / (5 * 6))


class TestExtremes:
    def test_all_items_equally_often(self) -> None:
        assert of_counts(np.full(8, 3)) == {"coverage": 1, "gini": 0, "entropy": 3}

    def test_one_item_alone(self) -> None:
        assert of_counts(np.array([0, 0, 0, 7])) == {"coverage": 1 / 4, "gini": 3 / 4, "entropy": 0}

    def test_no_item(self) -> None:
        assert of_counts(np.zeros(3, dtype=np.int64)) == {"coverage": 0, "gini": 0, "entropy": 0}


def test_gini_is_half_the_relative_mean_difference() -> None:
    counts = np.random.default_rng(0).integers(0, 50, 200)
    differences = np.abs(counts[:, None] - counts[None, :]).mean()
    assert of_counts(counts)["gini"] == pytest.approx(differences / (2 * counts.mean()))


def test_entropy_is_scipy_s() -> None:
    from scipy import stats

    counts = np.random.default_rng(0).integers(0, 50, 200)
    assert of_counts(counts)["entropy"] == pytest.approx(stats.entropy(counts, base=2))


def test_novelty_and_popularity_by_hand() -> None:
    popularity = np.array([8, 4, 2, 1, 0])
    train = csr_array((np.arange(8)[:, None] < popularity).astype(np.float32))
    lists = np.array([[0, 1, 2], [3, -1, -1], [-1, -1, -1]], dtype=np.int32)
    metrics = of_each_list(lists, train, (3,))
    assert metrics["novelty_at_3"][:2].tolist() == [(0 + 1 + 2) / 3, 3]
    assert metrics["arp_at_3"][:2].tolist() == [14 / 3, 1]
    assert np.isnan(metrics["novelty_at_3"][2])
    assert np.isnan(metrics["arp_at_3"][2])


class TestIntraListSimilarity:
    def test_by_hand(self) -> None:
        # items 0 and 1 each share one of two users with item 2, and none with each other; item 3 equals item 2
        train = csr_array(np.array([[1, 0, 1, 1], [0, 1, 1, 1]], dtype=np.float32))
        lists = np.array([[0, 1, -1], [0, 1, 2], [2, 3, -1], [2, -1, -1]], dtype=np.int32)
        similarity = intra_list_similarity(lists, train, 3)
        assert similarity[:3] == pytest.approx([0, (0 + 2 / np.sqrt(2)) / 3, 1])
        assert np.isnan(similarity[3])

    def test_the_values_of_interactions_do_not_matter(self) -> None:
        train = csr_array(np.array([[1, 5], [3, 2]], dtype=np.float32))
        assert intra_list_similarity(np.array([[0, 1]], dtype=np.int32), train, 2) == pytest.approx([1])

    @pytest.mark.parametrize("at_once", [10, 4096])
    def test_it_is_the_mean_over_pairs_at_each_cutoff(self, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
        monkeypatch.setattr(beyond_accuracy, "MAX_DISTINCT_ITEMS", at_once)
        monkeypatch.setattr(beyond_accuracy, "ITEMS_AT_ONCE", at_once)
        rng = np.random.default_rng(1)
        dense = (rng.random((30, 40)) < 0.3).astype(np.float32)
        lists = np.argsort(rng.random((25, 40)), axis=1)[:, :6].astype(np.int32)
        lists[3, 4:] = -1
        norms = np.linalg.norm(dense, axis=0)
        cutoffs = (2, 4, 6)
        metrics = of_each_list(lists, csr_array(dense), cutoffs)
        for cutoff in cutoffs:
            similarity = metrics[f"intra_list_similarity_at_{cutoff}"]
            for row, entries in enumerate(lists[:, :cutoff]):
                pairs = list(combinations([item for item in entries if item >= 0], 2))
                cosines = [dense[:, a] @ dense[:, b] / max(norms[a] * norms[b], 1) for a, b in pairs]
                assert similarity[row] == pytest.approx(np.mean(cosines), abs=1e-6)

    def test_memory_is_bounded_for_long_lists_and_the_values_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(1)
        train = csr_array((rng.random((30, 400)) < 0.3).astype(np.float32))
        lists = np.argsort(rng.random((100, 400)), axis=1)[:, :300].astype(np.int32)
        lists[7, 120:] = -1
        at_once = intra_list_similarity(lists, train, 300)  # 100 · 300² cosines: 36 MB
        monkeypatch.setattr(beyond_accuracy, "BLOCK_BYTES", 1 << 20)
        tracemalloc.start()
        in_blocks = intra_list_similarity(lists, train, 300)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        np.testing.assert_array_equal(in_blocks, at_once)
        assert peak < 10e6

    def test_for_many_distinct_items_it_is_computed_for_a_sample(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(beyond_accuracy, "MAX_DISTINCT_ITEMS", 10)
        monkeypatch.setattr(beyond_accuracy, "SAMPLED_LISTS", 5)
        lists = np.argsort(np.random.default_rng(1).random((25, 40)), axis=1)[:, :6].astype(np.int32)
        similarity = intra_list_similarity(lists, csr_array(np.ones((3, 40), dtype=np.float32)), 6)
        assert np.flatnonzero(np.isfinite(similarity)).tolist() == [0, 6, 12, 18, 24]


def test_metrics_of_each_list_have_a_value_for_each_list() -> None:
    metrics = of_each_list(LISTS, csr_array(np.eye(5, dtype=np.float32)), (2, 3))
    assert {name: values.shape for name, values in metrics.items()} == dict.fromkeys(metrics, (2,))
    assert set(metrics) == {f"{m}_at_{k}" for m in ("novelty", "arp", "intra_list_similarity") for k in (2, 3)}
    assert metrics["novelty_at_3"] == pytest.approx([log2(5), log2(5)])
