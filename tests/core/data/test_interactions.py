"""The matrix of interactions: its digest, its file and its summary."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data import interactions
from tasks.core.data.interactions import Interactions, count_occurrences, save_matrix, summarize
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


LONG = [("user " + "u" * 1_000_000, "a", 5), *((f"ü{number}", f"i{number % 3}", 5) for number in range(2000))]


class TestTexts:
    def test_one_long_id_takes_its_own_memory_only(self, tmp_path: Path) -> None:
        interactions = build_rows(LONG)
        interactions.save(tmp_path / "interactions.npz")
        assert (tmp_path / "interactions.npz").stat().st_size < 1_200_000
        tracemalloc.start()
        loaded = Interactions.load(tmp_path / "interactions.npz")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20_000_000
        assert loaded.user_ids.tolist() == interactions.user_ids.tolist() == [user for user, *_ in LONG]
        assert loaded.digest() == interactions.digest()

    def test_a_file_of_an_earlier_version_is_read_with_its_digest(self, tmp_path: Path) -> None:
        """Earlier versions had arrays of NumPy's own texts, whose digest identifies stored fits."""
        ratings = ratings_of([*ROWS, ("ü", 30, 5.0, 7.0)], {10: "Ten", 30: "Dreißig"})
        current = build(ratings, PreprocessConfig())
        assert current.item_titles is not None
        earlier = replace(
            current,
            user_ids=np.array(current.user_ids.tolist(), dtype=np.str_),
            item_titles=np.array(current.item_titles.tolist(), dtype=np.str_),
        )
        assert earlier.digest() == current.digest()
        names = {name: getattr(earlier, name) for name in ("user_ids", "item_ids", "item_titles")}
        save_matrix(earlier.matrix, tmp_path / "earlier.npz", **names)
        loaded = Interactions.load(tmp_path / "earlier.npz")
        assert loaded.digest() == current.digest()
        assert loaded.item_titles is not None
        for texts, expected in ((loaded.user_ids, ["b", "a", "c", "ü"]), (loaded.item_titles, ["Dreißig", "Ten"])):
            assert texts.dtype == object
            assert texts.tolist() == expected

    def test_the_digest_of_texts_is_pinned(self) -> None:
        """It was computed by the version that had NumPy's own texts."""
        interactions = build(ratings_of([*ROWS, ("ü", 30, 5.0, 7.0)], {10: "Ten"}), PreprocessConfig())
        assert interactions.digest() == "a13420f780abe825e9b16d3ba66d80bc66f9c450ef384b9ff2d46bc508359185"

    def test_integers_stay_integers(self, tmp_path: Path) -> None:
        build_rows(ROWS).save(tmp_path / "interactions.npz")
        assert Interactions.load(tmp_path / "interactions.npz").item_ids.dtype == np.int64


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
