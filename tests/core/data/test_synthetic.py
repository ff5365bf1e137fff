"""Synthetic ratings: the same bytes on every machine, with the shape of real ratings."""

import hashlib
import math

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from tasks.core.data.catalogue import catalogue_entry
from tasks.core.data.synthetic import N_ITEMS, N_USERS, RANK, _log2, item_titles, write_ratings
from tasks.core.types import Counts

PINNED = catalogue_entry("synthetic-100k")


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


def test_every_user_and_every_item_has_a_rating(ratings: Counts) -> None:
    assert np.unique(ratings[:, 0]).tolist() == list(range(1, 944))
    assert np.unique(ratings[:, 1]).tolist() == list(range(1, 1683))
    assert (PINNED.users, PINNED.items) == (943, 1682)
    assert 95_000 < len(ratings) < 105_000


def test_no_user_rates_an_item_twice(ratings: Counts) -> None:
    assert len(np.unique(ratings[:, :2], axis=0)) == len(ratings)


def test_ratings_have_the_stated_distribution(ratings: Counts) -> None:
    shares = np.bincount(ratings[:, 2], minlength=6)[1:] / len(ratings)
    np.testing.assert_allclose(shares, [0.06, 0.11, 0.27, 0.34, 0.22], atol=0.001)


def test_timestamps_ascend(ratings: Counts) -> None:
    assert (np.diff(ratings[:, 3]) >= 0).all()


def test_users_have_at_least_twenty_ratings_and_a_long_tail(ratings: Counts) -> None:
    per_user = np.bincount(ratings[:, 0])[1:]
    assert per_user.min() >= 20
    assert np.median(per_user) < 60
    assert per_user.max() > 600


def test_a_tenth_of_the_items_have_more_than_half_of_the_ratings(ratings: Counts) -> None:
    per_item = np.sort(np.bincount(ratings[:, 1])[1:])[::-1]
    assert per_item[:168].sum() > len(ratings) / 2
    assert np.median(per_item) < 20


def test_preferences_have_the_stated_rank(ratings: Counts) -> None:
    """Ten singular values are above chance, then there is a gap: 8 preferences, a user's bias and an item's bias."""
    users, items = ratings[:, 0] - 1, ratings[:, 1] - 1
    centred = ratings[:, 2] - ratings[:, 2].mean()

    def singular_values(entries: np.ndarray) -> np.ndarray:
        matrix = csr_array((entries, (users, items)), shape=(N_USERS, N_ITEMS))
        values = svds(matrix, k=RANK + 6, return_singular_vectors=False, rng=np.random.default_rng(0))
        return np.sort(values)[::-1]

    values = singular_values(centred)
    chance = singular_values(np.random.default_rng(0).permutation(centred))[0]
    assert values[RANK + 1] > 1.25 * chance
    assert values[RANK + 3] < chance
    assert values[RANK + 1] / values[RANK + 2] > max(values[1 : RANK + 1] / values[2 : RANK + 2])


def test_titles_are_unique() -> None:
    assert len(set(item_titles())) == N_ITEMS


@pytest.mark.parametrize("exponent", range(63))
def test_log2_of_a_power_of_two_is_exact(exponent: int) -> None:
    assert _log2(np.array([1 << exponent], dtype=np.uint64)).tolist() == [exponent << 16]


def test_log2_is_within_one_unit_in_the_last_place() -> None:
    generator = np.random.default_rng(0)
    numbers = [int(generator.integers(1, 1 << bits)) for bits in range(1, 63) for _ in range(20)]
    logarithms = _log2(np.array(numbers, dtype=np.uint64))
    expected = [math.floor(math.log2(number) * 65536) for number in numbers]
    assert np.abs(logarithms - expected).max() <= 1
