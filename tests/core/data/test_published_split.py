"""A split whose test part is a published file."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.config.evaluation import FilesSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.published_split import published_test, split_of_files
from tasks.core.errors import DataError
from tests.core.data.helpers import Row, ratings_of

TRAIN = Interactions(
    csr_array(np.array([[5, 0, 4], [0, 3, 0]], dtype=np.float32)), np.array(["a", "b"]), np.array([10, 20, 30]), None
)


def split_with(test_rows: Sequence[Row], **settings: Any) -> tuple[csr_array, csr_array]:
    """Return the parts of the split whose test file has the rows."""
    test_ratings = published_test(ratings_of(test_rows), PreprocessConfig(**settings))
    split = split_of_files(TRAIN, test_ratings, FilesSplit(strategy="files", test="test.tsv"))
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
    message = "1 of its 2 interactions are in the train part too, for example user a with item 30"
    with pytest.raises(DataError, match=message):
        split_with([("a", 30), ("b", 10)])


def test_duplicates_are_refused_or_resolved() -> None:
    with pytest.raises(DataError, match="twice"):
        split_with([("a", 20), ("a", 20)])
    assert split_with([("a", 20), ("a", 20)], duplicates="last")[1].nnz == 1


def test_a_test_file_without_ratings_that_count_is_refused() -> None:
    with pytest.raises(DataError, match=r"test\.tsv holds no interaction that counts"):
        split_with([("a", 20, 1.0)], min_rating=4.0)
