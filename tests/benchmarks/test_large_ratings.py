"""Synthetic ratings of any size."""

import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.core.types import Counts
from tests.benchmarks.large_ratings import write_large, write_large_folder


def bytes_of(folder: Path, users: int, items: int, ratings: int, **settings: int) -> bytes:
    path = folder / "large.csv"
    write_large(path, users=users, items=items, ratings=ratings, **settings)
    return path.read_bytes()


def parse(data: bytes) -> tuple[Counts, Counts, np.ndarray, Counts]:
    """Return the columns user, item, rating and timestamp."""
    header, *lines = data.decode().splitlines()
    assert header == "userId,movieId,rating,timestamp"
    user, item, rating, at = zip(*(line.split(",") for line in lines), strict=True)
    return np.array(user, dtype=int), np.array(item, dtype=int), np.array(rating, dtype=float), np.array(at, dtype=int)


def test_the_bytes_are_the_same_on_every_machine(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(bytes_of(tmp_path, 300, 500, 9000, seed=7)).hexdigest()
    assert sha256 == "2defe31a512f752fb4eacd497510d901821234a769eb8c34cc0c25678c366e05"


@pytest.mark.parametrize("chunk", [1, 100, 8999])
def test_the_bytes_do_not_depend_on_the_chunk(tmp_path: Path, chunk: int) -> None:
    assert bytes_of(tmp_path, 300, 500, 9000, chunk=chunk) == bytes_of(tmp_path, 300, 500, 9000)


def test_the_bytes_depend_on_the_seed(tmp_path: Path) -> None:
    assert bytes_of(tmp_path, 30, 50, 200, seed=1) != bytes_of(tmp_path, 30, 50, 200, seed=2)


@pytest.mark.parametrize(
    ("users", "items", "ratings"),
    [
        pytest.param(300, 500, 9000, id="more items than users"),
        pytest.param(500, 300, 9000, id="more users than items"),
        pytest.param(10, 95, 100, id="as few as possible"),
        pytest.param(10, 95, 950, id="every pair"),
        pytest.param(10, 95, 949, id="every pair but one"),
        pytest.param(1, 1, 1, id="one"),
    ],
)
def test_the_numbers_of_users_items_and_ratings_are_exact(tmp_path: Path, users: int, items: int, ratings: int) -> None:
    user, item, rating, at = parse(bytes_of(tmp_path, users, items, ratings))
    assert len(user) == ratings == len(set(zip(user.tolist(), item.tolist(), strict=True)))
    assert np.unique(user).tolist() == list(range(1, users + 1))
    assert np.unique(item).tolist() == list(range(1, items + 1))
    assert set(rating) <= {half / 2 for half in range(1, 11)}
    assert (np.diff(user) >= 0).all()
    assert (np.diff(at)[np.diff(user) == 0] >= 0).all()


@pytest.mark.parametrize("ratings", [99, 951])
def test_impossible_numbers_are_refused(tmp_path: Path, ratings: int) -> None:
    with pytest.raises(ValueError, match="expected from 100 to 950"):
        bytes_of(tmp_path, 10, 95, ratings)


def test_activity_and_popularity_have_long_tails(tmp_path: Path) -> None:
    user, item, rating, _ = parse(bytes_of(tmp_path, 5000, 4000, 200_000))
    per_user, per_item = np.bincount(user)[1:], np.sort(np.bincount(item)[1:])[::-1]
    assert per_user.min() >= 20
    assert per_user.max() > 20 * np.median(per_user)
    assert 5000 / 10 < per_item[0] < 5000
    assert per_item[:400].sum() > len(item) / 2
    assert np.median(per_item) < len(item) / 4000 / 2
    assert 3 < rating.mean() < 4


def test_memory_is_limited_by_the_chunk(tmp_path: Path) -> None:
    def peak(ratings: int) -> int:
        tracemalloc.start()
        write_large(tmp_path / "large.csv", users=500, items=2000, ratings=ratings, chunk=1 << 12)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak_bytes

    peak(20_000)  # the first call imports modules, whose memory does not count
    assert peak(320_000) < 1.5 * peak(80_000)


def test_the_folder_of_parquet_files_has_the_ratings_of_the_file(tmp_path: Path) -> None:
    size = {"users": 50, "items": 40, "ratings": 900}
    write_large(tmp_path / "ratings.csv", **size)
    write_large_folder(tmp_path / "ratings", **size, chunk=200)
    files = sorted((tmp_path / "ratings").glob("part-*.parquet"))
    assert len(files) > 2
    stored = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    pd.testing.assert_frame_equal(stored, pd.read_csv(tmp_path / "ratings.csv"), check_dtype=False)
