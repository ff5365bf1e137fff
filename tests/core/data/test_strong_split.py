"""Users held out as a whole, with a visible part and a test part."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import StrongSplit
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strong import can_be_held_out, hold_out_strongly, hold_out_users
from tasks.core.errors import DataError
from tests.core.models.examples import confidences

MATRIX = confidences(users=50, items=30)


def strong(users: float = 0.2, visible: float = 0.8) -> StrongSplit:
    return StrongSplit(strategy="strong", users=users, visible=visible)


def sizes(part: csr_array | None) -> np.ndarray:
    """Return the number of interactions of each user in a part of a split."""
    assert part is not None
    return np.diff(part.indptr)


@pytest.mark.parametrize("validation", [False, True])
def test_parts_are_disjoint_and_keep_their_values(validation: bool) -> None:
    split = hold_out_strongly(MATRIX, strong(), seed=3, validation=validation)
    assert split.visible is not None
    both = split.known + split.test
    assert both.multiply(both != MATRIX).nnz == 0
    assert split.train.nnz + split.visible.nnz + split.test.nnz == both.nnz
    assert (both.nnz == MATRIX.nnz) is not validation
    assert all(part.has_sorted_indices for part in (split.train, split.visible, split.test))


def test_held_out_users_are_in_the_visible_part_and_the_test_part_and_all_others_in_the_train_part() -> None:
    split = hold_out_strongly(MATRIX, strong(users=0.3, visible=0.6), seed=3)
    visible, test, all_of_user = sizes(split.visible), sizes(split.test), np.diff(MATRIX.indptr)
    held_out = test > 0
    assert held_out.sum() == 15
    np.testing.assert_array_equal(visible > 0, held_out)
    np.testing.assert_array_equal(sizes(split.train), np.where(held_out, 0, all_of_user))
    np.testing.assert_array_equal(visible[held_out], np.rint(0.6 * all_of_user[held_out]))


@pytest.mark.parametrize(("visible", "expected"), [(0.01, [1, 1, 1]), (0.5, [1, 2, 2]), (0.99, [1, 2, 3])])
def test_at_least_one_interaction_is_visible_and_one_in_the_test_part(visible: float, expected: list[int]) -> None:
    """Users with 2, 3 and 4 interactions; a half of 3 is rounded to the even number."""
    matrix = csr_array(np.tri(3, 4, k=1, dtype=np.float32))
    split = hold_out_users(matrix, np.ones(3, dtype=bool), visible=visible, seed=0)
    assert sizes(split.visible).tolist() == expected
    assert (sizes(split.visible) + sizes(split.test)).tolist() == [2, 3, 4]
    assert split.train.nnz == 0


def test_a_user_with_one_interaction_stays_in_the_train_part_and_is_counted() -> None:
    dense = np.zeros((6, 4), dtype=np.float32)
    dense[:4, 0] = 1  # four users with one interaction
    dense[4:] = 1
    split = hold_out_strongly(csr_array(dense), strong(users=0.3, visible=0.5), seed=0)
    assert sizes(split.test).tolist() == [0, 0, 0, 0, 2, 2]
    assert split.counts() == {
        "train_interactions": 4,
        "test_interactions": 4,
        "evaluated_users": 2,
        "users_without_train": 0,
        "items_without_train": 3,
        "held_out_users": 2,
        "visible_interactions": 4,
        "users_too_small": 4,
    }


def test_the_validation_part_is_of_other_users_and_leaves_those_of_the_test_part_out() -> None:
    test, validation = (hold_out_strongly(MATRIX, strong(), seed=3, validation=part) for part in (False, True))
    in_test, in_validation = sizes(test.test) > 0, sizes(validation.test) > 0
    assert not (in_test & in_validation).any()
    assert in_validation.sum() == 8  # a fifth of the forty users who are not in the test part
    assert not (sizes(validation.known)[in_test]).any()
    assert validation.counts()["users_without_train"] == in_test.sum() == 10
    assert ((validation.known + validation.test) != test.train).nnz == 0


def test_users_and_their_visible_interactions_follow_the_seed() -> None:
    first, repeated, second = (hold_out_strongly(MATRIX, strong(), seed=seed) for seed in (1, 1, 2))
    assert (first.test != repeated.test).nnz == 0
    assert (sizes(first.test) > 0).tolist() != (sizes(second.test) > 0).tolist()
    everyone = np.ones(MATRIX.shape[0], dtype=bool)
    one, other = (hold_out_users(MATRIX, everyone, visible=0.8, seed=seed).test for seed in (1, 2))
    assert (one != other).nnz > 0


def test_every_user_and_every_interaction_of_a_user_is_held_out_equally_often() -> None:
    matrix, draws = csr_array(np.ones((10, 5), dtype=np.float32)), 600
    tests = [hold_out_strongly(matrix, strong(visible=0.6), seed=seed).test for seed in range(draws)]
    shares = sum((test > 0).toarray().astype(int) for test in tests) / draws  # 0.2 of users, 0.4 of the items of each
    assert np.abs(shares - 0.08).max() < 4.5 * np.sqrt(0.08 * 0.92 / draws)


def test_any_users_can_be_held_out() -> None:
    users = np.zeros(MATRIX.shape[0], dtype=bool)
    users[[3, 7]] = True
    split = hold_out_users(MATRIX, users, visible=0.5, seed=0)
    assert np.flatnonzero(sizes(split.test)).tolist() == [3, 7]
    small = csr_array(np.tri(3, 3, dtype=np.float32))
    assert can_be_held_out(small).tolist() == [False, True, True]
    with pytest.raises(ValueError, match="fewer than 2 interactions"):
        hold_out_users(small, np.ones(3, dtype=bool), visible=0.5, seed=0)


@pytest.mark.parametrize(
    ("matrix", "users", "words"),
    [
        (np.eye(5) + np.eye(5, k=1), 0.01, "found 0.01, which is 0 of 5 users; expected a fraction that holds out at"),
        (np.eye(5) + np.eye(5, k=1), 0.99, "found 0.99, which is 5 of 5 users"),
        (np.eye(5), 0.2, r"1 of 5 users, but only 0 users can be held out.*lower the fraction, or set .*k_core to 2"),
        (np.eye(5) + np.eye(5, k=4), 0.4, "2 of 5 users, but only 1 user can be held out"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(matrix: np.ndarray, users: float, words: str) -> None:
    with pytest.raises(DataError, match=words):
        hold_out_strongly(csr_array(matrix.astype(np.float32)), strong(users=users), seed=0)


def test_a_validation_part_that_has_too_few_users_left_is_refused() -> None:
    """The first draw takes the two users who have two interactions."""
    matrix = np.eye(6, dtype=np.float32)
    matrix[:2, 5] = 1
    with pytest.raises(DataError, match="1 of 4 users, but only 0 users can be held out"):
        hold_out_strongly(csr_array(matrix), strong(users=0.3), seed=0, validation=True)


def test_the_known_part_of_a_user_is_train_or_visible() -> None:
    split = hold_out_strongly(MATRIX, strong(), seed=3)
    assert (split.known != split.train + split.visible).nnz == 0
    assert Split(split.train, split.test).known is split.train
