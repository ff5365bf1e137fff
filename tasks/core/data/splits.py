"""Interactions -> a train part and a test part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.evaluation import LeaveLastSplit, RandomSplit, RandomUserSplit, TimeSplit
from tasks.core.data.interactions import Interactions, tally
from tasks.core.errors import DataError
from tasks.core.types import Mask, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALGORITHM = 1
"""Part of an evaluation's identity; raised whenever the same settings would hold out other interactions."""
Strategy = RandomSplit | RandomUserSplit | LeaveLastSplit | TimeSplit


@dataclass(frozen=True)
class Split:
    """Two matrices of one shape whose interactions are disjoint.

    Users and items that only a published test file has are rows and columns after those of the interactions; they
    have nothing in `train`.

    train, test : (U', I') CSR float32
    """

    train: "csr_array"
    test: "csr_array"

    def counts(self) -> dict[str, int]:
        """What evaluations are logged with: how much is in either part, and what the split emptied."""
        in_train = tally(self.train.indices, self.train.shape[1])
        return {
            "train_interactions": self.train.nnz,
            "test_interactions": self.test.nnz,
            "evaluated_users": int((np.diff(self.test.indptr) > 0).sum()),
            "users_without_train": int((np.diff(self.train.indptr) == 0).sum()),
            "items_without_train": int((in_train == 0).sum()),
        }


def hold_out(loaded: Interactions, config: Strategy, *, seed: int, validation: bool = False) -> Split:
    """Split by a strategy.

    Parameters
    ----------
    seed : of whatever is drawn
    validation : split the train part once more, with a seed that follows from `seed`, and leave the test part out

    Raises
    ------
    DataError
        A part would be empty, a strategy needs timestamps that are not there.
    """
    split, held_out = _parted(loaded.matrix, loaded.times, config, seed)
    if not validation:
        return split
    times = None if loaded.times is None else loaded.times[~held_out]
    return _parted(split.train, times, config, seed + 1)[0]


def random(matrix: "csr_array", times: Values | None, config: RandomSplit, seed: int) -> Mask:
    """A share of all interactions, by a permutation of them."""
    order = np.arange(matrix.nnz, dtype=np.int32)  # half the memory of `permutation`, which draws the same
    np.random.default_rng(seed).shuffle(order)
    held_out = np.zeros(matrix.nnz, dtype=bool)
    held_out[order[: round(config.test_fraction * matrix.nnz)]] = True
    return held_out


def random_user(matrix: "csr_array", times: Values | None, config: RandomUserSplit, seed: int) -> Mask:
    """A share or a number of each user's interactions, all but one at most."""
    counts = np.diff(matrix.indptr)
    share = 0.2 if config.test_fraction is None else config.test_fraction
    wanted = np.rint(share * counts).astype(np.int64) if config.test_count is None else config.test_count
    return _first_of_each_row(matrix, np.random.default_rng(seed).random(matrix.nnz), wanted)


def leave_last(matrix: "csr_array", times: Values | None, config: LeaveLastSplit, seed: int) -> Mask:
    """Each user's last interactions, all but one at most; of one moment, those of the highest item index."""
    return _first_of_each_row(matrix, -_needed(times, config.strategy), config.test_count)


def by_time(matrix: "csr_array", times: Values | None, config: TimeSplit, seed: int) -> Mask:
    """The latest interactions of all, and those of the same moment as the first of them."""
    moments = _needed(times, config.strategy)
    n_test = round(config.test_fraction * matrix.nnz)
    if n_test == 0:
        return np.zeros(matrix.nnz, dtype=bool)
    first = np.partition(moments, matrix.nnz - n_test)[matrix.nnz - n_test]
    return np.asarray(moments >= first)


STRATEGIES: dict[type, Callable[["csr_array", Values | None, Any, int], Mask]] = {
    RandomSplit: random,
    RandomUserSplit: random_user,
    LeaveLastSplit: leave_last,
    TimeSplit: by_time,
}


def _parted(matrix: "csr_array", times: Values | None, config: Strategy, seed: int) -> tuple[Split, Mask]:
    """The two parts, and what is in the second."""
    held_out = STRATEGIES[type(config)](matrix, times, config, seed)
    n_test = int(held_out.sum())
    if not 0 < n_test < matrix.nnz:
        raise DataError(
            f"the {config.strategy} split holds out {n_test} of {matrix.nnz} interactions: one part is empty; "
            "change evaluation.split, or set evaluation: null"
        )
    return Split(_part(matrix, ~held_out), _part(matrix, held_out)), held_out


def _part(matrix: "csr_array", chosen: Mask) -> "csr_array":
    from scipy.sparse import csr_array

    before = np.zeros(matrix.nnz + 1, dtype=np.int32)  # how many of those before each are chosen
    np.cumsum(chosen, out=before[1:])
    starts = before[matrix.indptr]
    del before
    return csr_array((matrix.data[chosen], matrix.indices[chosen], starts), shape=matrix.shape)


def _first_of_each_row(matrix: "csr_array", keys: npt.NDArray[np.float64], wanted: npt.NDArray[np.int64] | int) -> Mask:
    """The `wanted` entries of lowest key in each row, the last in the row where keys tie; never a whole row."""
    counts = np.diff(matrix.indptr).astype(np.int64)
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), counts)
    order = matrix.nnz - 1 - np.lexsort((keys[::-1], rows[::-1]))  # from the end, so that of ties the last is first
    place = np.arange(matrix.nnz, dtype=np.int32) - matrix.indptr[rows]
    chosen = np.zeros(matrix.nnz, dtype=bool)
    chosen[order] = place < np.minimum(wanted, counts - 1)[rows]
    return chosen


def _needed(times: Values | None, strategy: str) -> Values:
    if times is None:
        raise DataError(
            f"evaluation.split.strategy {strategy} needs timestamps, and the data have none; set "
            "dataset.columns.timestamp, or use strategy random or random_user"
        )
    return times
