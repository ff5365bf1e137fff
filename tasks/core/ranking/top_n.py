"""The n best columns of each row of scores.

Scores are computed in blocks of rows, so that memory does not grow with rows times columns.
"""

import numpy as np

from tasks.core.models.cost import BLOCK_BYTES
from tasks.core.ranking.lists import Lists
from tasks.core.types import Counts, Floats, OnProgress, Scores

_GROUP = 64
"""Most columns in a group, of which only the best score is used to find a lower bound for the n-th best of a row."""


def top_n(scores: Scores, n_rows: int, n_columns: int, n: int, on_progress: OnProgress | None = None) -> Lists:
    """Return the n best columns of each row.

    Parameters
    ----------
    scores : callable
        Called once for each block of rows, in order.
    n_rows, n_columns : int
        Size of the matrix of scores.
    n : int
        Greatest length of a list.
    on_progress : callable, optional
        Called after each block with the rows done and the total.

    Returns
    -------
    Lists
        Cut to the length of the longest list, but not below 1 unless n is 0. Scores of -inf are not listed.
    """
    n = min(n, n_columns)
    ids = np.full((n_rows, n), -1, dtype=np.int32)
    best_scores = np.full((n_rows, n), np.nan, dtype=np.float32)
    step = max(1, BLOCK_BYTES // (4 * max(n_columns, 1)))
    for start in range(0, n_rows if n else 0, step):
        block = scores(start, min(start + step, n_rows))  # (B, n_columns)
        rows, columns = _candidates(block, n)
        values = block[rows, columns]
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        # the rank of a candidate is its distance from the first candidate of its row
        ends = np.cumsum(np.bincount(rows, minlength=len(block)))
        ranks = np.arange(len(rows)) - np.concatenate(([0], ends[:-1]))[rows]
        listed = ranks < n
        cells = start + rows[listed], ranks[listed]
        ids[cells], best_scores[cells] = columns[listed], values[listed]
        if on_progress:
            on_progress(start + len(block), n_rows)
    longest = max(int((ids >= 0).sum(axis=1).max(initial=0)), 1) if n else 0
    return Lists(ids[:, :longest], best_scores[:, :longest])


def _candidates(block: Floats, n: int) -> tuple[Counts, Counts]:
    """Return rows and columns of cells that include the n best of each row and not many more; none is -inf.

    A cell is a candidate if it is at least a lower bound for the n-th best of its row. With few columns the bound is
    the n-th best itself. With many, the columns are divided into groups, and the bound is the n-th largest of the
    groups' maxima. Then only groups with a maximum that large can hold candidates: the block is read once.
    """
    n_rows, n_columns = block.shape
    size = min(_GROUP, n_columns // (4 * n))
    if size <= 1:
        bounds = _lower_bounds(block, n)
        rows, columns = np.nonzero(block >= bounds[:, None])
    else:
        groups = n_columns // size  # a group has every groups-th column; what is left over belongs to none
        maxima = block[:, : groups * size].reshape(n_rows, size, groups).max(axis=1)  # (B, groups)
        bounds = _lower_bounds(maxima, n)
        of_row, group = np.nonzero(maxima >= bounds[:, None])
        cells = group[:, None] + groups * np.arange(size)  # (G, size)
        hits = block[of_row[:, None], cells] >= bounds[of_row, None]
        left_over, column = np.nonzero(block[:, groups * size :] >= bounds[:, None])
        rows = np.concatenate([np.repeat(of_row, hits.sum(axis=1)), left_over])
        columns = np.concatenate([cells[hits], column + groups * size])
    # many equal scores make many candidates: such a row is sorted instead
    many = np.flatnonzero(np.bincount(rows, minlength=n_rows) > 4 * n)
    if len(many):
        few = ~np.isin(rows, many)
        best = [np.argsort(-block[row], kind="stable")[:n] for row in many]
        rows = np.concatenate([rows[few], np.repeat(many, n)])
        columns = np.concatenate([columns[few], *best])
    return rows, columns


def _lower_bounds(scores: Floats, n: int) -> Floats:
    """Return the n-th largest score of each row, above -inf."""
    position = scores.shape[1] - n
    return np.maximum(np.partition(scores, position, axis=1)[:, position], np.finfo(np.float32).min)
