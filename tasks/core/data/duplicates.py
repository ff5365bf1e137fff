"""Several ratings of an item by the same user, made into one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.errors import DataError
from tasks.core.formatting import shown
from tasks.core.types import Ids, Mask, Values

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array


def resolve_duplicates(frame: "pd.DataFrame", config: PreprocessConfig) -> "pd.DataFrame":
    """Return one rating for each pair of user and item.

    Parameters
    ----------
    frame : pd.DataFrame
        See `tasks.core.data.readers.ratings.Ratings`.
    config : PreprocessConfig
        With `duplicates: last`, the rating with the latest timestamp is kept; of several with this timestamp, or if
        there are no timestamps, the last in the file. With `sum`, `max` and `count`, the rating becomes the sum or the
        largest of the ratings or the number of rows, in the row of the pair that comes first in the file, and the
        timestamp is the latest one. Without ratings, each row counts as 1.

    Returns
    -------
    pd.DataFrame
        Rows in the file's order. With `sum` and `count` it always has ratings.

    Raises
    ------
    DataError
        If a user rates an item twice, and `config.duplicates` is `error`.
    """
    how = config.duplicates
    if how == "count" or (how == "sum" and "rating" not in frame):
        frame = _with_columns(frame, {"rating": np.ones(len(frame))})
    n_users, n_items = (len(frame[side].cat.categories) for side in ("user", "item"))
    matrix = row_numbers(frame, np.arange(n_users), np.arange(n_items))
    if matrix.has_canonical_format:  # no column twice in a row: no duplicates
        return frame
    # From here on only the duplicates' rows of the frame are sorted, which are few as a rule.
    repeats = np.flatnonzero(np.diff(matrix.indices) == 0)
    repeats = repeats[~np.isin(repeats + 1, matrix.indptr)]  # the end of a matrix row and the start of the next
    rows = np.unique(matrix.data[np.concatenate([repeats, repeats + 1])])
    del matrix, repeats
    users, items = (frame[side].cat.codes.to_numpy()[rows] for side in ("user", "item"))
    pairs = users.astype(np.int64) * n_items + items
    times = frame["timestamp"].to_numpy()[rows] if "timestamp" in frame else None
    if how == "error":
        order = _order(pairs, times)
        replaced = _replaced(pairs[order])
        row_pairs = np.sort(rows[order[np.stack([replaced, replaced + 1])]], axis=0)
        first, second = row_pairs[:, np.argmin(row_pairs[1])].tolist()
        user, item = (str(frame[side].iloc[first]) for side in ("user", "item"))
        raise duplicates_error(user, item, (first, second), len(replaced))
    ratings = frame["rating"].to_numpy()[rows] if "rating" in frame else None
    resolved = resolve_repeats(pairs, ratings, times, how)
    keep = np.ones(len(frame), dtype=bool)
    keep[rows] = resolved.keep
    changed = {}
    for name, values in (("rating", resolved.ratings), ("timestamp", resolved.times)):
        if values is not None and how != "last":
            changed[name] = frame[name].to_numpy().copy()
            changed[name][rows] = values
    return select_rows(_with_columns(frame, changed), keep)


@dataclass(frozen=True)
class ResolvedRepeats:
    """What becomes of rows whose pair of user and item has several rows.

    Attributes
    ----------
    keep : (d,) bool
        One row of each pair.
    ratings, times : (d,) float64 or None
        The values of the rows that are kept; the others mean nothing.
    """

    keep: Mask
    ratings: Values | None
    times: Values | None


def resolve_repeats(pairs: npt.NDArray[Any], ratings: Values | None, times: Values | None, how: str) -> ResolvedRepeats:
    """Return which of several rows of a pair is kept, and its values; see `resolve_duplicates`.

    Parameters
    ----------
    pairs : (d,) int64
        A number for the pair of each row, in the file's order.
    ratings, times : (d,) float64 or None
        Of each row. For `sum` and `count` there are ratings.
    how : str
        `last`, `sum`, `max` or `count`.

    Returns
    -------
    ResolvedRepeats
    """
    if how == "last":
        order = _order(pairs, times)
        keep = np.ones(len(pairs), dtype=bool)
        keep[order[_replaced(pairs[order])]] = False
        return ResolvedRepeats(keep, ratings, times)
    _, first, group = np.unique(pairs, return_index=True, return_inverse=True)
    keep = np.zeros(len(pairs), dtype=bool)
    keep[first] = True

    def largest(values: Values) -> Values:
        of_groups = np.full(len(first), -np.inf)
        np.maximum.at(of_groups, group, values)
        return np.asarray(of_groups[group])

    if ratings is not None:
        # bincount adds in the file's order, on every machine alike
        ratings = (
            largest(ratings) if how == "max" else np.asarray(np.bincount(group, weights=ratings)[group], np.float64)
        )
    return ResolvedRepeats(keep, ratings, None if times is None else largest(times))


def duplicates_error(user: str, item: str, rows: tuple[int, int], repeats: int) -> DataError:
    """Return the error for a user who rates an item twice.

    Parameters
    ----------
    user, item : str
        Raw ids.
    rows : (int, int)
        The rows of the file, from 0.
    repeats : int
        Number of ratings that repeat an earlier one.

    Returns
    -------
    DataError
    """
    return DataError(
        f"user {shown(user)} rates item {shown(item)} twice (ratings {rows[0] + 1} and {rows[1] + 1} of the file), and "
        f"{repeats} such repeats in all; preprocess.duplicates: last keeps the last of each, and sum, max or count "
        "merges them"
    )


def _order(pairs: npt.NDArray[Any], times: Values | None) -> npt.NDArray[Any]:
    """Return the rows by pair, those of a pair by time, and of the same time in the file's order."""
    return np.argsort(pairs, kind="stable") if times is None else np.lexsort((times, pairs))


