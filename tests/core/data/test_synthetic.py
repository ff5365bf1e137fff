"""What is made from a seed: the same bytes everywhere, with the shape of real ratings."""

import hashlib
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from tasks.core.data.catalogue import catalogue
from tasks.core.data.synthetic import N_ITEMS, N_USERS, RANK, _log2, titles, write_ratings
from tasks.core.data.synthetic_large import write_large
from tasks.core.types import Counts

PINNED = catalogue()["synthetic-100k"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("synthetic") / "ratings.tsv"
    write_ratings(path, PINNED.seed or 0)
    return path.read_bytes()


@pytest.fixture(scope="module")
def ratings(data: bytes) -> Counts:
    return np.array(data.split(), dtype=np.int64).reshape(-1, 4)


def test_the_file_has_the_bytes_that_the_catalogue_pins(data: bytes) -> None:
    assert len(data) == PINNED.ratings.bytes
    assert hashlib.sha256(data).hexdigest() == PINNED.ratings.sha256
    assert data.count(b"\n") == PINNED.rows


def test_every_user_and_every_item_of_movielens_shape_is_there(ratings: Counts) -> None:
    assert np.unique(ratings[:, 0]).tolist() == list(range(1, 944))
    assert np.unique(ratings[:, 1]).tolist() == list(range(1, 1683))
    assert (PINNED.users, PINNED.items) == (943, 1682)
    assert 95_000 < len(ratings) < 105_000


def test_nobody_rates_an_item_twice(ratings: Counts) -> None:
    assert len(np.unique(ratings[:, :2], axis=0)) == len(ratings)


def test_ratings_are_shared_out_as_stated(ratings: Counts) -> None:
    shares = np.bincount(ratings[:, 2], minlength=6)[1:] / len(ratings)
    np.testing.assert_allclose(shares, [0.06, 0.11, 0.27, 0.34, 0.22], atol=0.001)


def test_timestamps_rise_along_the_file(ratings: Counts) -> None:
    assert (np.diff(ratings[:, 3]) >= 0).all()


def test_users_have_at_least_twenty_ratings_and_a_long_tail(ratings: Counts) -> None:
    per_user = np.bincount(ratings[:, 0])[1:]
    assert per_user.min() >= 20
    assert np.median(per_user) < 60
    assert per_user.max() > 600


def test_a_tenth_of_the_items_has_more_than_half_of_the_ratings(ratings: Counts) -> None:
    per_item = np.sort(np.bincount(ratings[:, 1])[1:])[::-1]
    assert per_item[:168].sum() > len(ratings) / 2
    assert np.median(per_item) < 20


def test_tastes_have_the_stated_rank(ratings: Counts) -> None:
    """Eight tastes and what users and items differ by as a whole: ten values above chance, and a gap."""
    users, items = ratings[:, 0] - 1, ratings[:, 1] - 1
    centred = ratings[:, 2] - ratings[:, 2].mean()

    def singular_values(values: np.ndarray) -> np.ndarray:
        matrix = csr_array((values, (users, items)), shape=(N_USERS, N_ITEMS))
        found = svds(matrix, k=RANK + 6, return_singular_vectors=False, rng=np.random.default_rng(0))
        return np.sort(found)[::-1]

    values = singular_values(centred)
    chance = singular_values(np.random.default_rng(0).permutation(centred))[0]
    assert values[RANK + 1] > 1.25 * chance
    assert values[RANK + 3] < chance
    assert values[RANK + 1] / values[RANK + 2] > max(values[1 : RANK + 1] / values[2 : RANK + 2])


def test_every_item_has_a_title_of_its_own() -> None:
    assert len(set(titles())) == N_ITEMS


@pytest.mark.parametrize("exponent", range(63))
def test_log2_of_a_power_of_two_is_exact(exponent: int) -> None:
    assert _log2(np.array([1 << exponent], dtype=np.uint64)).tolist() == [exponent << 16]


def test_log2_is_within_one_unit_in_the_last_place() -> None:
    stream = np.random.default_rng(0)
    numbers = [int(stream.integers(1, 1 << bits)) for bits in range(1, 63) for _ in range(20)]
    found = _log2(np.array(numbers, dtype=np.uint64))
    expected = [math.floor(math.log2(number) * 65536) for number in numbers]
    assert np.abs(found - expected).max() <= 1


def large(folder: Path, users: int, items: int, ratings: int, **how: int) -> bytes:
    path = folder / "large.csv"
    write_large(path, users=users, items=items, ratings=ratings, **how)
    return path.read_bytes()


def parsed(data: bytes) -> tuple[Counts, Counts, np.ndarray, Counts]:
    """User, item, rating, timestamp of each line."""
    header, *lines = data.decode().splitlines()
    assert header == "userId,movieId,rating,timestamp"
    user, item, rating, at = zip(*(line.split(",") for line in lines), strict=True)
    return np.array(user, dtype=int), np.array(item, dtype=int), np.array(rating, dtype=float), np.array(at, dtype=int)


class TestLarge:
    def test_the_bytes_are_the_same_everywhere(self, tmp_path: Path) -> None:
        found = hashlib.sha256(large(tmp_path, 300, 500, 9000, seed=7)).hexdigest()
        assert found == "2defe31a512f752fb4eacd497510d901821234a769eb8c34cc0c25678c366e05"

    @pytest.mark.parametrize("chunk", [1, 100, 8999])
    def test_they_do_not_depend_on_the_chunk(self, tmp_path: Path, chunk: int) -> None:
        assert large(tmp_path, 300, 500, 9000, chunk=chunk) == large(tmp_path, 300, 500, 9000)

    def test_they_follow_the_seed(self, tmp_path: Path) -> None:
        assert large(tmp_path, 30, 50, 200, seed=1) != large(tmp_path, 30, 50, 200, seed=2)

    @pytest.mark.parametrize(
        ("users", "items", "ratings"),
        [
            pytest.param(300, 500, 9000, id="more items than users"),
            pytest.param(500, 300, 9000, id="more users than items"),
            pytest.param(10, 95, 100, id="as few as there can be"),
            pytest.param(10, 95, 950, id="every pair"),
            pytest.param(10, 95, 949, id="every pair but one"),
            pytest.param(1, 1, 1, id="one"),
        ],
    )
    def test_users_items_and_ratings_are_as_many_as_asked(
        self, tmp_path: Path, users: int, items: int, ratings: int
    ) -> None:
        user, item, rating, at = parsed(large(tmp_path, users, items, ratings))
        assert len(user) == ratings == len(set(zip(user.tolist(), item.tolist(), strict=True)))
        assert np.unique(user).tolist() == list(range(1, users + 1))
        assert np.unique(item).tolist() == list(range(1, items + 1))
        assert set(rating) <= {half / 2 for half in range(1, 11)}
        assert (np.diff(user) >= 0).all()
        assert (np.diff(at)[np.diff(user) == 0] >= 0).all()

    @pytest.mark.parametrize("ratings", [99, 951])
    def test_what_cannot_be_shared_out_is_refused(self, tmp_path: Path, ratings: int) -> None:
        with pytest.raises(ValueError, match="expected from 100 to 950"):
            large(tmp_path, 10, 95, ratings)

    def test_activity_and_popularity_have_long_tails(self, tmp_path: Path) -> None:
        user, item, rating, _ = parsed(large(tmp_path, 5000, 4000, 200_000))
        per_user, per_item = np.bincount(user)[1:], np.sort(np.bincount(item)[1:])[::-1]
        assert per_user.min() >= 20
        assert per_user.max() > 20 * np.median(per_user)
        assert 5000 / 10 < per_item[0] < 5000
        assert per_item[:400].sum() > len(item) / 2
        assert np.median(per_item) < len(item) / 4000 / 2
        assert 3 < rating.mean() < 4

    def test_memory_is_that_of_a_chunk(self, tmp_path: Path) -> None:
        def peak(ratings: int) -> int:
            tracemalloc.start()
            write_large(tmp_path / "large.csv", users=500, items=2000, ratings=ratings, chunk=1 << 12)
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

        peak(20_000)  # what is imported
        assert peak(320_000) < 1.5 * peak(80_000)
