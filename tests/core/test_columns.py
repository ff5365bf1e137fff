"""Columns of Parquet files that pandas wrote."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.core.columns import read_columns

FRAME = pd.DataFrame(
    {
        "index": np.arange(5, dtype=np.int32),
        "raw_id": np.array([7, -1, 2**62, 0, 3]),
        "score": np.array([0.5, np.nan, -1, np.inf, 0], dtype=np.float32),
        "title": ["Ä", "", "注", "it's", "e"],
        "drawn": [True, False, True, True, False],
    }
)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_columns_are_what_pandas_reads(tmp_path: Path, rows: int) -> None:
    FRAME[:rows].to_parquet(tmp_path / "frame.parquet", index=False)
    columns = read_columns(tmp_path / "frame.parquet")
    expected = pd.read_parquet(tmp_path / "frame.parquet")
    assert list(columns) == list(expected)
    for name, column in columns.items():
        np.testing.assert_array_equal(column, expected[name].to_numpy())
    assert {name: column.dtype for name, column in columns.items() if column.dtype != object} == {
        "index": np.int32,
        "raw_id": np.int64,
        "score": np.float32,
    }


def test_a_missing_integer_is_not_a_number(tmp_path: Path) -> None:
    pd.DataFrame({"user": pd.array([1, None, 3], dtype="Int64")}).to_parquet(tmp_path / "frame.parquet")
    np.testing.assert_array_equal(read_columns(tmp_path / "frame.parquet")["user"], [1, np.nan, 3])


def test_a_file_of_several_row_groups_is_read_whole(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "frame.parquet", row_group_size=2)
    columns = read_columns(tmp_path / "frame.parquet", ["raw_id", "title"])
    assert list(columns) == ["raw_id", "title"]
    assert columns["raw_id"].tolist() == FRAME["raw_id"].tolist()
    assert columns["title"].tolist() == FRAME["title"].tolist()
