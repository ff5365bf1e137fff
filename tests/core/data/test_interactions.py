"""The matrix of interactions: its digest, its file and its summary."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data import interactions
from tasks.core.data.interactions import Interactions, count_occurrences, summarize
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.ratings import read_ratings
from tests.core.data.helpers import ROWS, build_rows, ratings_of


class TestDigest:
    def test_a_saved_file_loads_with_the_same_digest(self, tmp_path: Path) -> None:
        saved = build(ratings_of(ROWS, {10: "Ten"}), PreprocessConfig())
        saved.save(tmp_path / "interactions.npz")
        loaded = Interactions.load(tmp_path / "interactions.npz")
        assert loaded.digest() == saved.digest()
        assert (loaded.matrix != saved.matrix).nnz == 0
        assert loaded.item_titles is not None
        assert loaded.item_titles.tolist() == ["", "Ten"]

    def test_it_depends_on_values_filters_titles_order_and_ids(self) -> None:
        ratings = ratings_of(ROWS)
        variants = [
            build(ratings, PreprocessConfig()),
            build(ratings, PreprocessConfig(confidence="binary")),
            build(ratings, PreprocessConfig(min_rating=None)),
            build(ratings_of(ROWS, {10: "Ten"}), PreprocessConfig()),
            build(ratings_of(ROWS[::-1]), PreprocessConfig()),
            build_rows([(user, str(item), *rest) for user, item, *rest in ROWS]),
            build_rows([(user.replace("a", "z"), *rest) for user, *rest in ROWS]),
        ]
        assert len({variant.digest() for variant in variants}) == len(variants)

    def test_it_does_not_depend_on_timestamps_which_are_saved(self, tmp_path: Path) -> None:
        saved = build_rows(ROWS)
        saved.save(tmp_path / "interactions.npz")
        times = Interactions.load(tmp_path / "interactions.npz").times
        assert times is not None
        assert saved.times is not None
        assert times.tolist() == saved.times.tolist()
        assert build_rows([row[:3] for row in ROWS]).digest() == saved.digest()


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_occurrences_are_counted_over_all_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(interactions, "BLOCK_INTERACTIONS", block)
    indexes = np.random.default_rng(0).integers(0, 9, 50, dtype=np.int32)
    assert count_occurrences(indexes, 12).tolist() == [indexes.tolist().count(index) for index in range(12)]


def test_a_summary_has_the_figures_computed_by_hand() -> None:
    summary = summarize(csr_array(np.array([[1, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 5]])))
    assert (summary.users, summary.items, summary.interactions) == (3, 4, 6)
    assert (summary.mean_per_user, summary.max_per_user, summary.min_per_user) == (2, 3, 1)
    assert (summary.mean_per_item, summary.max_per_item, summary.min_per_item) == (1.5, 3, 0)


@pytest.mark.genuine
def test_the_genuine_movielens_100k_has_the_notebooks_figures(genuine: Path) -> None:
    config = DatasetConfig(name="movielens-100k", path=str(genuine))
    summary = summarize(build(read_ratings(config, locate(config)), PreprocessConfig(min_rating=4)).matrix)
    assert (summary.users, summary.items, summary.interactions) == (942, 1447, 55_375)
    assert round(summary.mean_per_user, 6) == 58.784501
    assert round(summary.mean_per_item, 6) == 38.268832
    assert (summary.max_per_user, summary.max_per_item) == (378, 501)
    assert (summary.min_per_user, summary.min_per_item) == (3, 1)
