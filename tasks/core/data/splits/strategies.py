"""Interactions held out for evaluation.

Each strategy is a function that marks the stored interactions to hold out. `hold_out` calls the one that the config
names. Published test files are the subject of `tasks.core.data.splits.published`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.evaluation import LeaveLastSplit, RandomSplit, RandomUserSplit, TimeSplit
from tasks.core.data.interactions import Interactions, select
from tasks.core.data.splits.split import Split
from tasks.core.errors import DataError
from tasks.core.types import Counts, Mask, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALGORITHM = 1
"""Part of an evaluation's identity. To be raised whenever the same settings hold out other interactions."""
Strategy = RandomSplit | RandomUserSplit | LeaveLastSplit | TimeSplit


def hold_out(interactions: Interactions, config: Strategy, *, seed: int, validation: bool = False) -> Split:
    """Split interactions into a train part and a test part by the strategy of a config.

    Parameters
    ----------
    interactions : Interactions
        With timestamps, if the strategy needs them.
    config : Strategy
        The strategy, and the size of the test part.
    seed : int
        Of the random draws.
    validation : bool
        Whether to leave the test part out and split the train part once more, with `seed` + 1.

    Returns
    -------
    Split
        The validation part stands in place of the test part, if `validation` is set.

    Raises
    ------
    DataError
        If a part would be empty, or the strategy needs timestamps and the data have none.
    """
    split, held_out = _split(interactions.matrix, interactions.times, config, seed)
    if not validation:
        return split
    times = None if interactions.times is None else interactions.times[~held_out]
    return _split(split.train, times, config, seed + 1)[0]


def _random(matrix: "csr_array", times: Values | None, config: RandomSplit, seed: int) -> Mask:
    """Hold out a fraction of all interactions."""
    # shuffling int32 draws what Generator.permutation draws, with half the memory
    order = np.arange(matrix.nnz, dtype=np.int32)
    np.random.default_rng(seed).shuffle(order)
    held_out = np.zeros(matrix.nnz, dtype=bool)
    held_out[order[: round(config.test_fraction * matrix.nnz)]] = True
    return held_out


def _random_user(matrix: "csr_array", times: Values | None, config: RandomUserSplit, seed: int) -> Mask:
    """Hold out a fraction or a number of each user's interactions, but never all of them."""
    fraction = 0.2 if config.test_fraction is None else config.test_fraction
    counts = np.diff(matrix.indptr)
    n_test = np.rint(fraction * counts).astype(np.int64) if config.test_count is None else config.test_count
    return lowest_in_each_row(matrix, np.random.default_rng(seed).random(matrix.nnz), n_test)


def _leave_last(matrix: "csr_array", times: Values | None, config: LeaveLastSplit, seed: int) -> Mask:
    """Hold out each user's last interactions, but never all of them.

    Of interactions with the same timestamp, those with the highest item indexes count as the last.
    """
    return lowest_in_each_row(matrix, -_require_times(times, config.strategy), config.test_count)


def _time(matrix: "csr_array", times: Values | None, config: TimeSplit, seed: int) -> Mask:
    """Hold out the latest interactions of all users, and all that have the same timestamp as the first of them."""
    times = _require_times(times, config.strategy)
    n_test = round(config.test_fraction * matrix.nnz)
    if n_test == 0:
        return np.zeros(matrix.nnz, dtype=bool)
    first = np.partition(times, matrix.nnz - n_test)[matrix.nnz - n_test]
    return np.asarray(times >= first)


_STRATEGIES: dict[type, Callable[["csr_array", Values | None, Any, int], Mask]] = {
    RandomSplit: _random,
    RandomUserSplit: _random_user,
    LeaveLastSplit: _leave_last,
    TimeSplit: _time,
}


def _split(matrix: "csr_array", times: Values | None, config: Strategy, seed: int) -> tuple[Split, Mask]:
    """Return the two parts, and the mask of the stored values that are in the second."""
    held_out = _STRATEGIES[type(config)](matrix, times, config, seed)
    n_test = int(held_out.sum())
    if not 0 < n_test < matrix.nnz:
        raise DataError(
            f"the {config.strategy} split holds out {n_test} of {matrix.nnz} interactions: one part is empty; "
            "change evaluation.split, or set evaluation: null"
        )
    return Split(select(matrix, ~held_out), select(matrix, held_out)), held_out


def lowest_in_each_row(matrix: "csr_array", keys: Values, n: Counts | int) -> Mask:
    """Mark the n stored values with the lowest keys in each row, but never a complete row.

    Parameters
    ----------
    matrix : (U, I) CSR
        Its values are not used.
    keys : (nnz,) float64
        Of equal keys in a row, the one with the highest column counts as the lowest.
    n : (U,) int64 or int
        For each row, or for all of them.

    Returns
    -------
    (nnz,) bool
    """
    counts = np.diff(matrix.indptr).astype(np.int64)
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), counts)
    # lexsort is stable: on reversed input, the last of equal keys comes first
    order = matrix.nnz - 1 - np.lexsort((keys[::-1], rows[::-1]))
    rank_in_row = np.arange(matrix.nnz, dtype=np.int32) - matrix.indptr[rows]
    lowest = np.zeros(matrix.nnz, dtype=bool)
    lowest[order] = rank_in_row < np.minimum(n, counts - 1)[rows]
    return lowest


def _require_times(times: Values | None, strategy: str) -> Values:
    if times is None:
        raise DataError(
            f"evaluation.split.strategy {strategy} needs timestamps, and the data have none; set "
            "dataset.columns.timestamp, or dataset.order: time if the file is in the order of time, or use strategy "
            "random or random_user"
        )
    return times
