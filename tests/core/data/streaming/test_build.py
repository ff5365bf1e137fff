"""The matrix that is made from a Parquet table without the table in memory, beside the one from a frame."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.config.dataset import Columns, DatasetConfig, PreprocessConfig
from tasks.core.data.interactions import Interactions
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.parquet import table
from tasks.core.data.readers.ratings import parquet_ratings, read_ratings
from tasks.core.data.streaming import by_user
from tasks.core.data.streaming.build import build_streamed
from tasks.core.errors import DataError


@pytest.fixture(autouse=True, params=["one block", "many blocks"])
def block_sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test twice: with ratings that fit into one block, and with batches and blocks of few ratings."""
    if request.param == "many blocks":
        monkeypatch.setattr(table, "BATCH_ROWS", 7)
        monkeypatch.setattr(by_user, "BLOCK_INTERACTIONS", 5)


def write(frame: pd.DataFrame, path: Path, parts: int) -> DatasetConfig:
    """Write a frame as one file, or as a folder of parts of different sizes, the first of which is empty."""
    columns = Columns(
        rating="rating" if "rating" in frame else None, timestamp="timestamp" if "timestamp" in frame else None
    )
    whole = pa.Table.from_pandas(frame, preserve_index=False)
    if parts == 1:
        pq.write_table(whole, path, row_group_size=11)
    else:
        path.mkdir()
        ends = np.unique(np.linspace(0, 1, parts) ** 2 * len(frame)).astype(int)
        for number, (start, end) in enumerate(zip([0, *ends], [*ends, len(frame)], strict=True)):
            part = whole.slice(start, end - start)
            pq.write_table(part, path / f"part-{number:05}-4711.snappy.parquet", row_group_size=11)
        (path / "_SUCCESS").touch()
    return DatasetConfig(name="file", path=str(path), columns=columns)


def streamed(config: DatasetConfig, settings: PreprocessConfig) -> Interactions:
    return build_streamed(parquet_ratings(config, locate(config)), settings, order=config.order is not None)


def outcome(make: Callable[[], Interactions]) -> Any:
    """Return everything that the interactions hold, or the message of the error."""
    try:
        made = make()
    except DataError as error:
        return str(error)
    times = None if made.times is None else made.times.tobytes()
    return made.digest(), made.counts, times, made.matrix.indices.dtype, made.matrix.indptr.dtype, made.user_ids.dtype


