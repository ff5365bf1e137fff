"""A table of ratings made into the matrix of interactions, without the table in memory.

The result is that of `tasks.core.data.preprocessing.build` for the same rows, to the last bit.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.data.interactions import Interactions, text_array
from tasks.core.data.preprocessing import confidences_of
from tasks.core.data.readers.columns import raw_ids
from tasks.core.data.readers.parquet.table import ParquetRatings
from tasks.core.data.streaming.by_user import RatingsByUser, blocks_of, gather, placed
from tasks.core.data.streaming.rules import apply_rules, ratings_of_users
from tasks.core.types import Floats, Ids, Mask

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def build_streamed(table: ParquetRatings, config: PreprocessConfig, *, order: bool = False) -> Interactions:
    """Filter the ratings of a table and return their matrix.

    Memory is that of the ids, of 8 to 20 bytes a rating of the table, and of one block.

    Parameters
    ----------
    table : ParquetRatings
        Read two times, and a third time if a rule drops ratings, for the order in which users and items first appear.
    config : PreprocessConfig
        The filters, and the kind of confidence.
    order : bool
        Whether the order of the rows is that of time.

    Returns
    -------
    Interactions

    Raises
    ------
    DataError
        See `ParquetRatings.batches` and `tasks.core.data.preprocessing.build`.
    """
    by_user = gather(table, exact=config.duplicates in ("sum", "count"), order=order)
    if config.duplicates == "count" or (config.duplicates == "sum" and by_user.ratings is None):
        by_user.ratings = np.ones(len(by_user.items))
    kept, counts = apply_rules(by_user, table, config)
    sides = ("user", "item")
    if counts.dropped:
        users, items = _first_appearances(table, by_user, kept)
        by_user = _compacted(by_user, kept)
    else:
        users, items = (np.arange(len(table.ids[side].texts), dtype=np.int32) for side in sides)
    del kept
    user_ids, item_ids = (
        _raw_ids(table.ids[side].texts, codes) for side, codes in zip(sides, (users, items), strict=True)
    )
    by_user = _with_users(by_user, users)
    matrix = _matrix(by_user, items, config)
    return Interactions(matrix, user_ids, item_ids, None, by_user.times, counts)


def _raw_ids(texts: list[str], codes: Ids) -> npt.NDArray[Any]:
    """Return the raw ids of the codes, as integers if all ids of the column are integers, else as text."""
    ids = raw_ids(texts)
    if ids.dtype == np.int64:
        return np.asarray(ids.to_numpy()[codes])
    return text_array(texts[code] for code in codes)


def _first_appearances(table: ParquetRatings, by_user: RatingsByUser, kept: Mask) -> list[Ids]:
    """Return the codes of the users and of the items that are kept, in the order of their first appearance."""
    import pandas as pd

    sizes = (len(by_user.starts) - 1, by_user.n_items)
    is_new = [np.ones(size, dtype=bool) for size in sizes]
    found: list[list[Ids]] = [[], []]
    for batch, positions in placed(table, by_user.starts, ids_only=True):
        rows = kept[positions]
        for side, column in enumerate((batch.users, batch.items)):
            codes = column[rows]
            new = pd.unique(codes[is_new[side][codes]])
            is_new[side][new] = False
            found[side].append(new)
    return [np.concatenate(codes) for codes in found]


def _compacted(by_user: RatingsByUser, kept: Mask) -> RatingsByUser:
    """Return the ratings that are kept, in the memory of all. Users without any have none."""
    end = 0
    counts = np.zeros(len(by_user.starts) - 1, dtype=np.int64)
    arrays = [array for array in (by_user.items, by_user.ratings, by_user.times) if array is not None]
    for block in by_user.blocks():
        rows = kept[block.rows]
        counts[block.users] = ratings_of_users(block, rows)
        start, end = end, end + int(counts[block.users].sum())
        for array in arrays:
            array[start:end] = array[block.rows][rows]
    for array in arrays:
        array.resize(end, refcheck=False)
    by_user.starts = np.concatenate([[0], np.cumsum(counts)])
    return by_user


def _with_users(by_user: RatingsByUser, users: Ids) -> RatingsByUser:
    """Return the ratings in the order of the given user codes, one array after the other to save memory."""
    if np.array_equal(users, np.arange(len(by_user.starts) - 1)):
        return by_user
    starts = by_user.starts[users]  # where the ratings of each user are
    new_starts = np.concatenate([[0], np.cumsum(np.diff(by_user.starts)[users])])
    for name in ("items", "ratings", "times"):
        array = getattr(by_user, name)
        if array is None:
            continue
        moved = np.empty_like(array)
        for block in blocks_of(new_starts):
            shifts = starts[block.users] - new_starts[block.users]
            moved[block.rows] = array[np.repeat(shifts, block.counts) + np.arange(block.rows.start, block.rows.stop)]
        setattr(by_user, name, moved)
        del array
    by_user.starts = new_starts
    return by_user


def _matrix(by_user: RatingsByUser, items: Ids, config: PreprocessConfig) -> "csr_array":
    """Return the matrix of confidences; the times are sorted with it.

    Parameters
    ----------
    by_user : RatingsByUser
        One rating for each pair. Changed.
    items : (I,) int32
        The code of each column.
    config : PreprocessConfig
        The kind of confidence.

    Returns
    -------
    (U, I) csr_array of float32
    """
    from scipy.sparse import csr_array

    index_of = np.zeros(by_user.n_items, dtype=np.int32)
    index_of[items] = np.arange(len(items), dtype=np.int32)
    ratings = by_user.ratings
    confidences: Floats
    if ratings is not None and ratings.dtype == np.float32:
        confidences = ratings  # each block is read before it is replaced
    else:
        confidences = np.empty(len(by_user.items), dtype=np.float32)
    for block in by_user.blocks():
        rows = block.rows
        by_user.items[rows] = index_of[by_user.items[rows]]
        order = np.argsort(block.pairs(by_user.items, len(items)))
        by_user.items[rows] = by_user.items[rows][order]
        if by_user.times is not None:
            by_user.times[rows] = by_user.times[rows][order]
        values = np.ones(len(order)) if ratings is None else ratings[rows][order].astype(np.float64)
        confidences[rows] = confidences_of(values, config)
    indptr = by_user.starts.astype(np.int32)
    return csr_array((confidences, by_user.items, indptr), shape=(len(indptr) - 1, len(items)))
