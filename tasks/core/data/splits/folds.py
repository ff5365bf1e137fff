"""Folds: the data are divided at random, and each part is held out in turn (k-fold cross-validation)."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.evaluation import VISIBLE, FoldsSplit
from tasks.core.data.interactions import select
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strong import can_be_held_out, hold_out_users
from tasks.core.errors import DataError
from tasks.core.types import Counts

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_DIVIDED = {"interactions": "interactions", "users": "users with two interactions or more"}


def hold_out_fold(
    matrix: "csr_array", config: FoldsSplit, number: int, *, seed: int, validation: bool = False
) -> Split:
    """Split interactions into a train part and a fold, which is held out.

    In folds of users, every user who has two interactions or more is held out once as a whole, and a part of what the
    user has is visible. Other users are in every train part.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        All interactions.
    config : FoldsSplit
        What is divided into how many folds.
    number : int
        Of the fold that is held out, from 0.
    seed : int
        Of the random division, which is the same for all folds. The sizes of two folds differ by one at most.
    validation : bool
        Whether to leave the fold out, and to divide the train part once more, with `seed` + 1.

    Returns
    -------
    Split

    Raises
    ------
    DataError
        If there are fewer interactions, or users who can be held out, than folds.
    """
    if config.by == "users":
        candidates = np.flatnonzero(can_be_held_out(matrix))
        users = np.zeros(matrix.shape[0], dtype=bool)
        users[candidates[_divide(len(candidates), config.folds, "users", seed) == number]] = True
        split = hold_out_users(matrix, users, visible=VISIBLE if config.visible is None else config.visible, seed=seed)
    else:
        folds = _divide(matrix.nnz, config.folds, "interactions", seed)
        split = Split(select(matrix, folds != number), select(matrix, folds == number))
    return hold_out_fold(split.train, config, number, seed=seed + 1) if validation else split


def _divide(n: int, folds: int, kind: str, seed: int) -> Counts:
    """Return the fold of each of n interactions or users, (n,) int64."""
    if n < folds:
        raise DataError(
            f"evaluation.split.folds: found {folds}, but there are {n} {_DIVIDED[kind]}; expected at most as many folds"
        )
    assigned = np.arange(n) % folds
    # the seed of the visible interactions is the same, and their draws are others
    np.random.default_rng([seed, 1]).shuffle(assigned)
    return assigned