def ratings(seed: int, *, ids: str = "integers", repeats: bool = True, exact: bool = True) -> pd.DataFrame:
    """Return 150 ratings from 1 to 5 of 20 users and 30 items, some pairs of which occur several times."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(20, size=150), rng.integers(30, size=150)
    if not repeats:
        pairs = rng.permutation(600)[:150]
        users, items = pairs // 30, pairs % 30
    values = rng.integers(2, 11, size=150) / 2
    frame = pd.DataFrame({"user": users, "item": items, "rating": values if exact else values * 1.1})
    frame["timestamp"] = rng.integers(1, 40, size=150)  # several of a pair may be at the same time
    return frame.astype({"user": str, "item": str}) if ids == "texts" else frame


SETTINGS: list[dict[str, Any]] = [
    {"min_rating": None},
    {"min_rating": 4},
    {"min_rating": 4.4},
    {"min_rating": 3, "k_core": 3},
    {"min_rating": None, "k_core": 4, "confidence": "binary"},
    {"min_rating": None, "confidence": {"transform": "log", "alpha": 2.0, "epsilon": 0.1}},
]


class TestSameAsFromAFrame:
    @pytest.mark.parametrize("settings", SETTINGS, ids=str)
    @pytest.mark.parametrize("duplicates", ["last", "sum", "max", "count"])
    def test_with_duplicates(self, tmp_path: Path, settings: dict[str, Any], duplicates: str) -> None:
        rules = PreprocessConfig.model_validate({**settings, "duplicates": duplicates})
        for seed, exact in enumerate([True, False]):
            frame = ratings(seed, exact=exact)
            one = write(frame, tmp_path / f"{seed}.parquet", 1)
            expected = outcome(lambda one=one: build(read_ratings(one, locate(one)), rules))
            assert outcome(lambda one=one: streamed(one, rules)) == expected
            folder = write(frame, tmp_path / f"{seed}", 9)
            assert outcome(lambda folder=folder: streamed(folder, rules)) == expected

    @pytest.mark.parametrize("settings", SETTINGS, ids=str)
    @pytest.mark.parametrize("columns", [["rating", "timestamp"], ["rating"], ["timestamp"], []], ids=str)
    @pytest.mark.parametrize("ids", ["integers", "texts"])
    def test_without_duplicates(self, tmp_path: Path, settings: dict[str, Any], columns: list[str], ids: str) -> None:
        rules = PreprocessConfig.model_validate(settings)
        frame = ratings(5, ids=ids, repeats=False)[["user", "item", *columns]]
        one, folder = write(frame, tmp_path / "one.parquet", 1), write(frame, tmp_path / "folder", 13)
        expected = outcome(lambda: build(read_ratings(one, locate(one)), rules))
        assert outcome(lambda: streamed(folder, rules)) == expected

    def test_with_the_order_of_the_rows_as_time(self, tmp_path: Path) -> None:
        rules = PreprocessConfig(min_rating=3, duplicates="last")
        frame = ratings(6).drop(columns="timestamp")
        configs = [write(frame, tmp_path / "one.parquet", 1), write(frame, tmp_path / "folder", 6)]
        one, folder = (config.model_copy(update={"order": "time"}) for config in configs)
        expected = outcome(lambda: build(read_ratings(one, locate(one)), rules))
        assert outcome(lambda: streamed(folder, rules)) == expected

    @pytest.mark.parametrize("low", [0.0, -1.0])
    @pytest.mark.parametrize("negative", ["error", "drop"])
    def test_with_ratings_that_are_not_positive(self, tmp_path: Path, low: float, negative: str) -> None:
        rules = PreprocessConfig.model_validate({"min_rating": None, "negative": negative})
        frame = ratings(7, repeats=False)
        frame.loc[frame["rating"] < 2, "rating"] = low
        one, folder = write(frame, tmp_path / "one.parquet", 1), write(frame, tmp_path / "folder", 6)
        expected = outcome(lambda: build(read_ratings(one, locate(one)), rules))
        assert outcome(lambda: streamed(folder, rules)) == expected
        assert ("are 0 or less" in expected) == (negative == "error")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"min_rating": 9}, "no rating is at least min_rating 9: ratings go from 1 to 5"),
            ({"min_rating": None, "k_core": 60}, "preprocess.k_core 60 leaves nothing of 150 interactions"),
        ],
    )
    def test_if_nothing_is_left(self, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
        rules = PreprocessConfig.model_validate(settings)
        frame = ratings(8, repeats=False)
        one, folder = write(frame, tmp_path / "one.parquet", 1), write(frame, tmp_path / "folder", 6)
        expected = outcome(lambda: build(read_ratings(one, locate(one)), rules))
        assert expected.startswith(message)
        assert outcome(lambda: streamed(folder, rules)) == expected


def test_a_repeated_pair_is_reported_with_its_rows_of_the_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": [1, 2, 1, 3, 2, 1], "item": [9, 8, 7, 9, 8, 9], "rating": 5})
    message = r"user 2 rates item 8 twice \(ratings 2 and 5 of the file\), and 2 such repeats in all"
    for config in (write(frame, tmp_path / "one.parquet", 1), write(frame, tmp_path / "folder", 4)):
        for make in (streamed, lambda config, rules: build(read_ratings(config, locate(config)), rules)):
            with pytest.raises(DataError, match=message):
                make(config, PreprocessConfig(min_rating=5))


def test_sums_are_not_rounded_before_they_are_added(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": 1, "item": [1] * 3 + [2], "rating": [2.0**24, 1, 1, 5]})
    config = write(frame, tmp_path / "plays", 3)
    assert streamed(config, PreprocessConfig(min_rating=None, duplicates="sum")).matrix.data.tolist() == [2**24 + 2, 5]


def test_first_appearance_is_by_the_path_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "plays").mkdir()
    for name, users in {"part-2": ["c", "a"], "part-1": ["b", "low", "c"]}.items():
        ratings = [1.0 if user == "low" else 5.0 for user in users]
        columns = {"user": users, "item": [f"of {user}" for user in users], "rating": ratings}
        pq.write_table(pa.table(columns), tmp_path / "plays" / f"{name}.parquet")
    config = DatasetConfig(name="file", path=str(tmp_path / "plays"))
    interactions = streamed(config, PreprocessConfig(duplicates="last"))
    assert interactions.user_ids.tolist() == ["b", "c", "a"]
    assert interactions.item_ids.tolist() == ["of b", "of c", "of a"]


def test_more_rows_than_indexes_can_count_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_user, "MOST_RATINGS", 149)
    with pytest.raises(DataError, match="plays: 150 rows; expected at most 149"):
        streamed(write(ratings(1), tmp_path / "plays", 3), PreprocessConfig())


def test_the_table_is_never_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame has 16 bytes a rating: two codes and a float64. NumPy's memory is traced; Arrow has a batch at a time."""
    monkeypatch.setattr(table, "BATCH_ROWS", 20_000)
    monkeypatch.setattr(by_user, "BLOCK_INTERACTIONS", 20_000)
    n = 1_000_000
    rows = np.random.default_rng(0).permutation(n)
    whole = pa.table({"user": rows // 500, "item": rows % 500, "rating": rows % 5 + 1.0})
    (tmp_path / "plays").mkdir()
    for part in range(10):
        path = tmp_path / "plays" / f"part-{part}.parquet"
        pq.write_table(whole.slice(part * n // 10, n // 10), path, row_group_size=20_000)
    config = DatasetConfig(name="file", path=str(tmp_path / "plays"))
    ratings = parquet_ratings(config, locate(config))
    tracemalloc.start()
    try:
        matrix = build_streamed(ratings, PreprocessConfig(min_rating=2)).matrix
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert matrix.nnz == 800_000
    assert peak < 12 * n  # the matrix of all ratings has 8 MB, and what marks those that are kept 1 MB
