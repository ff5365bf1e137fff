"""A split whose test part is a published file."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.config.evaluation import FilesSplit
from tasks.core.data.filters import FilteredRatings, RatingCounts
from tasks.core.data.interactions import Interactions
from tasks.core.data.preprocessing import build
from tasks.core.data.splits.held_out import PublishedTest
from tasks.core.data.splits.published import PublishedRatings, PublishedSplit, published_test, split_of_files
from tasks.core.errors import DataError
from tests.core.data.helpers import Row, ratings_of

TRAIN = Interactions(
    csr_array(np.array([[5, 0, 4], [0, 3, 0]], dtype=np.float32)), np.array(["a", "b"]), np.array([10, 20, 30]), None
)

TEST_FILE = FilesSplit(strategy="files", test="test.tsv")


def split_with(test_rows: Sequence[Row], **settings: Any) -> tuple[csr_array, csr_array]:
    """Return the parts of the split whose test file has the rows."""
    test_ratings = published_test(ratings_of(test_rows), PreprocessConfig(**settings))
    split = split_of_files(TRAIN, test_ratings, TEST_FILE)
    return split.train, split.test


def test_raw_ids_are_matched() -> None:
    train, test = split_with([("b", 30), ("a", 20)])
    assert (train != TRAIN.matrix).nnz == 0
    assert test.toarray().tolist() == [[0, 1, 0], [0, 0, 1]]


def test_new_users_and_items_come_last_and_have_no_train_interactions() -> None:
    train, test = split_with([("c", 10), ("a", 40), ("b", 10)])
    assert train.toarray().tolist() == [[5, 0, 4, 0], [0, 3, 0, 0], [0, 0, 0, 0]]
    assert test.toarray().tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0]]


def test_ids_of_different_types_are_matched_as_text() -> None:
    _, test = split_with([("a", "20")])
    assert test.toarray().tolist() == [[0, 1, 0], [0, 0, 0]]


def test_the_minimum_rating_applies_to_the_test_file() -> None:
    _, test = split_with([("a", 20, 4.0), ("b", 10, 3.0)], min_rating=4.0)
    assert test.nnz == 1


def test_an_interaction_of_both_parts_is_refused() -> None:
    message = "1 of its 2 interactions are in the train part too, for example user a with item 30.*overlap: drop"
    with pytest.raises(DataError, match=message):
        split_with([("a", 30), ("b", 10)])


DROP = FilesSplit(strategy="files", test="test.tsv", overlap="drop")


def dropped(rows: Sequence[Row], **settings: Any) -> tuple[PublishedSplit, PublishedRatings]:
    ratings = published_test(ratings_of(rows), PreprocessConfig(**settings), overlap="drop")
    return split_of_files(TRAIN, ratings, DROP), ratings


def test_interactions_of_both_parts_and_repeated_lines_can_be_left_out() -> None:
    """The train part keeps its interactions and their values."""
    split, ratings = dropped([("a", 30), ("b", 10), ("b", 20), ("c", 10), ("b", 10), ("b", 10)])
    assert split.test.toarray().tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert split.train.toarray().tolist() == [[5, 0, 4], [0, 3, 0], [0, 0, 0]]
    assert (split.in_train, ratings.repeated) == (2, 2)
    assert split.test.has_sorted_indices
    assert set(split.test.data) == {1}
    assert ratings.counts == RatingCounts(6)


def test_the_last_of_repeated_ratings_is_the_one_that_the_minimum_applies_to() -> None:
    split, ratings = dropped([("a", 20, 5.0), ("a", 20, 1.0), ("b", 10, 4.0)], min_rating=4.0)
    assert split.test.toarray().tolist() == [[0, 0, 0], [1, 0, 0]]
    assert (ratings.counts, ratings.repeated) == (RatingCounts(3, min_rating=1), 1)


def test_a_rule_on_duplicates_merges_repeated_lines_before_overlap_does() -> None:
    _, ratings = dropped([("a", 20), ("a", 20), ("b", 10)], duplicates="count", min_rating=2)
    assert (ratings.counts, ratings.repeated) == (RatingCounts(3, duplicates=1, min_rating=1), 0)


def test_a_test_file_whose_interactions_are_all_in_the_train_part_is_refused() -> None:
    with pytest.raises(DataError, match=r"2 of its 2 interactions are in the train part too.*from one of the files$"):
        dropped([("a", 30), ("b", 20), ("b", 20)])


# Users who are held out as a whole


FOLD_IN = FilesSplit(strategy="files", test="test.tsv", visible="visible.tsv")


def folded_in(visible: Sequence[Row], test: Sequence[Row], *, overlap: Any = "error") -> PublishedSplit:
    config = FOLD_IN.model_copy(update={"overlap": overlap})
    rules = PreprocessConfig(min_rating=None)
    ratings = published_test(ratings_of(test), rules, overlap=overlap)
    return split_of_files(TRAIN, ratings, config, build(ratings_of(visible), rules))


def test_the_visible_part_is_not_trained_on_and_keeps_its_confidences() -> None:
    """Users c and d and item 40 are in the visible part only, user e in the test part only."""
    split = folded_in([("d", 30, 2.5), ("c", 10, 3.0), ("c", 40, 4.0)], [("c", 20), ("d", 10), ("e", 10)])
    assert split.visible is not None
    assert split.train.toarray().tolist() == [[5, 0, 4, 0], [0, 3, 0, 0], [0] * 4, [0] * 4, [0] * 4]
    assert split.visible.toarray().tolist() == [[0] * 4, [0] * 4, [0, 0, 2.5, 0], [3, 0, 0, 4], [0] * 4]
    assert split.test.toarray().tolist() == [[0] * 4, [0] * 4, [1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
    counts = split.counts()
    assert (counts["held_out_users"], counts["visible_interactions"], counts["users_without_train"]) == (2, 3, 1)
    assert "users_too_small" not in counts


def test_test_interactions_of_the_visible_part_are_refused_or_left_out() -> None:
    visible, test = [("c", 10), ("c", 20)], [("c", 10), ("c", 30), ("a", 10), ("a", 20)]
    message = "2 of its 4 interactions are in the train or the visible part too, for example user a with item 10"
    with pytest.raises(DataError, match=message):
        folded_in(visible, test)
    split = folded_in(visible, test, overlap="drop")
    assert split.in_train == 2
    assert split.test.toarray().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("visible", "test", "message"),
    [
        (
            [("c", 10), ("a", 20)],
            [("c", 20)],
            r"visible: visible.tsv: 1 of its 2 users are in the train part too, such as 'a'",
        ),
        ([("c", 99)], [("c", 20)], r"visible: visible.tsv: none of its 1 items is in the train part"),
        ([("c", 10)], [("x", 20)], r"test: test.tsv: none of its 1 users is in the train or the visible part"),
    ],
)
def test_a_visible_part_that_does_not_fit_is_refused(visible: list[Row], test: list[Row], message: str) -> None:
    with pytest.raises(DataError, match=message):
        folded_in(visible, test)


def test_numbers_of_all_three_files_meet() -> None:
    train = ids(("0", "10"), ("1", "20"))
    visible = build(ratings_of([("2.0", "10.0")]), PreprocessConfig(min_rating=None))
    test = published_test(ratings_of([("2", "20.0")]), PreprocessConfig())
    split = split_of_files(train, test, FOLD_IN, visible)
    assert split.by_numbers
    assert split.test.toarray().tolist() == [[0, 0], [0, 0], [0, 1]]


def test_numbers_that_were_left_out_are_said() -> None:
    test = PublishedTest(RatingCounts(9), 0, 1, by_numbers=False, in_train=2, repeated=1)
    assert test.text(PreprocessConfig()) == (
        "9 ratings read; 2 interactions of the train part and 1 repeated line left out by evaluation.split.overlap "
        "drop; 0 users and 1 item of it are not in the train part"
    )
    assert test.counts() == {"test_in_train": 2, "test_repeated": 1}
    assert PublishedTest(RatingCounts(9), 0, 1, by_numbers=False).counts() == {}


def test_duplicates_are_refused_or_resolved() -> None:
    with pytest.raises(DataError, match="twice"):
        split_with([("a", 20), ("a", 20)])
    for how in ("last", "max", "count"):
        assert split_with([("a", 20), ("a", 20)], duplicates=how, min_rating=None)[1].nnz == 1


def test_a_test_file_without_ratings_that_count_is_refused() -> None:
    with pytest.raises(DataError, match=r"no rating is at least min_rating 4: ratings go from 1 to 1"):
        split_with([("a", 20, 1.0)], min_rating=4.0)


def test_a_test_file_without_a_rating_is_refused() -> None:
    """A file of users without items can be read."""
    empty = ratings_of([("a", 20)]).frame.iloc[:0]
    with pytest.raises(DataError, match=r"test\.tsv holds no interaction"):
        split_of_files(TRAIN, FilteredRatings(empty, RatingCounts(0)), TEST_FILE)


# Ids that do not match


def ids(*pairs: tuple[str, str]) -> Interactions:
    """Return interactions of users and items, one for each pair of ids."""
    users, items = (list(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
    matrix = np.zeros((len(users), len(items)), dtype=np.float32)
    for user, item in pairs:
        matrix[users.index(user), items.index(item)] = 1
    return Interactions(csr_array(matrix), np.array(users), np.array(items), None)


def split_of(train: Interactions, rows: Sequence[Row]) -> PublishedSplit:
    return split_of_files(train, published_test(ratings_of(rows), PreprocessConfig()), TEST_FILE)


def test_numbers_that_are_equal_meet_in_either_file() -> None:
    by_integers, by_floats = ids(("0", "10"), ("1", "20")), ids(("0.0", "10.0"), ("1.0", "20.00"))
    for train, rows in [(by_integers, [("0.0", "20.0"), ("2.0", "10.0")]), (by_floats, [("0", "20"), ("2", "10")])]:
        split = split_of(train, rows)
        assert split.test.toarray().tolist() == [[0, 1], [0, 0], [1, 0]]
        assert split.by_numbers


def test_numbers_with_a_fraction_meet_without_needless_zeros() -> None:
    assert split_of(ids(("1.5", "1"), ("2", "2")), [("1.50", "2")]).test.toarray().tolist() == [[0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("train", "row"),
    [(("007", "1"), ("7", "2")), (("1", "1"), ("1.0", "2")), (("1e0", "1"), ("1", "2"))],
    ids=["leading zeros", "both spellings in one file", "not plain digits"],
)
def test_ids_that_are_not_all_different_plain_numbers_are_texts(train: tuple[str, str], row: tuple[str, str]) -> None:
    others = [("1.0", "3"), ("x", "2")] if row[0] == "1.0" else [("x", "2")]
    split = split_of(ids(train, *others), [row, ("x", "1")])
    assert not split.by_numbers
    assert split.test.shape[0] == len(others) + 1 + (row[0] != "1.0")


def test_the_same_spelling_in_both_files_is_no_match_of_numbers() -> None:
    assert not split_of(ids(("1.0", "1"), ("2.0", "2")), [("1.0", "2")]).by_numbers


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("u1", 10), ("u2", 20)], r"none of its 2 users is in the train part; they are such as 'u1' and 'u2', and"),
        ([("a", "i10")], r"none of its 1 items is in .* such as 'i10', and those of the train part such as '10', '20'"),
    ],
)
def test_a_test_file_that_shares_no_user_or_no_item_is_refused(rows: list[Row], message: str) -> None:
    with pytest.raises(DataError, match=rf"^evaluation.split.test: test.tsv: {message}.*write the ids of the two"):
        split_with(rows)


def test_dislikes_of_a_test_file_are_refused_or_dropped() -> None:
    rows: list[Row] = [("a", 20, 1.0), ("b", 10, -1.0)]
    with pytest.raises(DataError, match="a rating of -1: 1 of 2 ratings are 0 or less"):
        split_with(rows, min_rating=None)
    assert split_with(rows, min_rating=None, negative="drop")[1].nnz == 1