def _replaced(sorted_pairs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the positions after which the same pair follows."""
    return np.flatnonzero(sorted_pairs[1:] == sorted_pairs[:-1])


def _with_columns(frame: "pd.DataFrame", columns: Mapping[str, Values]) -> "pd.DataFrame":
    """Return a frame with other or further columns. `DataFrame.assign` copies the other columns too."""
    import pandas as pd

    arrays: dict[str, Any] = {str(name): frame[name].array for name in frame}
    return pd.DataFrame({**arrays, **columns}, copy=False)


def select_rows(frame: "pd.DataFrame", selected: Mask) -> "pd.DataFrame":
    """Return the selected rows of a frame.

    pandas' own selection copies the frame even if all rows are selected, and adds an index of 8 bytes a row.

    Parameters
    ----------
    frame : pd.DataFrame
        Of n rows.
    selected : (n,) bool
        Which of them are kept.

    Returns
    -------
    pd.DataFrame
    """
    import pandas as pd

    return frame if selected.all() else pd.DataFrame({name: frame[name].array[selected] for name in frame}, copy=False)


def row_numbers(frame: "pd.DataFrame", users: npt.NDArray[Any], items: npt.NDArray[Any]) -> "csr_array":
    """Return a users x items CSR matrix whose values are the numbers of the frame's rows.

    A pair of user and item that has several rows has several entries. Sorting all rows, or a key of 8 bytes a row,
    would need more time and memory: scipy transposes by counting, and the transpose of rows x users lists the rows of
    each user.

    Parameters
    ----------
    frame : pd.DataFrame
        Of n rows.
    users, items : (U,), (I,) int
        The code of each matrix row and column.

    Returns
    -------
    (U, I) csr_array of int32
        Columns are sorted within rows.
    """
    from scipy.sparse import csr_array

    user_indexes, n = _indexes(frame["user"], users), len(frame)
    by_row = csr_array(
        (np.ones(n, dtype=np.int8), user_indexes, np.arange(n + 1, dtype=np.int32)), shape=(n, len(users))
    )
    by_user = by_row.tocsc()
    numbers, indptr = by_user.indices, by_user.indptr
    del user_indexes, by_row, by_user  # before the copies below
    item_indexes = _indexes(frame["item"], items)[numbers]
    matrix = csr_array((numbers, item_indexes, indptr), shape=(len(users), len(items)))
    matrix.sort_indices()
    return matrix


def _indexes(column: "pd.Series[Any]", codes: npt.NDArray[Any]) -> Ids:
    """Return the index of each row's code among `codes`, (n,)."""
    index_of = np.zeros(len(column.cat.categories), dtype=np.int32)
    index_of[codes] = np.arange(len(codes), dtype=np.int32)
    return np.asarray(index_of[column.cat.codes.to_numpy()])
