"""Parquet files."""

import datetime as dt
import io
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.config.dataset import Columns, PreprocessConfig
from tasks.core.data.preprocessing import build
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


def file_of(**columns: Any) -> bytes:
    """Return a Parquet file of the columns, with a user and an item for each row if they are not among them."""
    n = len(next(iter(columns.values())))
    table = pa.table({"user": [f"u{row}" for row in range(n)], "item": ["a"] * n, "rating": [1] * n} | columns)
    stream = io.BytesIO()
    pq.write_table(table, stream, row_group_size=2)
    return stream.getvalue()


class TestPrecision:
    """The float32 nearest to 4.1 is less than the float64 nearest to 4.1."""

    @pytest.mark.parametrize(
        "values",
        [
            pa.array([4.1, 5, 4.1, 4], pa.float32()),
            pa.array(np.array([4.1, 5, 4.1, 4], np.float16)),
            pa.array([Decimal("4.1"), Decimal(5), Decimal("4.1"), Decimal(4)], pa.decimal128(10, 3)),
            pa.array([Decimal("4.1"), Decimal(5), Decimal("4.1"), Decimal(4)], pa.decimal256(50, 3)),
            pa.array([4.1, 5, 4.1, 4], pa.float32()).dictionary_encode(),
            pa.array(["4.1", "5", "4.1", "4"]),
        ],
        ids=lambda values: str(values.type),
    )
    def test_a_rating_that_was_written_as_the_minimum_is_kept(self, read_own: ReadOwn, values: Any) -> None:
        ratings = read_own(file_of(rating=values), "own.parquet")
        assert columns_of(ratings)["rating"] == [4.1, 5, 4.1, 4]
        assert build(ratings, PreprocessConfig(min_rating=4.1)).matrix.nnz == 3

    def test_confidences_of_float32_are_the_same_float32(self, read_own: ReadOwn) -> None:
        values = np.random.default_rng(0).exponential(size=1000).astype(np.float32)
        ratings = read_own(file_of(rating=values), "own.parquet")
        matrix = build(ratings, PreprocessConfig(min_rating=None)).matrix
        assert matrix.data.tobytes() == values.tobytes()

    @pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.decimal128(5, 2)], ids=str)
    def test_a_missing_rating_is_refused(self, read_own: ReadOwn, kind: Any) -> None:
        values = pa.array([None if value is None else np.float16(value) for value in (1, None)], pa.float16())
        values = values if kind == pa.float16() else pa.array([1, None], kind)
        with pytest.raises(DataError, match="the rating in row 2 is nan"):
            read_own(file_of(rating=values), "own.parquet")


NOON = dt.datetime(2020, 1, 2, 12, tzinfo=dt.UTC)
SECONDS = 1577966400


class TestTimes:
    @pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_times_are_seconds_since_1970(self, read_own: ReadOwn, unit: str, zone: str | None) -> None:
        moments = [NOON, dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=dt.UTC)]
        times = pa.array(moments, pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit, zone))
        for values in (times, times.dictionary_encode()):
            ratings = read_own(file_of(at=values), "own.parquet", columns=Columns(timestamp="at"))
            assert columns_of(ratings)["timestamp"] == [SECONDS, -1]

    def test_fractions_of_a_second_are_kept(self, read_own: ReadOwn) -> None:
        times = pa.array([1500, 1501], pa.timestamp("ms"))
        ratings = read_own(file_of(at=times), "own.parquet", columns=Columns(timestamp="at"))
        assert columns_of(ratings)["timestamp"] == [1.5, 1.501]

    @pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
    def test_dates_are_seconds_since_1970(self, read_own: ReadOwn, kind: Any) -> None:
        dates = pa.array([dt.date(2020, 1, 2), dt.date(1969, 12, 31)], kind)
        ratings = read_own(file_of(at=dates), "own.parquet", columns=Columns(timestamp="at"))
        assert columns_of(ratings)["timestamp"] == [SECONDS - 12 * 3600, -24 * 3600]

    def test_old_files_of_spark_are_read(self, read_own: ReadOwn) -> None:
        stream = io.BytesIO()
        table = pa.table({"user": ["a"], "item": ["b"], "rating": [1], "at": pa.array([NOON], pa.timestamp("us"))})
        pq.write_table(table, stream, use_deprecated_int96_timestamps=True)
        ratings = read_own(stream.getvalue(), "own.parquet", columns=Columns(timestamp="at"))
        assert columns_of(ratings)["timestamp"] == [SECONDS]

    def test_a_missing_time_is_refused(self, read_own: ReadOwn) -> None:
        for kind in (pa.timestamp("ns"), pa.date32()):
            with pytest.raises(DataError, match="the timestamp in row 2 is nan"):
                read_own(file_of(at=pa.array([1, None], kind)), "own.parquet", columns=Columns(timestamp="at"))

    @pytest.mark.parametrize("kind", [pa.time32("s"), pa.time64("us"), pa.duration("s")], ids=str)
    def test_times_of_day_and_durations_are_refused(self, read_own: ReadOwn, kind: Any) -> None:
        with pytest.raises(DataError, match=r"column 'at' for timestamp: found .*expected numbers, dates or times"):
            read_own(file_of(at=pa.array([1, 2], kind)), "own.parquet", columns=Columns(timestamp="at"))

    def test_a_rating_is_no_date(self, read_own: ReadOwn) -> None:
        with pytest.raises(DataError, match=r"column 'rating' for rating: found date32.*expected numbers"):
            read_own(file_of(rating=pa.array([1, 2], pa.date32())), "own.parquet")


def test_what_is_shown_of_a_file_is_short_and_escaped(read_own: ReadOwn) -> None:
    with pytest.raises(DataError, match="has no column 'user'") as raised:
        read_own(pd.DataFrame({"\x1b[31m" + "x" * 5000: [1]}), "own.parquet")
    assert len(str(raised.value)) < 300
    assert str(raised.value).isprintable()
    with pytest.raises(DataError, match="column 'rating' for rating") as raised:
        read_own(file_of(rating=["\x1b[31m" + "x" * 5000]), "own.parquet")
    assert len(str(raised.value)) < 300
    assert str(raised.value).isprintable()


def test_ids_that_arrow_cannot_compare_are_told_apart(read_own: ReadOwn) -> None:
    users = pa.array([uuid.UUID(int=number).bytes for number in (3, 1, 3, 2)], pa.uuid())
    ratings = read_own(file_of(user=users), "own.parquet")
    assert ratings.frame["user"].cat.codes.tolist() == [0, 1, 0, 2]
