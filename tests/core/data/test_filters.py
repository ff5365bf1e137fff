"""The rules on single ratings: how duplicates are merged, what is dropped and how it is counted, and dislikes."""

from collections.abc import Callable

import numpy as np
import pytest

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.data.duplicates import resolve_duplicates
from tasks.core.data.filters import FilteredRatings, RatingCounts, filter_ratings
from tasks.core.data.preprocessing import build
from tasks.core.errors import DataError
from tests.core.data.helpers import ReadOwn, Row, build_rows, columns_of, ratings_of

PLAYS: list[Row] = [
    ("u2", "B", 3.0, 9.0),
    ("u1", "A", 5.0, 1.0),
    ("u2", "A", 2.0, 4.0),
    ("u1", "A", 7.0, 8.0),
    ("u1", "A", 1.0, 2.0),
]
"""User, item, plays, time. u1 plays A three times."""


def filtered(rows: list[Row], **settings: object) -> FilteredRatings:
    config = PreprocessConfig.model_validate({"min_rating": None, **settings})
    return filter_ratings(resolve_duplicates(ratings_of(rows).frame, config), config, read=len(rows))


class TestDuplicates:
    @pytest.mark.parametrize(("how", "rating"), [("sum", 13), ("max", 7), ("count", 3)])
    def test_are_merged_in_the_row_of_the_first_with_the_latest_time(self, how: str, rating: float) -> None:
        columns = filtered(PLAYS, duplicates=how).frame.to_dict("list")
        others = {"count": [1, 1]}.get(how, [3, 2])
        assert columns == {
            "user": ["u2", "u1", "u2"],
            "item": ["B", "A", "A"],
            "rating": [others[0], rating, others[1]],
            "timestamp": [9, 8, 4],
        }

    @pytest.mark.parametrize("how", ["sum", "count"])
    def test_of_a_file_without_ratings_are_the_number_of_rows(self, how: str) -> None:
        interactions = build_rows([row[:2] for row in PLAYS], duplicates=how, min_rating=None)
        assert interactions.matrix.toarray().tolist() == [[1, 1], [0, 3]]
        assert interactions.item_ids.tolist() == ["B", "A"]

    def test_the_largest_of_a_file_without_ratings_is_1(self) -> None:
        interactions = build_rows([row[:2] for row in PLAYS], duplicates="max", min_rating=None)
        assert interactions.matrix.toarray().tolist() == [[1, 1], [0, 1]]

    @pytest.mark.parametrize("how", ["sum", "count"])
    def test_rows_are_counted_where_no_pair_has_several(self, how: str) -> None:
        """The minimum is then one on numbers of rows, as where a pair has several."""
        with pytest.raises(DataError, match="no rating is at least min_rating 2: ratings go from 1 to 1"):
            filtered([("a", 1), ("b", 1)], duplicates=how, min_rating=2)

    def test_the_minimum_applies_to_the_merged_rating(self) -> None:
        assert filtered(PLAYS, duplicates="sum", min_rating=10).frame["rating"].tolist() == [13]

    @pytest.mark.parametrize("has_times", [False, True])
    @pytest.mark.parametrize(
        ("how", "merge"), [("sum", sum), ("max", max), ("count", len)], ids=["sum", "max", "count"]
    )
    def test_merging_equals_a_dictionary_of_pairs(
        self, how: str, merge: Callable[[list[float]], float], has_times: bool
    ) -> None:
        columns = [np.random.default_rng(3).integers(-9, bound, 400).tolist() for bound in (9, 15, 5, 20)]
        rows: list[Row] = [(user, item, float(r), float(at)) for user, item, r, at in zip(*columns, strict=True)]
        pairs: dict[tuple[object, object], list[Row]] = {}  # in the order of their first rows
        for row in rows:
            pairs.setdefault(row[:2], []).append(row)
        frame = filtered(rows if has_times else [row[:3] for row in rows], duplicates=how).frame
        assert list(zip(frame["user"], frame["item"], strict=True)) == list(pairs)
        assert frame["rating"].tolist() == [merge([row[2] for row in of_pair]) for of_pair in pairs.values()]
        if has_times:
            assert frame["timestamp"].tolist() == [max(row[3] for row in of_pair) for of_pair in pairs.values()]

    def test_the_ratings_that_were_read_are_not_changed(self) -> None:
        ratings = ratings_of(PLAYS)
        before = columns_of(ratings)
        resolve_duplicates(ratings.frame, PreprocessConfig(duplicates="sum", min_rating=None))
        assert columns_of(ratings) == before

    @pytest.mark.parametrize(
        ("ratings", "message"),
        [
            ((2e38, 2e38), r"a rating of 4e\+38 \(the sum of the duplicates\) cannot be a confidence"),
            ((1e308, 1e308), r"a rating of inf \(the sum of the duplicates\) cannot be a confidence"),
            ((1.0, -3.0), r"a rating of -2 \(the sum of the duplicates\): 1 of 1 ratings are 0 or less"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:overflow encountered in cast")
    def test_a_sum_that_is_no_confidence_is_refused(self, ratings: tuple[float, float], message: str) -> None:
        with pytest.raises(DataError, match=message):
            build_rows([("a", 1, rating) for rating in ratings], duplicates="sum", min_rating=None)


class TestNegative:
    """Ratings of 0 or less: disliked, or not rated at all, as in `u,a,-1`, `u,b,1`, `v,a,0`, `w,c,2`."""

    ROWS: tuple[Row, ...] = (("u", "a", -1.0), ("u", "b", 1.0), ("v", "a", 0.0), ("w", "c", 2.0))

    @pytest.mark.parametrize(
        "confidence",
        [
            "rating",
            "binary",
            {"transform": "linear", "alpha": 40.0},
            {"transform": "log", "alpha": 1.0, "epsilon": 1.0},
        ],
    )
    def test_is_refused_with_both_remedies_whatever_the_confidence(self, confidence: object) -> None:
        message = (
            r"a rating of -1: 2 of 4 ratings are 0 or less, .* would count as liked.*; set preprocess.min_rating .*, "
            r"or preprocess.negative: drop"
        )
        with pytest.raises(DataError, match=message) as raised:
            build_rows(self.ROWS, min_rating=None, confidence=confidence)
        assert "binary" not in str(raised.value)

    @pytest.mark.parametrize("confidence", ["rating", "binary"])
    def test_is_dropped_on_request(self, confidence: str) -> None:
        interactions = build_rows(self.ROWS, min_rating=None, confidence=confidence, negative="drop")
        assert (interactions.user_ids.tolist(), interactions.item_ids.tolist()) == (["u", "w"], ["b", "c"])
        assert interactions.counts == RatingCounts(4, negative=2)

    def test_below_the_minimum_is_dropped_by_the_minimum(self) -> None:
        for negative in ("error", "drop"):
            counts = build_rows(self.ROWS, min_rating=1, confidence="binary", negative=negative).counts
            assert counts == RatingCounts(4, min_rating=2)

    def test_is_refused_if_the_minimum_keeps_it(self) -> None:
        with pytest.raises(DataError, match="a rating of 0: 1 of 3 ratings are 0 or less"):
            build_rows(self.ROWS, min_rating=0, confidence="binary")

    def test_is_refused_if_nothing_else_is_left(self) -> None:
        with pytest.raises(DataError, match="drop leaves none of 1 ratings, because none is above 0"):
            build_rows([("a", 1, -1.0)], min_rating=None, negative="drop")

    def test_that_the_k_core_drops_is_not_refused(self) -> None:
        rows: list[Row] = [(user, item, 1.0) for user in "ab" for item in (1, 2)]
        assert build_rows([*rows, ("c", 3, -1.0)], min_rating=None, k_core=2).counts == RatingCounts(5, k_core=1)


class TestCounts:
    def test_each_rule_counts_what_it_drops(self) -> None:
        rows: list[Row] = [(user, item, 3.0) for user in "ab" for item in (1, 2)]
        rows += [("a", 1, 2.0), ("c", 1, -1.0), ("c", 2, -9.0), ("c", 3, 5.0)]
        settings = {"duplicates": "sum", "min_rating": -2, "negative": "drop", "k_core": 2}
        interactions = build_rows(rows, **settings)
        assert interactions.counts == RatingCounts(8, duplicates=1, min_rating=1, negative=1, k_core=1)
        assert interactions.counts.text(PreprocessConfig.model_validate(settings)) == (
            "8 ratings read; 1 merged by preprocess.duplicates sum, 1 dropped by preprocess.min_rating -2, "
            "1 dropped by preprocess.negative drop and 1 dropped by preprocess.k_core 2"
        )

    def test_play_counts_that_the_minimum_of_five_star_ratings_drops_are_counted(self, read_own: ReadOwn) -> None:
        file = "u1\tA\t55\nu2\tB\t1\nu1\tB\t3\nu2\tA\t9\n"
        ratings = read_own(file, "p.tsv", header=False, columns={"user": 0, "item": 1, "rating": 2})
        counts = build(ratings, PreprocessConfig(min_rating=4)).counts
        assert counts is not None
        assert counts.text(PreprocessConfig(min_rating=4)) == "4 ratings read; 2 dropped by preprocess.min_rating 4"
        assert counts.text() == "4 ratings read; 2 dropped by preprocess.min_rating"

    def test_nothing_dropped_is_said(self) -> None:
        assert RatingCounts(1234).text(PreprocessConfig()) == "1,234 ratings read; none dropped"

    def test_the_last_of_duplicates_replaces_the_others(self) -> None:
        counts = filtered(PLAYS, duplicates="last").counts
        assert counts.text(PreprocessConfig(duplicates="last")) == (
            "5 ratings read; 2 dropped by preprocess.duplicates last"
        )

    def test_they_are_stored_with_the_interactions_and_not_in_their_digest(self) -> None:
        rows: list[Row] = [("a", 1, 5.0), ("b", 1, 4.0)]
        fewer, more = build_rows(rows), build_rows([*rows, ("c", 1, 1.0)])
        assert fewer.counts != more.counts
        assert fewer.digest() == more.digest()
