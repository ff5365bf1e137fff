"""Ratings made into the matrix of interactions.

The steps are, in this order: duplicates, the minimum rating, the k-core, indexes, confidences. Duplicates come first,
so that a rating that its user lowered later does not count. Indexes are by first appearance after filtering, as
`pandas.factorize` gives them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig, Transform
from tasks.core.data.interactions import BLOCK_INTERACTIONS, Interactions, count_occurrences
from tasks.core.data.readers.ratings import Ratings
from tasks.core.errors import DataError
from tasks.core.types import Floats, Ids, Mask, RawId, Values

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

ALGORITHM = 2
"""Part of the key of stored interactions. To be raised whenever the same ratings give another matrix."""


def build(ratings: Ratings, config: PreprocessConfig) -> Interactions:
    """Filter ratings and return their matrix.

    Parameters
    ----------
    ratings : Ratings
        Its frame is freed during filtering if the caller holds no reference to it.
    config : PreprocessConfig
        The filters, and the kind of confidence.

    Returns
    -------
    Interactions

    Raises
    ------
    DataError
        If there are duplicates and `config.duplicates` is `error`, a filter leaves nothing, or a confidence would not
        be positive and finite.
    """
    titles, frame = ratings.titles, resolve_duplicates(ratings.frame, config)
    del ratings  # the last reference to the unfiltered frame, unless the caller holds one
    if "rating" in frame and config.min_rating is not None:
        high_enough = frame["rating"].to_numpy() >= config.min_rating
        if not high_enough.any():
            raise DataError(
                f"no rating is at least min_rating {config.min_rating:g}: ratings go from {frame['rating'].min():g} "
                f"to {frame['rating'].max():g}; lower preprocess.min_rating"
            )
        frame = _select_rows(frame, high_enough)
    if config.k_core is not None:
        frame = _k_core(frame, config.k_core)
    user_codes, item_codes = (_codes_by_appearance(frame[side]) for side in ("user", "item"))
    matrix = _row_numbers(frame, user_codes, item_codes)
    row_numbers = matrix.data
    matrix.data = _confidences(frame, config)[row_numbers]
    times = frame["timestamp"].to_numpy()[row_numbers] if "timestamp" in frame else None
    user_ids, item_ids = _raw_ids(frame["user"], user_codes), _raw_ids(frame["item"], item_codes)
    # ids are integers only if all of a column are, which the file of titles and that of ratings may differ in
    title_of = {str(raw_id): title for raw_id, title in titles.items()}
    item_titles = np.array([title_of.get(str(raw_id), "") for raw_id in item_ids], dtype=np.str_) if titles else None
    return Interactions(matrix, user_ids, item_ids, item_titles, times)


def resolve_duplicates(frame: "pd.DataFrame", config: PreprocessConfig) -> "pd.DataFrame":
    """Return one rating for each pair of user and item.

    Parameters
    ----------
    frame : pd.DataFrame
        See `tasks.core.data.readers.ratings.Ratings`.
    config : PreprocessConfig
        With `duplicates: last`, the rating with the latest timestamp is kept; of several with this timestamp, or if
        there are no timestamps, the last in the file.

    Returns
    -------
    pd.DataFrame

    Raises
    ------
    DataError
        If a user rates an item twice, and `config.duplicates` is `error`.
    """
    users, items = (frame[side].cat.codes.to_numpy() for side in ("user", "item"))
    n_users, n_items = (len(frame[side].cat.categories) for side in ("user", "item"))
    matrix = _row_numbers(frame, np.arange(n_users), np.arange(n_items))
    if matrix.has_canonical_format:  # no column twice in a row: no duplicates
        return frame
    # From here on only the duplicates' rows of the frame are sorted, which are few as a rule.
    repeats = np.flatnonzero(np.diff(matrix.indices) == 0)
    repeats = repeats[~np.isin(repeats + 1, matrix.indptr)]  # the end of a matrix row and the start of the next
    rows = np.unique(matrix.data[np.concatenate([repeats, repeats + 1])])
    pairs = users[rows].astype(np.int64) * n_items + items[rows]
    order = np.argsort(pairs, kind="stable")
    if "timestamp" in frame:
        order = np.lexsort((frame["timestamp"].to_numpy()[rows], pairs))
    replaced = np.flatnonzero(pairs[order][1:] == pairs[order][:-1])  # each of these has a later rating after it
    if config.duplicates == "error":
        row_pairs = np.sort(rows[order[np.stack([replaced, replaced + 1])]], axis=0)
        first, second = row_pairs[:, np.argmin(row_pairs[1])].tolist()
        user, item = frame["user"].iloc[first], frame["item"].iloc[first]
        raise DataError(
            f"user {user} rates item {item} twice (ratings {first + 1} and {second + 1} of the file), and "
            f"{len(replaced)} such repeats in all; preprocess.duplicates: last keeps the last of each"
        )
    keep = np.ones(len(frame), dtype=bool)
    keep[rows[order[replaced]]] = False
    return _select_rows(frame, keep)


def _k_core(frame: "pd.DataFrame", k: int) -> "pd.DataFrame":
    """Return the k-core: users and items with fewer than k interactions are dropped until none is left."""
    sides = [frame[side].cat.codes.to_numpy() for side in ("user", "item")]
    in_core = _in_k_core(sides, k)
    if not in_core.any():
        low, high = 0, k  # bisection for the largest core that is not empty
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _in_k_core(sides, middle).any() else (low, middle)
        raise DataError(
            f"preprocess.k_core {k} leaves nothing of {len(frame):,} interactions; the largest value that leaves any "
            f"is {low}"
        )
    return _select_rows(frame, in_core)


def _in_k_core(sides: list[npt.NDArray[Any]], k: int) -> Mask:
    """Mark the interactions in the k-core, given the codes of their users and of their items."""
    kept = np.ones(len(sides[0]), dtype=bool)
    while True:
        enough = kept.copy()
        for codes in sides:
            enough &= (count_occurrences(codes[kept], int(codes.max(initial=0)) + 1) >= k)[codes]
        if enough.sum() == kept.sum():
            return kept
        kept = enough


def _confidences(frame: "pd.DataFrame", config: PreprocessConfig) -> Floats:
    """Return the confidence of each row, (n,)."""
    confidences = np.ones(len(frame), dtype=np.float32)
    all_ratings = frame["rating"].to_numpy() if "rating" in frame else None
    for start in range(0, len(frame), BLOCK_INTERACTIONS):
        block = slice(start, start + BLOCK_INTERACTIONS)
        ratings = np.ones(len(confidences[block])) if all_ratings is None else all_ratings[block]
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            confidences[block] = _transform(ratings, config)
        invalid = ~(np.isfinite(confidences[block]) & (confidences[block] > 0))
        if invalid.any():
            result = "" if config.confidence == "rating" else f" (made into {confidences[block][invalid][0]:g})"
            raise DataError(
                f"a rating of {ratings[invalid][0]:g}{result} cannot be a confidence, which is above 0 and below 3e38; "
                "raise preprocess.min_rating, or use confidence: binary"
            )
    return confidences


def _transform(ratings: Values, config: PreprocessConfig) -> Values:
    """Return the confidence of each rating r: r itself, 1, 1 + alpha·r, or 1 + alpha·log(1 + r/epsilon).

    The last two are from Hu, Koren and Volinsky (2008), sections 4 and 6.
    """
    confidence = config.confidence
    if isinstance(confidence, Transform):
        if confidence.transform == "log":
            ratings = np.log1p(ratings / (confidence.epsilon or 1.0))
        return np.asarray(1 + confidence.alpha * ratings)
    return ratings if confidence == "rating" else np.ones_like(ratings)


def _select_rows(frame: "pd.DataFrame", selected: Mask) -> "pd.DataFrame":
    """Return the selected rows.

    pandas' own selection copies the frame even if all rows are selected, and adds an index of 8 bytes a row.
    """
    import pandas as pd

    return frame if selected.all() else pd.DataFrame({name: frame[name].array[selected] for name in frame}, copy=False)


def _codes_by_appearance(column: "pd.Series[Any]") -> npt.NDArray[Any]:
    """Return the different codes of a categorical column, in the order of their first appearance."""
    import pandas as pd

    return np.asarray(pd.unique(column.cat.codes.to_numpy()))


def _row_numbers(frame: "pd.DataFrame", users: npt.NDArray[Any], items: npt.NDArray[Any]) -> "csr_array":
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
    row_numbers, indptr = by_user.indices, by_user.indptr
    del user_indexes, by_row, by_user  # before the copies below
    item_indexes = _indexes(frame["item"], items)[row_numbers]
    matrix = csr_array((row_numbers, item_indexes, indptr), shape=(len(users), len(items)))
    matrix.sort_indices()
    return matrix


def _indexes(column: "pd.Series[Any]", codes: npt.NDArray[Any]) -> Ids:
    """Return the index of each row's code among `codes`, (n,)."""
    index_of = np.zeros(len(column.cat.categories), dtype=np.int32)
    index_of[codes] = np.arange(len(codes), dtype=np.int32)
    return np.asarray(index_of[column.cat.codes.to_numpy()])


def _raw_ids(column: "pd.Series[Any]", codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the raw ids of the codes, as integers if all of them are integers, else as text."""
    ids: list[RawId] = column.cat.categories[codes].tolist()
    return np.array(ids, dtype=np.int64 if all(isinstance(raw_id, int) for raw_id in ids) else np.str_)
