"""Ratings made into the matrix of interactions."""

from pathlib import Path

import numpy as np
import pytest

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data import preprocessing
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import DataError
from tests.core.data.helpers import ROWS, Row, build_rows, ratings_of


class TestBuild:
    def test_indexes_are_by_first_appearance_after_filtering(self) -> None:
        interactions = build_rows(ROWS)
        assert interactions.user_ids.tolist() == ["b", "a", "c"]
        assert interactions.item_ids.tolist() == [30, 10]
        assert interactions.matrix.toarray().tolist() == [[4, 0], [4.5, 5], [0, 4]]

    def test_the_matrix_has_the_types_that_implicit_needs(self) -> None:
        matrix = build_rows(ROWS).matrix
        assert (matrix.dtype, matrix.indices.dtype, matrix.indptr.dtype) == (np.float32, np.int32, np.int32)
        assert matrix.has_sorted_indices

    def test_without_a_minimum_every_rating_is_kept(self) -> None:
        interactions = build_rows(ROWS, min_rating=None)
        assert interactions.user_ids.tolist() == ["a", "b", "c"]
        assert interactions.item_ids.tolist() == [20, 30, 10]
        assert interactions.matrix.toarray().tolist() == [[1, 4.5, 5], [0, 4, 0], [3, 0, 4]]

    def test_a_rating_of_exactly_the_minimum_is_kept(self) -> None:
        assert build_rows(ROWS, min_rating=4.5).matrix.nnz == 2

    def test_binary_confidence_is_one(self) -> None:
        assert build_rows(ROWS, confidence="binary").matrix.toarray().tolist() == [[1, 0], [1, 1], [0, 1]]

    def test_without_ratings_every_interaction_counts_as_one(self) -> None:
        assert build_rows([("a", 1), ("b", 2), ("a", 2)]).matrix.toarray().tolist() == [[1, 1], [0, 1]]

    def test_titles_follow_their_items(self) -> None:
        interactions = build(ratings_of(ROWS, {10: "Ten", 20: "Twenty"}), PreprocessConfig())
        items, users = interactions.items_frame(), interactions.users_frame()
        assert items.to_dict("list") == {"index": [0, 1], "raw_id": [30, 10], "title": ["", "Ten"]}
        assert users.to_dict("list") == {"index": [0, 1, 2], "raw_id": ["b", "a", "c"]}

    @pytest.mark.parametrize(
        ("rows", "rating"),
        [
            ([("a", 1, 5.0), ("b", 1, 4.0), ("a", 1, 4.0)], 4),
            ([("a", 1, 5.0, 9.0), ("b", 1, 4.0, 0.0), ("a", 1, 4.0, 8.0)], 5),
            ([("a", 1, 5.0, 9.0), ("b", 1, 4.0, 0.0), ("a", 1, 4.0, 9.0)], 4),
        ],
        ids=["by line", "by timestamp", "by line where timestamps are equal"],
    )
    def test_the_last_duplicate_counts(self, rows: list[Row], rating: int) -> None:
        interactions = build_rows(rows, duplicates="last")
        assert interactions.matrix.toarray()[interactions.user_ids.tolist().index("a")].tolist() == [rating]

    def test_a_rating_that_was_lowered_later_does_not_count(self) -> None:
        interactions = build_rows([("a", 1, 5.0), ("a", 1, 2.0), ("b", 1, 4.0)], duplicates="last")
        assert interactions.user_ids.tolist() == ["b"]

    def test_a_duplicate_is_refused_by_default_and_both_ratings_are_named(self) -> None:
        rows = [("b", 7, 1.0), ("a", 7, 5.0), ("a", 8, 5.0), ("a", 7, 4.0), ("a", 7, 4.0)]
        with pytest.raises(DataError, match=r"user a rates item 7 twice \(ratings 2 and 4 of the file\), and 2 such"):
            build_rows(rows)

    def test_the_first_of_several_duplicates_is_named(self) -> None:
        rows = [("a", 1, 5.0), ("b", 7, 5.0), ("b", 7, 4.0), ("a", 1, 4.0)]
        with pytest.raises(DataError, match=r"user b rates item 7 twice \(ratings 2 and 3 of the file\), and 2 such"):
            build_rows(rows)

    @pytest.mark.parametrize("has_times", [False, True])
    @pytest.mark.parametrize("seed", range(5))
    def test_the_matrix_equals_a_dictionary_of_pairs(self, seed: int, has_times: bool) -> None:
        generator = np.random.default_rng(seed)
        columns = [generator.integers(0, bound, 400).tolist() for bound in (15, 25, 9, 20)]
        rows = [(f"u{user}", item, 1.0 + rating, float(at)) for user, item, rating, at in zip(*columns, strict=True)]
        kept: dict[tuple[object, object], tuple[float, float, int]] = {}  # rating, time and line of each pair
        for line, (user, item, rating, at) in enumerate(rows):
            if (user, item) not in kept or not has_times or at >= kept[user, item][1]:
                kept[user, item] = (rating, at, line)
        interactions = build_rows(rows if has_times else [row[:3] for row in rows], duplicates="last", min_rating=None)
        matrix = interactions.matrix
        users = np.repeat(interactions.user_ids, np.diff(matrix.indptr)).tolist()
        pairs = list(zip(users, interactions.item_ids[matrix.indices].tolist(), strict=True))
        assert dict(zip(pairs, matrix.data.tolist(), strict=True)) == {pair: kept[pair][0] for pair in kept}
        assert len(pairs) == len(kept)
        assert matrix.has_canonical_format
        if has_times:
            assert interactions.times is not None
            assert interactions.times.tolist() == [kept[pair][1] for pair in pairs]
        lines = sorted(line for _, _, line in kept.values())
        assert interactions.user_ids.tolist() == list(dict.fromkeys(rows[line][0] for line in lines))
        assert interactions.item_ids.tolist() == list(dict.fromkeys(rows[line][1] for line in lines))

    @pytest.mark.parametrize(
        ("rows", "settings", "message"),
        [
            (ROWS, {"min_rating": 6}, "no rating is at least min_rating 6: ratings go from 1 to 5"),
            ([("a", 1, 1e39)], {}, "a rating of 1e\\+39 cannot be a confidence, .* use confidence: binary"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:overflow encountered in cast")
    def test_ratings_that_give_no_matrix_are_refused(
        self, rows: list[Row], settings: dict[str, object], message: str
    ) -> None:
        with pytest.raises(DataError, match=message):
            build_rows(rows, **settings)

    def test_titles_of_no_item_are_refused_with_both_spellings(self) -> None:
        ratings = ratings_of([("a", "1.0", 5.0), ("a", "2.0", 4.0)], {1: "One", 2: "Two"})
        with pytest.raises(DataError, match=r"items?: item ids are such as '1.0' and '2.0', .* such as '1' and '2'"):
            build(ratings, PreprocessConfig())

    def test_items_without_titles_may_be_all_that_is_left(self) -> None:
        interactions = build(ratings_of([("a", 1, 5.0), ("a", 2, 1.0)], {2: "Two"}), PreprocessConfig())
        assert interactions.items_frame()["title"].tolist() == [""]


class TestTimes:
    def test_they_are_in_the_order_of_the_matrix(self) -> None:
        interactions = build_rows(ROWS, min_rating=None)
        assert interactions.times is not None
        rows = np.repeat(np.arange(3), np.diff(interactions.matrix.indptr))
        time_of = {
            (str(interactions.user_ids[row]), int(interactions.item_ids[column])): time
            for row, column, time in zip(rows, interactions.matrix.indices, interactions.times, strict=True)
        }
        assert time_of == {(str(user), int(str(item))): time for user, item, _, time in ROWS}

    def test_without_a_column_of_timestamps_there_are_none(self) -> None:
        assert build_rows([row[:3] for row in ROWS]).times is None


class TestKCore:
    # a and b have 1, 2 and 3; c has 3 and 4; d has 4
    PAIRS = (("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("b", 3), ("c", 3), ("c", 4), ("d", 4))

    def core(self, k: int) -> list[tuple[object, object]]:
        interactions = build_rows([(user, item, 5.0) for user, item in self.PAIRS], k_core=k)
        users = np.repeat(interactions.user_ids, np.diff(interactions.matrix.indptr))
        items = interactions.item_ids[interactions.matrix.indices]
        return sorted(zip(users.tolist(), items.tolist(), strict=True))

    def test_the_1_core_is_everything(self) -> None:
        assert self.core(1) == list(self.PAIRS)

    def test_dropping_is_repeated_until_all_have_enough(self) -> None:
        # d is dropped first, then item 4, then c
        assert self.core(2) == list(self.PAIRS[:6])

    def test_an_empty_core_is_refused_and_the_largest_k_is_named(self) -> None:
        with pytest.raises(DataError, match=r"k_core 5 leaves nothing of 9 interactions; the largest .* is 2"):
            self.core(5)

    def test_ratings_below_the_minimum_do_not_count(self) -> None:
        rows = [("a", 1, 5.0), ("a", 2, 5.0), ("b", 1, 5.0), ("b", 2, 1.0)]
        with pytest.raises(DataError, match="is 1"):
            build_rows(rows, k_core=2)


class TestConfidence:
    def test_the_first_unusable_rating_is_named_whatever_its_block(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(preprocessing, "BLOCK_INTERACTIONS", 2)
        with pytest.raises(DataError, match=r"a rating of 3e\+39 cannot be a confidence"):
            build_rows(
                [("a", item, rating) for item, rating in enumerate([1.0, 2.0, 3.0, 3e39, 4e39])], min_rating=None
            )

    @pytest.mark.parametrize(
        ("confidence", "expected"),
        [
            ("rating", [4, 5]),
            ("binary", [1, 1]),
            ({"transform": "linear", "alpha": 40.0}, [161, 201]),
            ({"transform": "log", "alpha": 2.0, "epsilon": 0.5}, [1 + 2 * np.log(9), 1 + 2 * np.log(11)]),
        ],
    )
    def test_confidences_follow_their_formula(self, confidence: object, expected: list[float]) -> None:
        interactions = build_rows([("a", 1, 4.0), ("b", 2, 5.0)], confidence=confidence)
        assert interactions.matrix.data == pytest.approx(np.array(expected, dtype=np.float32))

    def test_without_ratings_the_transform_is_of_1(self) -> None:
        interactions = build_rows([("a", 1), ("b", 2)], confidence={"transform": "linear", "alpha": 40.0})
        assert interactions.matrix.data.tolist() == [41, 41]

    def test_the_confidence_that_a_rating_is_made_into_is_named(self) -> None:
        with pytest.raises(DataError, match=r"a rating of 1e\+30 \(made into inf\) cannot be a confidence"):
            build_rows([("a", 1, 1e30)], confidence={"transform": "linear", "alpha": 1e10})


def digest_of(config: DatasetConfig, min_rating: float | None) -> str:
    return build(read_ratings(config, locate(config)), PreprocessConfig(min_rating=min_rating)).digest()


@pytest.mark.parametrize(
    ("min_rating", "expected"),
    [
        (4.0, "d2487977f0fd8212f99e1752f196075d15d07a6fe9d67dd0da7dccd5eb4a0c08"),
        (None, "c5dd39f595fca9d35e50cfc26085d5ed69a04507d79c7f1291c8a9e33ba30360"),
    ],
)
def test_the_digest_of_the_synthetic_ratings_never_changes(min_rating: float | None, expected: str) -> None:
    """Runs are found by the digest. If it has to change, ALGORITHM is raised."""
    assert digest_of(DatasetConfig(), min_rating) == expected


@pytest.mark.genuine
@pytest.mark.parametrize(
    ("min_rating", "expected"),
    [
        (4.0, "18969c69d82c2fee23740d554b0bff2c1ae60e43aa6e4f5ad07095aee8e544ef"),
        (None, "bf00150d05896a77a6de866bfb4d46f494b8eb8824c32dd957e8ab9748bba10a"),
    ],
)
def test_the_digest_of_the_genuine_movielens_100k_never_changes(
    genuine: Path, min_rating: float | None, expected: str
) -> None:
    assert digest_of(DatasetConfig(name="movielens-100k", path=str(genuine)), min_rating) == expected


def test_items_whose_ids_are_text_beside_numbers_keep_their_titles() -> None:
    titles: dict[int | str, str] = {10: "Ten", "x7": "Seven"}  # as titles are read: integers where they can be
    for rows in ([("u", "10"), ("u", "x7")], [("u", "x7"), ("u", "10")]):
        interactions = build(ratings_of(rows, titles), PreprocessConfig())
        assert interactions.item_titles is not None
        named = dict(zip(interactions.item_ids.tolist(), interactions.item_titles.tolist(), strict=True))
        assert named == {"10": "Ten", "x7": "Seven"}
