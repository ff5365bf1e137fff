"""Parquet files."""

from pathlib import Path

import pandas as pd
import pytest

from tasks.core.config.dataset import Columns
from tasks.core.errors import ConfigError, DataError
from tests.core.data.helpers import ReadOwn, columns_of

pytestmark = pytest.mark.usefixtures("block_sizes")


def test_parquet_gives_the_same_frame_as_text(read_own: ReadOwn) -> None:
    frame = pd.DataFrame({"junk": [0, 0], "item": [10, 20], "user": ["1", "2"], "rating": [4, 4.5]})
    assert columns_of(read_own(frame, "own.parquet")) == {"user": [1, 2], "item": [10, 20], "rating": [4.0, 4.5]}


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pd.Categorical(["b", "b", "7"], categories=["unused", "7", "b"]), ["b", "b", "7"]),
        (pd.Categorical([7, 7, 9]), [7, 7, 9]),
        (pd.array([7, 7, 9], dtype="Int64"), [7, 7, 9]),
        ([0.5, 1.0, 0.5], ["0.5", "1.0", "0.5"]),
        ([True, False, True], ["True", "False", "True"]),
        (
            pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-01"]),
            ["2020-01-01 00:00:00", "2020-01-02 00:00:00"],
        ),
    ],
    ids=["categories of text", "categories of integers", "nullable integers", "floats", "booleans", "times"],
)
def test_ids_are_the_text_of_their_values(
    read_own: ReadOwn, tmp_path: Path, ids: object, expected: list[object]
) -> None:
    pd.DataFrame({"user": ids, "item": 1, "rating": 5}).to_parquet(tmp_path / "own.parquet", row_group_size=2)
    users = columns_of(read_own((tmp_path / "own.parquet").read_bytes(), "own.parquet"))["user"]
    assert users == [*expected, expected[0]][:3]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"user": [1.0, None], "item": [1, 2], "rating": [4, 5]}, "no user id in row 2"),
        ({"user": [1, 2], "item": ["a", None], "rating": [4, 5]}, "no item id in row 2"),
        ({"user": [1, 2], "item": [1, 2], "rating": [4.0, float("inf")]}, "the rating in row 2 is inf"),
        ({"user": [1, 2], "item": [1, 2], "rating": ["4", "good"]}, "column 'rating' for rating"),
        ({"user": [], "item": [], "rating": []}, "no rows"),
        ({"user": [1], "movie": [1], "rating": [4]}, "has no column 'item' for item"),
        ({"user": ["", "b"], "item": [1, 2], "rating": [4, 5]}, "no user id in row 1"),
    ],
)
def test_a_fault_is_reported_with_its_row(read_own: ReadOwn, frame: dict[str, list[object]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_own(pd.DataFrame(frame), "own.parquet")


def test_a_file_that_is_not_parquet_is_refused(read_own: ReadOwn) -> None:
    with pytest.raises(DataError, match="not readable as Parquet"):
        read_own(b"PAR1 and then nothing of the kind PAR1", "own.parquet")


def test_a_column_cannot_have_two_roles(read_own: ReadOwn) -> None:
    with pytest.raises(ConfigError, match="names a column twice"):
        read_own(pd.DataFrame({"user": [1], "rating": [3]}), "own.parquet", columns=Columns(item="user"))
