"""Interactions that fits leave out at random: how many, which, and who is left without any."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.experiment import ResampleConfig
from tasks.core.config.queries import QueriesConfig
from tasks.core.data.resample import Lost, check_fraction, lost, n_dropped, resampled
from tasks.core.errors import ConfigError, DataError


def dropping(fraction: float) -> ResampleConfig:
    return ResampleConfig(strategy="drop_interactions", fraction=fraction)


def random_matrix(users: int = 40, items: int = 25, share: float = 0.3) -> csr_array:
    rng = np.random.default_rng(5)
    values = rng.integers(1, 6, size=(users, items)) * (rng.random((users, items)) < share)
    return csr_array(values.astype(np.float32))


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.97])
def test_the_fraction_is_left_out_and_the_rest_keeps_its_place_and_value(fraction: float) -> None:
    matrix = random_matrix()
    kept = resampled(matrix, dropping(fraction), seed=3)
    assert kept.shape == matrix.shape
    assert kept.nnz == matrix.nnz - round(fraction * matrix.nnz)
    assert (kept != matrix).nnz == matrix.nnz - kept.nnz
    assert (kept.dtype, kept.indices.dtype, kept.indptr.dtype) == (np.float32, np.int32, np.int32)
    assert kept.has_sorted_indices


def test_the_number_left_out_is_rounded() -> None:
    assert [n_dropped(n, dropping(0.01)) for n in (50, 51, 149, 151, 55_375)] == [0, 1, 1, 2, 554]
    assert n_dropped(100, None) == 0


def test_nothing_is_left_out_without_the_setting() -> None:
    matrix = random_matrix()
    assert resampled(matrix, None, seed=3) is matrix
    everyone = lost(matrix, None, [1, 2])
    assert (everyone.users == -1).all()
    assert (everyone.items == -1).all()


def test_the_complete_matrix_is_not_changed() -> None:
    matrix, before = random_matrix(), random_matrix()
    kept = resampled(matrix, dropping(0.2), seed=3)
    kept.data[:] = 0
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(matrix, part), getattr(before, part))


def test_a_seed_leaves_out_the_same_every_time_and_another_seed_something_else() -> None:
    matrix = random_matrix()
    first, again, other = (resampled(matrix, dropping(0.2), seed=seed) for seed in (1, 1, 2))
    assert (first != again).nnz == 0
    assert (first != other).nnz > 0


def test_every_machine_and_version_leaves_out_the_same() -> None:
    """Stored fits are found again by their seed, so these positions never change."""
    matrix = csr_array(np.arange(1, 21, dtype=np.float32).reshape(4, 5))
    kept = resampled(matrix, dropping(0.25), seed=20250101)
    assert sorted(set(range(1, 21)) - set(kept.data.astype(int).tolist())) == [4, 8, 10, 14, 20]


def test_every_interaction_is_left_out_equally_often() -> None:
    """Of 2,000 seeds, each interaction is left out by 600, with a standard deviation of 20."""
    matrix = csr_array(np.ones((4, 5), dtype=np.float32))
    kept = sum(resampled(matrix, dropping(0.3), seed=seed).toarray() for seed in range(2000))
    assert abs(2000 - kept - 600).max() < 5 * 20.5


@pytest.mark.parametrize(("fraction", "dropped"), [(0.001, 0), (0.0499, 0), (0.96, 10), (0.999, 10)])
def test_a_fraction_that_leaves_out_nothing_or_everything_is_refused(fraction: float, dropped: int) -> None:
    with pytest.raises(ConfigError) as raised:
        check_fraction(10, dropping(fraction))
    assert str(raised.value) == (
        f"resample.fraction: found {fraction:g}, which leaves out {dropped} of 10 interactions; expected one that "
        "leaves out 1 to 9 of them, or set resample: null"
    )


def test_other_fractions_are_accepted() -> None:
    for fraction in (0.051, 0.5, 0.94):
        check_fraction(10, dropping(fraction))
    check_fraction(10, None)


def test_lost_are_those_without_interactions_in_the_first_such_fit() -> None:
    matrix, seeds = random_matrix(share=0.1), range(30)
    found = lost(matrix, dropping(0.3), seeds)
    fits = [resampled(matrix, dropping(0.3), seed=seed).toarray() for seed in seeds]
    for axis, first in ((1, found.users), (0, found.items)):
        empty = np.array([~fit.any(axis=axis) for fit in fits])  # (fits, entities)
        assert empty.any(axis=0).any()
        np.testing.assert_array_equal(first, np.where(empty.any(axis=0), empty.argmax(axis=0), -1))


def test_lost_queries_are_refused_with_the_run_that_has_none_of_their_interactions() -> None:
    found = Lost(np.array([-1, 1, -1], np.int32), np.array([0, -1, -1], np.int32))
    labels = ["k50 #0", "k50 #1"]
    found.check(QueriesConfig(users=(0, 2), items=(1, 2), recommend_for=(0,)), dropping(0.01), labels)
    with pytest.raises(DataError) as raised:
        found.check(QueriesConfig(users=(0, 1), items=(0,), recommend_for=(1,)), dropping(0.01), labels)
    problems = str(raised.value).splitlines()
    assert [problem.split(":")[0] for problem in problems] == [
        "queries.users",
        "queries.items",
        "queries.recommend_for",
    ]
    assert problems[0] == (
        "queries.users: found 1, which has no interaction in k50 #1: that run is fitted without its own random 1% of "
        "the interactions; query another one, or lower resample.fraction"
    )
    assert "found 0, which has no interaction in k50 #0" in problems[1]


def test_a_fraction_that_leaves_fewer_than_two_users_is_refused() -> None:
    found = Lost(np.array([-1, 1, 0], np.int32), np.array([-1, -1], np.int32))
    with pytest.raises(DataError, match=r"found 0\.9, with which 1 of 3 users have interactions in all 2 fits"):
        found.check(QueriesConfig(), dropping(0.9), ["k50 #0", "k50 #1"])
