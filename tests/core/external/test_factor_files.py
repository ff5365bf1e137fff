"""Factors of one run, read from the files that people have."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.errors import DataError
from tasks.core.external.factor_files import RawFactors, read_factors
from tasks.core.external.sources import RunSource

RNG = np.random.default_rng(5)
USERS, ITEMS = RNG.normal(size=(4, 3)).astype(np.float32), RNG.normal(size=(5, 3)).astype(np.float32)


def read(*paths: Path) -> RawFactors:
    return read_factors(RunSource("als", 0, paths, "0"))


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **{"user_factors": USERS, "item_factors": ITEMS, **arrays})
    return path


def test_rows_without_ids_are_numbered(tmp_path: Path) -> None:
    raw = read(save(tmp_path / "als.npz"))
    np.testing.assert_array_equal(raw.factors.users, USERS)
    assert raw.user_ids.tolist() == ["0", "1", "2", "3"]
    np.save(tmp_path / "u.npy", USERS.astype(np.float64))
    np.save(tmp_path / "i.npy", ITEMS)
    pair = read(tmp_path / "u.npy", tmp_path / "i.npy")
    np.testing.assert_array_equal(pair.factors.users, USERS)
    assert pair.factors.users.dtype == np.float32
    assert pair.ids("items").tolist() == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    "ids",
    [
        [10, 11, 12, 13],
        ["10", "11", "12", "13"],
        [10.0, 11.0, 12.0, 13.0],
        np.arange(10, 14, dtype=">i8"),
        [b"10", b"11", b"12", b"13"],
    ],
)
def test_ids_beside_the_factors(ids: list[Any], tmp_path: Path) -> None:
    assert read(save(tmp_path / "als.npz", user_ids=np.array(ids))).user_ids.tolist() == ["10", "11", "12", "13"]


def test_tables_with_arrays_as_spark_saves_them(tmp_path: Path) -> None:
    for side, name, factors in (("user", "userFactors", USERS), ("item", "itemFactors", ITEMS)):
        (tmp_path / name).mkdir()
        frame = pd.DataFrame({"id": np.arange(len(factors)) * 10, "features": list(factors)})
        frame[2:].to_parquet(tmp_path / name / "part-0.parquet")
        frame[:2].to_parquet(tmp_path / name / "part-1.parquet")
        assert side
    raw = read(tmp_path / "userFactors", tmp_path / "itemFactors")
    assert raw.user_ids.tolist() == ["20", "30", "0", "10"]
    np.testing.assert_array_equal(raw.factors.users, USERS[[2, 3, 0, 1]])


def with_value(array: Any, value: float) -> Any:
    changed = array.copy()
    changed[1, 0] = value
    return changed


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"user_factors": with_value(USERS, np.nan)}, "the factors of user 1 are not finite"),
        ({"item_factors": with_value(ITEMS.astype(np.float64), 1e300)}, "the factors of item 1 are not finite"),
        ({"item_factors": ITEMS[:, :2]}, "3 factors for a user and 2 for an item"),
        ({"user_factors": USERS[0]}, r"an array of shape \(3,\)"),
        ({"user_ids": np.arange(3)}, r"user_ids has shape \(3,\) beside factors of 4 users"),
        ({"user_ids": np.zeros(4)}, "3 user ids are there twice"),
        ({"user_factors": np.array([["a"]])}, "type <U1; expected"),
        ({"user_ids": np.arange(4).astype("M8[D]")}, "user_ids are of type datetime64"),
    ],
)
def test_bad_arrays_are_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(save(tmp_path / "als.npz", **arrays))


def test_bad_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", users=USERS)
    with pytest.raises(DataError, match="has no user_factors and no item_factors; it has users"):
        read(tmp_path / "other.npz")
    (tmp_path / "broken.npz").write_text("no zip")
    with pytest.raises(DataError, match="cannot be read as npz"):
        read(tmp_path / "broken.npz")
    np.savez(tmp_path / "pickle.npz", user_factors=np.array([{}], dtype=object), item_factors=ITEMS)
    with pytest.raises(DataError, match="without pickles"):
        read(tmp_path / "pickle.npz")
    np.save(tmp_path / "array.npy", USERS)
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    (tmp_path / "empty.npz").touch()
    for name in ("array.npz", "empty.npz"):
        with pytest.raises(DataError, match="cannot be read as npz"):
            read(tmp_path / name)
    save(tmp_path / "als.npz").rename(tmp_path / "pair.npy")
    with pytest.raises(DataError, match="cannot be read as npy"):
        read(tmp_path / "pair.npy", tmp_path / "pair.npy")
    (tmp_path / "x.bin").touch()
    with pytest.raises(DataError, match=r"expected an \.npz file"):
        read(tmp_path / "x.bin")
    pd.DataFrame({"id": [1], "a": [1.0]}).to_parquet(tmp_path / "flat.parquet")
    with pytest.raises(DataError, match="one array column of factors"):
        read(tmp_path / "flat.parquet", tmp_path / "flat.parquet")
    pd.DataFrame({"id": [1, 2], "a": [[1.0], [1.0, 2.0]]}).to_parquet(tmp_path / "ragged.parquet")
    with pytest.raises(DataError, match="arrays of 1 to 2 factors"):
        read(tmp_path / "ragged.parquet", tmp_path / "ragged.parquet")
