"""Users held out as a whole: a model is trained without them, and learns of them what is visible.

Recommendations for users who were not trained on measure strong generalisation (Marlin 2004; Liang et al. 2018).
"""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.evaluation import StrongSplit
from tasks.core.data.interactions import select
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import lowest_in_each_row
from tasks.core.errors import DataError
from tasks.core.formatting import counted
from tasks.core.types import Mask

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FEWEST = 2
"""Interactions of a user who can be held out: one is visible, and one is in the test part."""


def hold_out_strongly(matrix: "csr_array", config: StrongSplit, *, seed: int, validation: bool = False) -> Split:
    """Split interactions by users: some are held out as a whole, and a part of what they have is visible.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        All interactions.
    config : StrongSplit
        The fraction of the users that are held out, and the fraction of their interactions that is visible.
    seed : int
        Of the random draws.
    validation : bool
        Whether to leave these users out, and to hold out as large a fraction of the others, with `seed` + 1. The users
        of the test part are then in no part.

    Returns
    -------
    Split

    Raises
    ------
    DataError
        If the fraction is of no user or of all of them, or too few users have two interactions or more.
    """
    split = hold_out_users(matrix, _drawn(matrix, config, seed), visible=config.visible, seed=seed)
    if not validation:
        return split
    return hold_out_strongly(split.train, config, seed=seed + 1)


def hold_out_users(matrix: "csr_array", users: Mask, *, visible: float, seed: int) -> Split:
    """Split the interactions of given users into a visible part and a test part, and train on the other users.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        All interactions.
    users : (U,) bool
        Who is held out; each has two interactions or more, see `can_be_held_out`.
    visible : float
        Fraction of a user's interactions that is visible, rounded to whole interactions. At least one is, and at least
        one is in the test part.
    seed : int
        Of the random draw of the visible interactions.

    Returns
    -------
    Split
        The parts have the shape of the matrix. Users who are held out have empty rows in the train part.

    Raises
    ------
    ValueError
        If one of the users has fewer than two interactions.
    """
    counts = np.diff(matrix.indptr).astype(np.int64)
    if (counts[users] < FEWEST).any():
        raise ValueError(f"found users with fewer than {FEWEST} interactions; expected users that can be held out")
    n_test = np.clip(counts - np.rint(visible * counts).astype(np.int64), 1, None)
    of_held_out = np.repeat(users, counts)
    in_test = of_held_out & lowest_in_each_row(matrix, np.random.default_rng(seed).random(matrix.nnz), n_test)
    return Split(select(matrix, ~of_held_out), select(matrix, in_test), select(matrix, of_held_out & ~in_test))


def can_be_held_out(matrix: "csr_array") -> Mask:
    """Return which users have enough interactions for a visible part and a test part, (U,)."""
    return np.asarray(np.diff(matrix.indptr) >= FEWEST)


def _drawn(matrix: "csr_array", config: StrongSplit, seed: int) -> Mask:
    """Draw the users who are held out."""
    candidates, present = can_be_held_out(matrix), np.diff(matrix.indptr) > 0
    n_users, n_candidates = int(present.sum()), int(candidates.sum())
    n_held_out = round(config.users * n_users)
    if not 0 < n_held_out < n_users:
        raise DataError(
            f"evaluation.split.users: found {config.users:g}, which is {n_held_out} of {counted(n_users, 'user')}; "
            "expected a fraction that holds out at least one user and leaves at least one to train on"
        )
    if n_held_out > n_candidates:
        raise DataError(
            f"evaluation.split.users: found {config.users:g}, which is {n_held_out:,} of {n_users:,} users, but only "
            f"{counted(n_candidates, 'user')} can be held out, as a visible and a test interaction take two; "
            "lower the fraction, or set preprocess.k_core to 2"
        )
    users = np.zeros(matrix.shape[0], dtype=bool)
    # the seed of the visible interactions is the same, and their draws are others
    rng = np.random.default_rng([seed, 1])
    users[rng.choice(np.flatnonzero(candidates), n_held_out, replace=False)] = True
    return users
