"""Folds: the data are divided at random, and each part is held out in turn (k-fold cross-validation)."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.evaluation import FoldsSplit
from tasks.core.data.interactions import select
from tasks.core.data.splits.split import Split
from tasks.core.errors import DataError
from tasks.core.types import Counts

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def hold_out_fold(
    matrix: "csr_array", config: FoldsSplit, number: int, *, seed: int, validation: bool = False
) -> Split:
    """Split interactions into a train part and a fold, which is held out.

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
        If there are fewer interactions than folds.
    """
    folds = _divide(matrix.nnz, config.folds, "interactions", seed)
    split = Split(select(matrix, folds != number), select(matrix, folds == number))
    return hold_out_fold(split.train, config, number, seed=seed + 1) if validation else split


def _divide(n: int, folds: int, kind: str, seed: int) -> Counts:
    """Return the fold of each of n interactions or users, (n,) int64."""
    if n < folds:
        raise DataError(
            f"evaluation.split.folds: found {folds}, but there are {n} {kind} to divide; expected at most as many folds"
        )
    assigned = np.arange(n) % folds
    np.random.default_rng(seed).shuffle(assigned)
    return assigned
