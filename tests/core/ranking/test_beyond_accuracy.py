"""Metrics beside accuracy, by hand and by their definitions."""

from itertools import combinations
from math import log2

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.ranking import beyond_accuracy
from tasks.core.ranking.beyond_accuracy import (
    coverage,
    entropy,
    gini,
    intra_list_similarity,
    novelty,
    recommendation_popularity,
)

# items 0 and 1 are on both lists, 2 and 3 on one each, 4 on none
LISTS = np.array([[0, 1, 2], [1, 0, 3]], dtype=np.int32)
SHOWN = np.array([2, 2, 1, 1, 0])


def test_of_all_lists_by_hand() -> None:
    found = beyond_accuracy.of_all_lists(LISTS, 5)
    assert found["coverage"] == 4 / 5
    assert found["entropy"] == pytest.approx(-2 * (2 / 6) * log2(2 / 6) - 2 * (1 / 6) * log2(1 / 6))
    # ascending 0 1 1 2 2 with weights -4 -2 0 2 4
    assert found["gini"] == pytest.approx((-2 + 0 + 4 + 8) / (5 * 6))


class TestExtremes:
    def test_equally_shown(self) -> None:
        shown = np.full(8, 3)
        assert (coverage(shown), gini(shown), entropy(shown)) == (1, 0, 3)

    def test_one_alone(self) -> None:
        shown = np.array([0, 0, 0, 7])
        assert (coverage(shown), gini(shown), entropy(shown)) == (1 / 4, 3 / 4, 0)

    def test_nothing_at_all(self) -> None:
        shown = np.zeros(3, dtype=np.int64)
        assert (coverage(shown), gini(shown), entropy(shown)) == (0, 0, 0)


def test_gini_is_half_the_relative_mean_difference() -> None:
    shown = np.random.default_rng(0).integers(0, 50, 200)
    differences = np.abs(shown[:, None] - shown[None, :]).mean()
    assert gini(shown) == pytest.approx(differences / (2 * shown.mean()))


def test_entropy_is_scipy_s() -> None:
    from scipy import stats

    shown = np.random.default_rng(0).integers(0, 50, 200)
    assert entropy(shown) == pytest.approx(stats.entropy(shown, base=2))


def test_novelty_and_popularity_by_hand() -> None:
    popularity = np.array([8, 4, 2, 1, 0])
    lists = np.array([[0, 1, 2], [3, -1, -1], [-1, -1, -1]], dtype=np.int32)
    assert novelty(lists, popularity, 8)[:2].tolist() == [(0 + 1 + 2) / 3, 3]
    assert recommendation_popularity(lists, popularity)[:2].tolist() == [14 / 3, 1]
    assert np.isnan(novelty(lists, popularity, 8)[2])
    assert np.isnan(recommendation_popularity(lists, popularity)[2])


class TestIntraListSimilarity:
    def test_by_hand(self) -> None:
        # items 0 and 1 have one of two owners each in common with 2, none with one another; 3 is as 2
        owned = csr_array(np.array([[1, 0, 1, 1], [0, 1, 1, 1]], dtype=np.float32))
        lists = np.array([[0, 1, -1], [0, 1, 2], [2, 3, -1], [2, -1, -1]], dtype=np.int32)
        found = intra_list_similarity(lists, owned, (3,))[0]
        assert found[:3] == pytest.approx([0, (0 + 2 / np.sqrt(2)) / 3, 1])
        assert np.isnan(found[3])

    def test_the_values_of_interactions_do_not_count(self) -> None:
        owned = csr_array(np.array([[1, 5], [3, 2]], dtype=np.float32))
        assert intra_list_similarity(np.array([[0, 1]], dtype=np.int32), owned, (2,))[0] == pytest.approx([1])

    @pytest.mark.parametrize("most", [10, 4096])
    def test_it_is_the_mean_over_pairs_at_each_cutoff(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        monkeypatch.setattr(beyond_accuracy, "MOST_DISTINCT", most)
        monkeypatch.setattr(beyond_accuracy, "TOGETHER", most)
        stream = np.random.default_rng(1)
        dense = (stream.random((30, 40)) < 0.3).astype(np.float32)
        lists = np.argsort(stream.random((25, 40)), axis=1)[:, :6].astype(np.int32)
        lists[3, 4:] = -1
        norms = np.linalg.norm(dense, axis=0)
        cutoffs = (2, 4, 6)
        for cutoff, found in zip(cutoffs, intra_list_similarity(lists, csr_array(dense), cutoffs), strict=True):
            for row, entries in enumerate(lists[:, :cutoff]):
                pairs = list(combinations([item for item in entries if item >= 0], 2))
                cosines = [dense[:, a] @ dense[:, b] / max(norms[a] * norms[b], 1) for a, b in pairs]
                assert found[row] == pytest.approx(np.mean(cosines), abs=1e-6)

    def test_of_very_many_items_it_is_of_some_lists(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(beyond_accuracy, "MOST_DISTINCT", 10)
        monkeypatch.setattr(beyond_accuracy, "MOST_LISTS", 5)
        lists = np.argsort(np.random.default_rng(1).random((25, 40)), axis=1)[:, :6].astype(np.int32)
        (found,) = intra_list_similarity(lists, csr_array(np.ones((3, 40), dtype=np.float32)), (6,))
        assert np.flatnonzero(np.isfinite(found)).tolist() == [0, 6, 12, 18, 24]


def test_per_list_metrics_have_a_value_a_list() -> None:
    owned = csr_array(np.eye(5, dtype=np.float32))
    found = beyond_accuracy.of_each_list(LISTS, owned, (2, 3))
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(found, (2,))
    assert set(found) == {f"{m}_at_{k}" for m in ("novelty", "arp", "intra_list_similarity") for k in (2, 3)}
    assert found["novelty_at_3"] == pytest.approx([log2(5), log2(5)])
