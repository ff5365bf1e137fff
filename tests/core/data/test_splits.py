"""Interactions held out by each strategy."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import LeaveLastSplit, RandomSplit, RandomUserSplit, TimeSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.strategies import Strategy, hold_out
from tasks.core.errors import DataError


def interactions_of(matrix: csr_array, times: Any = None) -> Interactions:
    users, items = matrix.shape
    return Interactions(matrix, np.arange(users), np.arange(items), None, times)


def random_interactions(seed: int = 0) -> Interactions:
    generator = np.random.default_rng(seed)
    dense = generator.integers(0, 6, (40, 30)).astype(np.float32)
    matrix = csr_array(np.where(dense >= 3, dense, 0))
    times = generator.integers(0, 50, matrix.nnz).astype(np.float64)  # many are equal
    return interactions_of(matrix, times)


STRATEGIES = [
    RandomSplit(),
    RandomUserSplit(strategy="random_user"),
    RandomUserSplit(strategy="random_user", test_count=3),
    LeaveLastSplit(strategy="leave_last", test_count=2),
    TimeSplit(strategy="time"),
]


@pytest.mark.parametrize("config", STRATEGIES, ids=lambda config: str(config))
@pytest.mark.parametrize("validation", [False, True])
def test_parts_are_disjoint_and_keep_their_values(config: Strategy, validation: bool) -> None:
    interactions = random_interactions()
    split = hold_out(interactions, config, seed=3, validation=validation)
    assert split.train.multiply(split.test).nnz == 0
    both = split.train + split.test
    assert both.multiply(both != interactions.matrix).nnz == 0  # nothing is in a part that is not in the interactions
    assert (both.nnz == interactions.matrix.nnz) is not validation
    assert split.train.has_sorted_indices


@pytest.mark.parametrize("config", STRATEGIES, ids=lambda config: str(config))
def test_the_validation_part_is_taken_from_the_train_part(config: Strategy) -> None:
    interactions = random_interactions()
    test, validation = (hold_out(interactions, config, seed=3, validation=part) for part in (False, True))
    assert validation.test.multiply(test.test).nnz == 0
    assert ((validation.train + validation.test) != test.train).nnz == 0
    assert validation.test.nnz > 0


@pytest.mark.parametrize("config", STRATEGIES[:3], ids=lambda config: str(config))
def test_random_splits_follow_the_seed(config: Strategy) -> None:
    first, repeated, second = (hold_out(random_interactions(), config, seed=seed).test for seed in (1, 1, 2))
    assert (first != repeated).nnz == 0
    assert (first != second).nnz > 0


@pytest.mark.parametrize("config", STRATEGIES[3:], ids=lambda config: str(config))
def test_splits_by_time_do_not_depend_on_the_seed(config: Strategy) -> None:
    first, second = (hold_out(random_interactions(), config, seed=seed).test for seed in (1, 2))
    assert (first != second).nnz == 0


class TestRandom:
    @pytest.mark.parametrize("fraction", [0.01, 0.2, 0.99])
    def test_the_fraction_is_of_all_interactions(self, fraction: float) -> None:
        interactions = random_interactions()
        split = hold_out(interactions, RandomSplit(test_fraction=fraction), seed=0)
        assert split.test.nnz == round(fraction * interactions.matrix.nnz)

    def test_the_test_part_is_the_start_of_a_permutation(self) -> None:
        interactions = random_interactions()
        n = interactions.matrix.nnz
        start = np.random.default_rng(3).permutation(n)[: round(0.2 * n)]
        rows, columns = interactions.matrix.tocoo().coords
        test_rows, test_columns = hold_out(interactions, RandomSplit(test_fraction=0.2), seed=3).test.nonzero()
        held_out = set(zip(test_rows.tolist(), test_columns.tolist(), strict=True))
        assert held_out == {(int(rows[at]), int(columns[at])) for at in start}

    def test_every_interaction_is_held_out_equally_often(self) -> None:
        interactions = random_interactions()
        tests = [hold_out(interactions, RandomSplit(test_fraction=0.2), seed=seed).test for seed in range(200)]
        shares = sum((test > 0).astype(int).toarray() for test in tests)[interactions.matrix.toarray() > 0] / 200
        assert abs(shares.mean() - 0.2) < 0.001
        assert np.abs(shares - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 200)

    def test_users_and_items_without_train_interactions_are_counted(self) -> None:
        # five users and five items with one interaction each
        split = hold_out(
            interactions_of(csr_array(np.eye(5, dtype=np.float32))), RandomSplit(test_fraction=0.4), seed=0
        )
        assert split.counts() == {
            "train_interactions": 3,
            "test_interactions": 2,
            "evaluated_users": 2,
            "users_without_train": 2,
            "items_without_train": 2,
        }

    @pytest.mark.parametrize("fraction", [0.01, 0.99])
    def test_an_empty_part_is_refused(self, fraction: float) -> None:
        with pytest.raises(DataError, match="one part is empty"):
            hold_out(interactions_of(csr_array(np.eye(3))), RandomSplit(test_fraction=fraction), seed=0)


class TestRandomUser:
    def test_a_fraction_is_of_each_users_interactions(self) -> None:
        interactions = random_interactions()
        split = hold_out(interactions, RandomUserSplit(strategy="random_user", test_fraction=0.3), seed=0)
        assert np.diff(split.test.indptr).tolist() == np.rint(0.3 * np.diff(interactions.matrix.indptr)).tolist()

    def test_a_number_is_held_out_of_each_user_but_never_all(self) -> None:
        dense = np.tri(6, 6, dtype=np.float32)  # users with one to six items
        split = hold_out(
            interactions_of(csr_array(dense)), RandomUserSplit(strategy="random_user", test_count=3), seed=0
        )
        assert np.diff(split.test.indptr).tolist() == [0, 1, 2, 3, 3, 3]

    def test_every_interaction_of_a_user_is_held_out_equally_often(self) -> None:
        interactions = interactions_of(csr_array(np.ones((1, 10), dtype=np.float32)))
        config = RandomUserSplit(strategy="random_user", test_count=2)
        shares = sum((hold_out(interactions, config, seed=seed).test > 0).toarray() for seed in range(500))[0] / 500
        assert np.abs(shares - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 500)


class TestByTime:
    INTERACTIONS = interactions_of(
        csr_array(np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0]], dtype=np.float32)),
        np.array([5, 9, 7, 1, 2, 8], dtype=np.float64),
    )

    def test_leave_last_holds_out_each_users_last_interaction(self) -> None:
        split = hold_out(self.INTERACTIONS, LeaveLastSplit(strategy="leave_last"), seed=0)
        assert split.test.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]

    def test_leave_last_holds_out_as_many_as_configured_but_never_all(self) -> None:
        split = hold_out(self.INTERACTIONS, LeaveLastSplit(strategy="leave_last", test_count=2), seed=0)
        assert split.test.toarray().tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]

    def test_of_equal_timestamps_the_highest_item_index_is_last(self) -> None:
        interactions = interactions_of(csr_array(np.ones((1, 3), dtype=np.float32)), np.array([4.0, 4.0, 4.0]))
        split = hold_out(interactions, LeaveLastSplit(strategy="leave_last"), seed=0)
        assert split.test.toarray().tolist() == [[0, 0, 1]]

    def test_time_holds_out_the_latest_interactions_of_all_users(self) -> None:
        split = hold_out(self.INTERACTIONS, TimeSplit(strategy="time", test_fraction=0.5), seed=0)
        assert split.test.toarray().tolist() == [[0, 1, 1], [0, 0, 0], [0, 1, 0]]
        assert split.counts()["users_without_train"] == 1

    def test_equal_timestamps_stay_in_one_part(self) -> None:
        interactions = interactions_of(csr_array(np.ones((1, 4), dtype=np.float32)), np.array([1.0, 3.0, 3.0, 3.0]))
        split = hold_out(interactions, TimeSplit(strategy="time", test_fraction=0.25), seed=0)
        assert split.test.toarray().tolist() == [[0, 1, 1, 1]]

    def test_a_single_timestamp_is_refused(self) -> None:
        interactions = interactions_of(csr_array(np.ones((1, 4), dtype=np.float32)), np.ones(4))
        with pytest.raises(DataError, match="holds out 4 of 4 interactions: one part is empty"):
            hold_out(interactions, TimeSplit(strategy="time"), seed=0)

    @pytest.mark.parametrize("config", [LeaveLastSplit(strategy="leave_last"), TimeSplit(strategy="time")])
    def test_missing_timestamps_are_refused(self, config: Strategy) -> None:
        with pytest.raises(DataError, match=r"needs timestamps.*set dataset\.columns\.timestamp"):
            hold_out(interactions_of(csr_array(np.eye(3))), config, seed=0)
