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
    def test_what_is_saved_comes_back(self, tmp_path: Path) -> None:
        found = build(ratings_of(ROWS, {10: "Ten"}), PreprocessConfig())
        found.save(tmp_path / "interactions.npz")
        loaded = Interactions.load(tmp_path / "interactions.npz")
        assert loaded.digest() == found.digest()
        assert (loaded.matrix != found.matrix).nnz == 0
        assert loaded.item_titles is not None
        assert loaded.item_titles.tolist() == ["", "Ten"]

    def test_it_changes_with_everything_that_is_held(self) -> None:
        base = ratings_of(ROWS)
        variants = [
            build(base, PreprocessConfig()),
            build(base, PreprocessConfig(confidence="binary")),
            build(base, PreprocessConfig(min_rating=None)),
            build(ratings_of(ROWS, {10: "Ten"}), PreprocessConfig()),
            build(ratings_of(ROWS[::-1]), PreprocessConfig()),
            build_rows([(user, str(item), *rest) for user, item, *rest in ROWS]),
            build_rows([(user.replace("a", "z"), *rest) for user, *rest in ROWS]),
        ]
        assert len({each.digest() for each in variants}) == len(variants)

    def test_they_are_saved_and_change_no_digest(self, tmp_path: Path) -> None:
        found = build_rows(ROWS)
        found.save(tmp_path / "interactions.npz")
        loaded = Interactions.load(tmp_path / "interactions.npz").times
        assert loaded is not None
        assert found.times is not None
        assert loaded.tolist() == found.times.tolist()
        assert build_rows([row[:3] for row in ROWS]).digest() == found.digest()


@pytest.mark.parametrize("parts", [1, 7, 1 << 20])
def test_a_tally_is_that_of_all_parts(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    monkeypatch.setattr(interactions, "BLOCK_INTERACTIONS", parts)
    indexes = np.random.default_rng(0).integers(0, 9, 50, dtype=np.int32)
    assert tally(indexes, 12).tolist() == [indexes.tolist().count(index) for index in range(12)]


def test_summary_by_hand() -> None:
    found = summarize(csr_array(np.array([[1, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 5]])))
    assert (found.users, found.items, found.interactions) == (3, 4, 6)
    assert (found.mean_per_user, found.max_per_user, found.min_per_user) == (2, 3, 1)
    assert (found.mean_per_item, found.max_per_item, found.min_per_item) == (1.5, 3, 0)


@pytest.mark.genuine
def test_the_notebook_s_figures_on_the_genuine_movielens_100k(genuine: Path) -> None:
    config = DatasetConfig(name="movielens-100k", path=str(genuine))
    found = build(read_ratings(config, locate(config)), PreprocessConfig(min_rating=4))
    summary = summarize(found.matrix)
    assert (summary.users, summary.items, summary.interactions) == (942, 1447, 55_375)
    assert round(summary.mean_per_user, 6) == 58.784501
    assert round(summary.mean_per_item, 6) == 38.268832
    assert (summary.max_per_user, summary.max_per_item) == (378, 501)
    assert (summary.min_per_user, summary.min_per_item) == (3, 1)
