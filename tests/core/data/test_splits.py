"""What is held out, by whichever strategy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.config.evaluation import FilesSplit, LeaveLastSplit, RandomSplit, RandomUserSplit, TimeSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.published_split import published_test, split_of_files
from tasks.core.data.readers.ratings import Ratings
from tasks.core.data.splits import Strategy, hold_out
from tasks.core.errors import DataError


def interactions(matrix: csr_array, times: Any = None) -> Interactions:
    users, items = matrix.shape
    return Interactions(matrix, np.arange(users), np.arange(items), None, times)


def random_matrix(seed: int = 0) -> Interactions:
    stream = np.random.default_rng(seed)
    dense = stream.integers(0, 6, (40, 30)).astype(np.float32)
    matrix = csr_array(np.where(dense >= 3, dense, 0))
    return interactions(matrix, stream.integers(0, 50, matrix.nnz).astype(np.float64))  # many of one moment


EVERY = [
    RandomSplit(),
    RandomUserSplit(strategy="random_user"),
    RandomUserSplit(strategy="random_user", test_count=3),
    LeaveLastSplit(strategy="leave_last", test_count=2),
    TimeSplit(strategy="time"),
]


@pytest.mark.parametrize("config", EVERY, ids=lambda config: str(config))
@pytest.mark.parametrize("validation", [False, True])
def test_parts_are_disjoint_and_keep_their_values(config: Strategy, validation: bool) -> None:
    whole = random_matrix()
    split = hold_out(whole, config, seed=3, validation=validation)
    assert split.train.multiply(split.test).nnz == 0
    both = split.train + split.test
    assert both.multiply(both != whole.matrix).nnz == 0  # nothing that was not there
    assert (both.nnz == whole.matrix.nnz) is not validation
    assert split.train.has_sorted_indices


@pytest.mark.parametrize("config", EVERY, ids=lambda config: str(config))
def test_the_validation_part_is_taken_from_the_train_part(config: Strategy) -> None:
    whole = random_matrix()
    test, validation = (hold_out(whole, config, seed=3, validation=part) for part in (False, True))
    assert validation.test.multiply(test.test).nnz == 0
    assert ((validation.train + validation.test) != test.train).nnz == 0
    assert validation.test.nnz > 0


@pytest.mark.parametrize("config", EVERY[:3], ids=lambda config: str(config))
def test_what_is_drawn_follows_the_seed(config: Strategy) -> None:
    first, again, other = (hold_out(random_matrix(), config, seed=seed).test for seed in (1, 1, 2))
    assert (first != again).nnz == 0
    assert (first != other).nnz > 0


@pytest.mark.parametrize("config", EVERY[3:], ids=lambda config: str(config))
def test_what_is_dated_does_not(config: Strategy) -> None:
    first, other = (hold_out(random_matrix(), config, seed=seed).test for seed in (1, 2))
    assert (first != other).nnz == 0


class TestRandom:
    @pytest.mark.parametrize("fraction", [0.01, 0.2, 0.99])
    def test_the_share_is_of_all(self, fraction: float) -> None:
        whole = random_matrix()
        assert hold_out(whole, RandomSplit(test_fraction=fraction), seed=0).test.nnz == round(
            fraction * whole.matrix.nnz
        )

    def test_it_is_a_permutation_s_beginning(self) -> None:
        whole = random_matrix()
        chosen = np.random.default_rng(3).permutation(whole.matrix.nnz)[: round(0.2 * whole.matrix.nnz)]
        expected = whole.matrix.tocoo().coords
        rows, columns = hold_out(whole, RandomSplit(test_fraction=0.2), seed=3).test.nonzero()
        held = set(zip(rows.tolist(), columns.tolist(), strict=True))
        assert held == {(int(expected[0][at]), int(expected[1][at])) for at in chosen}

    def test_every_interaction_is_held_out_equally_often(self) -> None:
        whole = random_matrix()
        tests = [hold_out(whole, RandomSplit(test_fraction=0.2), seed=seed).test for seed in range(200)]
        shares = sum((test > 0).astype(int).toarray() for test in tests)[whole.matrix.toarray() > 0] / 200
        assert abs(shares.mean() - 0.2) < 0.001
        assert np.abs(shares - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 200)

    def test_users_and_items_that_are_emptied_are_counted(self) -> None:
        # five interactions, none sharing a user or an item: each one held out empties both
        split = hold_out(interactions(csr_array(np.eye(5, dtype=np.float32))), RandomSplit(test_fraction=0.4), seed=0)
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
            hold_out(interactions(csr_array(np.eye(3))), RandomSplit(test_fraction=fraction), seed=0)


class TestRandomUser:
    def test_a_share_of_each_user_s(self) -> None:
        whole = random_matrix()
        split = hold_out(whole, RandomUserSplit(strategy="random_user", test_fraction=0.3), seed=0)
        assert np.diff(split.test.indptr).tolist() == np.rint(0.3 * np.diff(whole.matrix.indptr)).tolist()

    def test_a_number_of_each_user_s_but_never_all(self) -> None:
        dense = np.tri(6, 6, dtype=np.float32)  # users of one to six items
        split = hold_out(interactions(csr_array(dense)), RandomUserSplit(strategy="random_user", test_count=3), seed=0)
        assert np.diff(split.test.indptr).tolist() == [0, 1, 2, 3, 3, 3]

    def test_each_of_a_user_s_is_held_out_equally_often(self) -> None:
        whole = interactions(csr_array(np.ones((1, 10), dtype=np.float32)))
        config = RandomUserSplit(strategy="random_user", test_count=2)
        shares = sum((hold_out(whole, config, seed=seed).test > 0).toarray() for seed in range(500))[0] / 500
        assert np.abs(shares - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 500)


class TestByTime:
    WHOLE = interactions(
        csr_array(np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0]], dtype=np.float32)),
        np.array([5, 9, 7, 1, 2, 8], dtype=np.float64),
    )

    def test_a_user_s_last(self) -> None:
        split = hold_out(self.WHOLE, LeaveLastSplit(strategy="leave_last"), seed=0)
        assert split.test.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]

    def test_a_user_s_last_two(self) -> None:
        split = hold_out(self.WHOLE, LeaveLastSplit(strategy="leave_last", test_count=2), seed=0)
        assert split.test.toarray().tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]

    def test_of_one_moment_the_highest_index_is_last(self) -> None:
        whole = interactions(csr_array(np.ones((1, 3), dtype=np.float32)), np.array([4.0, 4.0, 4.0]))
        split = hold_out(whole, LeaveLastSplit(strategy="leave_last"), seed=0)
        assert split.test.toarray().tolist() == [[0, 0, 1]]

    def test_the_latest_of_all(self) -> None:
        split = hold_out(self.WHOLE, TimeSplit(strategy="time", test_fraction=0.5), seed=0)
        assert split.test.toarray().tolist() == [[0, 1, 1], [0, 0, 0], [0, 1, 0]]
        assert split.counts()["users_without_train"] == 1

    def test_one_moment_is_not_torn(self) -> None:
        whole = interactions(csr_array(np.ones((1, 4), dtype=np.float32)), np.array([1.0, 3.0, 3.0, 3.0]))
        split = hold_out(whole, TimeSplit(strategy="time", test_fraction=0.25), seed=0)
        assert split.test.toarray().tolist() == [[0, 1, 1, 1]]

    def test_all_at_one_moment_are_no_split(self) -> None:
        whole = interactions(csr_array(np.ones((1, 4), dtype=np.float32)), np.ones(4))
        with pytest.raises(DataError, match="holds out 4 of 4 interactions: one part is empty"):
            hold_out(whole, TimeSplit(strategy="time"), seed=0)

    @pytest.mark.parametrize("config", [LeaveLastSplit(strategy="leave_last"), TimeSplit(strategy="time")])
    def test_without_timestamps_it_is_refused(self, config: Strategy) -> None:
        with pytest.raises(DataError, match=r"needs timestamps.*set dataset\.columns\.timestamp"):
            hold_out(interactions(csr_array(np.eye(3))), config, seed=0)


class TestPublished:
    CONFIG = FilesSplit(strategy="files", test="test.tsv")

    def train(self) -> Interactions:
        matrix = csr_array(np.array([[5, 0, 4], [0, 3, 0]], dtype=np.float32))
        return Interactions(matrix, np.array(["a", "b"]), np.array([10, 20, 30]), None)

    def part(self, rows: list[tuple[object, ...]], **rules: Any) -> Ratings:
        names = ["user", "item", "rating"][: len(rows[0])]
        frame = pd.DataFrame(rows, columns=names).astype({"user": "category", "item": "category"})
        return published_test(Ratings(frame, {}), PreprocessConfig(**rules))

    def held(self, rows: list[tuple[object, ...]], **rules: Any) -> tuple[csr_array, csr_array]:
        split = split_of_files(self.train(), self.part(rows, **rules), self.CONFIG)
        return split.train, split.test

    def test_raw_ids_meet(self) -> None:
        train, test = self.held([("b", 30), ("a", 20)])
        assert (train != self.train().matrix).nnz == 0
        assert test.toarray().tolist() == [[0, 1, 0], [0, 0, 1]]

    def test_who_and_what_is_new_comes_after_and_has_nothing_to_train_on(self) -> None:
        train, test = self.held([("c", 10), ("a", 40), ("b", 10)])
        assert train.toarray().tolist() == [[5, 0, 4, 0], [0, 3, 0, 0], [0, 0, 0, 0]]
        assert test.toarray().tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0]]

    def test_ids_of_another_type_meet_by_how_they_are_written(self) -> None:
        _, test = self.held([("a", "20")])
        assert test.toarray().tolist() == [[0, 1, 0], [0, 0, 0]]

    def test_the_rules_on_ratings_hold_for_it(self) -> None:
        _, test = self.held([("a", 20, 4.0), ("b", 10, 3.0)], min_rating=4.0)
        assert test.nnz == 1

    def test_what_is_in_the_train_part_too_is_refused(self) -> None:
        with pytest.raises(DataError, match="1 of its 2 interactions are in the train part too, user a with item 30"):
            self.held([("a", 30), ("b", 10)])

    def test_what_is_there_twice_is_refused_or_taken_once(self) -> None:
        with pytest.raises(DataError, match="twice"):
            self.held([("a", 20), ("a", 20)])
        assert self.held([("a", 20), ("a", 20)], duplicates="last")[1].nnz == 1

    def test_nothing_that_counts_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"test\.tsv holds no interaction that counts"):
            self.held([("a", 20, 1.0)], min_rating=4.0)
