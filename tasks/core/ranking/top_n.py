"""The n best columns of each row of scores."""

import numpy as np
import numpy.typing as npt

from tasks.core.ranking.lists import Lists
from tasks.core.types import Floats, OnProgress, Scores

BLOCK_BYTES = 64 << 20
"""Scores held at once."""
_GROUP = 64
"""Columns of which only the best score is looked at, to find what the n best must reach."""


def top_n(scores: Scores, n_rows: int, n_columns: int, n: int, told: OnProgress | None = None) -> Lists:
    """The n best columns of each row. `scores` is called once for each block of rows, in their order."""
    n = min(n, n_columns)
    ids = np.full((n_rows, n), -1, dtype=np.int32)
    highest = np.full((n_rows, n), np.nan, dtype=np.float32)
    step = max(1, BLOCK_BYTES // (4 * max(n_columns, 1)))
    for start in range(0, n_rows if n else 0, step):
        block = scores(start, min(start + step, n_rows))
        rows, columns = _candidates(block, n)
        values = block[rows, columns]
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        ends = np.cumsum(np.bincount(rows, minlength=len(block)))
        ranks = np.arange(len(rows)) - np.concatenate(([0], ends[:-1]))[rows]
        listed = ranks < n
        places = start + rows[listed], ranks[listed]
        ids[places], highest[places] = columns[listed], values[listed]
        if told:
            told(start + len(block), n_rows)
    longest = max(int((ids >= 0).sum(axis=1).max(initial=0)), 1) if n else 0
    return Lists(ids[:, :longest], highest[:, :longest])


def _candidates(block: Floats, n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of a block's cells among which are the n best of each row; none of them is -inf.

    What is at least as good as a row's n-th best is little more than n cells. With many columns its n-th best is not
    sought: they are put into groups, and the n-th largest of the groups' maxima is no more than it. That reads a block
    twice, where a partition moves it about.
    """
    n_rows, n_columns = block.shape
    size = min(_GROUP, n_columns // (4 * n))
    floor = block
    if size > 1:
        groups = n_columns // size
        floor = block[:, : groups * size].reshape(n_rows, size, groups).max(axis=1)
    place = floor.shape[1] - n
    chosen = block >= np.maximum(np.partition(floor, place, axis=1)[:, place], np.finfo(np.float32).min)[:, None]
    for row in np.flatnonzero(np.count_nonzero(chosen, axis=1) > 4 * n):  # many equal scores
        chosen[row] = False
        chosen[row, np.argsort(-block[row], kind="stable")[:n]] = True
    return np.divmod(np.flatnonzero(chosen), n_columns)
