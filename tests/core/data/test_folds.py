"""Folds of interactions, and folds of users."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import FoldsSplit
from tasks.core.data.splits.folds import hold_out_fold
from tasks.core.errors import DataError
from tests.core.data.test_splits import random_interactions

FOLDS = FoldsSplit(strategy="folds", folds=4)
MATRIX = random_interactions().matrix


def test_every_interaction_is_held_out_once() -> None:
    splits = [hold_out_fold(MATRIX, FOLDS, number, seed=3) for number in range(4)]
    assert (sum(split.test for split in splits) != MATRIX).nnz == 0
    for split in splits:
        assert split.train.multiply(split.test).nnz == 0
        assert (split.train + split.test != MATRIX).nnz == 0


def test_the_sizes_of_two_folds_differ_by_one_at_most() -> None:
    sizes = [hold_out_fold(MATRIX, FOLDS, number, seed=3).test.nnz for number in range(4)]
    assert max(sizes) - min(sizes) <= 1


def test_another_seed_gives_another_division() -> None:
    first, again, second = (hold_out_fold(MATRIX, FOLDS, 0, seed=seed).test for seed in (1, 1, 2))
    assert (first != again).nnz == 0
    assert (first != second).nnz > 0


def test_interactions_are_divided_at_random() -> None:
    """Of two divisions into two folds, about half of the first fold is in the other's first fold."""
    halves = FoldsSplit(strategy="folds", folds=2)
    first, second = (hold_out_fold(MATRIX, halves, 0, seed=seed).test for seed in (1, 2))
    assert first.multiply(second).nnz / first.nnz == pytest.approx(0.5, abs=0.1)


def test_the_validation_part_is_a_fold_of_the_train_part() -> None:
    test, validation = (hold_out_fold(MATRIX, FOLDS, 1, seed=3, validation=part) for part in (False, True))
    assert validation.test.multiply(test.test).nnz == 0
    assert (validation.train + validation.test != test.train).nnz == 0
    assert validation.test.nnz == pytest.approx(test.train.nnz / 4, abs=1)


def test_what_is_held_out_is_a_third_of_what_is_trained_on_with_four_folds() -> None:
    ratios = [hold_out_fold(MATRIX, FOLDS, number, seed=3).held_out_ratio for number in range(4)]
    assert np.mean(ratios) == pytest.approx(1 / 3, rel=0.01)


def test_more_folds_than_interactions_are_refused() -> None:
    few = MATRIX[:1, :10]
    with pytest.raises(DataError, match=rf"folds: found 40, but there are {few.nnz} interactions; expected at most"):
        hold_out_fold(few, FoldsSplit(strategy="folds", folds=40), 0, seed=1)


USERS = FoldsSplit(strategy="folds", by="users", folds=3, visible=0.5)


def test_every_user_who_can_be_held_out_is_so_once_with_a_visible_part() -> None:
    dense = MATRIX.toarray()
    dense[0, 1:] = 0
    dense[0, 0] = 4  # a single interaction cannot be both visible and in the test part
    matrix = csr_array(dense)
    splits = [hold_out_fold(matrix, USERS, number, seed=3) for number in range(3)]
    held_out = [np.flatnonzero(np.diff(split.test.indptr)) for split in splits]
    assert sorted(np.concatenate(held_out)) == list(range(1, 40))
    for split, users in zip(splits, held_out, strict=True):
        assert split.visible is not None
        assert (split.train + split.visible + split.test != matrix).nnz == 0
        assert split.train[users].nnz == 0
        assert (np.diff(split.visible.indptr)[users] > 0).all()
        assert split.visible.nnz == pytest.approx(split.test.nnz, abs=len(users))


def test_four_fifths_of_a_user_are_visible_unless_set() -> None:
    default = hold_out_fold(MATRIX, FoldsSplit(strategy="folds", by="users"), 0, seed=1)
    written = hold_out_fold(MATRIX, FoldsSplit(strategy="folds", by="users", visible=0.8), 0, seed=1)
    assert (default.test != written.test).nnz == 0


def test_visible_interactions_count_as_held_out() -> None:
    ratios = [hold_out_fold(MATRIX, USERS, number, seed=3).held_out_ratio for number in range(3)]
    assert np.mean(ratios) == pytest.approx(1 / 2, rel=0.05)


def test_the_validation_part_of_users_leaves_out_those_of_the_test_part() -> None:
    test, validation = (hold_out_fold(MATRIX, USERS, 1, seed=3, validation=part) for part in (False, True))
    held_out, validated = (set(np.flatnonzero(np.diff(split.test.indptr))) for split in (test, validation))
    assert validated
    assert validated.isdisjoint(held_out)
    assert validation.train[sorted(held_out)].nnz == 0


def test_more_folds_than_users_are_refused() -> None:
    with pytest.raises(DataError, match="found 50, but there are 40 users with two interactions or more; expected at"):
        hold_out_fold(MATRIX, FoldsSplit(strategy="folds", by="users", folds=50), 0, seed=1)
