"""The ratings of a table in memory, those of each user together, without the table.

A table is read twice: to give the ids their codes and count the ratings of each user, and to put each rating in its
place. A rating takes 8 bytes: 4 for its item, and 4 for itself if all ratings are exact in float32, as stars and
counts are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.data.interactions import BLOCK_INTERACTIONS
from tasks.core.data.readers.parquet.table import ParquetRatings, RatingBatch
from tasks.core.errors import DataError
from tasks.core.types import Counts, Ids, Values

MOST_RATINGS = 2**31 - 1
"""Number of ratings that 32-bit indexes can count."""


@dataclass(frozen=True)
class Block:
    """Ratings of consecutive users.

    Attributes
    ----------
    users : slice
        Codes of the users.
    rows : slice
        Positions of their ratings.
    counts : (users,) int64
        Ratings of each user.
    """

    users: slice
    rows: slice
    counts: Counts

    def pairs(self, items: Ids, n_items: int) -> npt.NDArray[np.int64]:
        """Return a number for the user and item of each rating, ascending with the user, and then with the item.

        Parameters
        ----------
        items : (n,) int32
            Of all ratings, those of other blocks included.
        n_items : int
            Number of different items.

        Returns
        -------
        (block,) int64
        """
        users = np.repeat(np.arange(len(self.counts)), self.counts)
        return users * n_items + items[self.rows]


@dataclass
class RatingsByUser:
    """Ratings in the order of their users' codes; those of a user in the order of the table.

    Attributes
    ----------
    starts : (U + 1,) int64
        The ratings of user code u are those from starts[u] to starts[u + 1] - 1.
    items : (n,) int32
        Codes.
    ratings : (n,) float32 or float64, or None
        float32 if it is exact. None if each counts as 1.
    times : (n,) float64 or None
    n_items : int
        Number of different items.
    """

    starts: npt.NDArray[np.int64]
    items: Ids
    ratings: npt.NDArray[Any] | None
    times: Values | None
    n_items: int

    def blocks(self) -> Iterator[Block]:
        """Yield all users, as many at a time as have about `BLOCK_INTERACTIONS` ratings, but one at least."""
        return blocks_of(self.starts)


def blocks_of(starts: npt.NDArray[np.int64]) -> Iterator[Block]:
    """Yield consecutive users with about `BLOCK_INTERACTIONS` ratings, but one user at least.

    Parameters
    ----------
    starts : (U + 1,) int64
        See `RatingsByUser`.

    Yields
    ------
    Block
    """
    user = 0
    while user < len(starts) - 1:
        end = max(user + 1, int(np.searchsorted(starts, starts[user] + BLOCK_INTERACTIONS, side="right")) - 1)
        yield Block(slice(user, end), slice(int(starts[user]), int(starts[end])), np.diff(starts[user : end + 1]))
        user = end


def gather(table: ParquetRatings, *, exact: bool, order: bool) -> RatingsByUser:
    """Return the ratings of a table by user.

    Parameters
    ----------
    table : ParquetRatings
        Read twice.
    exact : bool
        Whether to keep ratings as float64 though all are exact in float32, because they will be added.
    order : bool
        Whether the number of the row, from 1, is the time.

    Returns
    -------
    RatingsByUser

    Raises
    ------
    DataError
        See `ParquetRatings.batches`; or if there are too many rows.
    """
    if table.rows > MOST_RATINGS:
        raise DataError(f"{table.name}: {table.rows:,} rows; expected at most {MOST_RATINGS:,}: read a part of them")
    counts = np.zeros(0, dtype=np.int64)
    is_float32 = not exact
    for batch in table.batches():
        of_batch = np.bincount(batch.users, minlength=len(counts))
        of_batch[: len(counts)] += counts
        counts = of_batch
        if is_float32 and batch.ratings is not None:
            with np.errstate(over="ignore"):
                is_float32 = bool((batch.ratings.astype(np.float32) == batch.ratings).all())
    starts = np.concatenate([[0], np.cumsum(counts)])
    has_times = order or "timestamp" in table.columns
    by_user = RatingsByUser(
        starts=starts,
        items=np.empty(table.rows, dtype=np.int32),
        ratings=np.empty(table.rows, np.float32 if is_float32 else np.float64) if "rating" in table.columns else None,
        times=np.empty(table.rows, dtype=np.float64) if has_times else None,
        n_items=len(table.ids["item"].texts),
    )
    row = 0
    for batch, positions in placed(table, starts):
        by_user.items[positions] = batch.items
        if by_user.ratings is not None:
            by_user.ratings[positions] = batch.ratings
        if by_user.times is not None:
            numbers = np.arange(row + 1, row + len(positions) + 1)
            by_user.times[positions] = numbers if order else batch.times
        row += len(positions)
    return by_user


def placed(
    table: ParquetRatings, starts: npt.NDArray[np.int64], *, ids_only: bool = False
) -> Iterator[tuple[RatingBatch, npt.NDArray[np.int64]]]:
    """Yield the rows of a table with their positions in `RatingsByUser`.

    Parameters
    ----------
    table : ParquetRatings
        Read once.
    starts : (U + 1,) int64
        See `RatingsByUser`.
    ids_only : bool
        Whether to leave out the ratings and the times.

    Yields
    ------
    batch : RatingBatch
    positions : (n,) int64
    """
    free = starts[:-1].copy()  # the next free position of each user
    for batch in table.batches(ids_only=ids_only):
        order = np.argsort(batch.users, kind="stable")
        users = batch.users[order]
        first = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]]))  # of each user in the batch
        counts = np.diff(np.append(first, len(users)))
        earlier = np.arange(len(users)) - np.repeat(first, counts)  # ratings of the same user in the batch
        positions = np.empty(len(users), dtype=np.int64)
        positions[order] = free[users] + earlier
        free[users[first]] += counts
        yield batch, positions
