"""Ratings -> interactions: duplicates, minimum rating, k-core, indexes, confidence."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig, Transform
from tasks.core.data.interactions import BLOCK_INTERACTIONS, Interactions, tally
from tasks.core.data.readers.ratings import Ratings
from tasks.core.errors import DataError
from tasks.core.types import RawId

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

ALGORITHM = 2
"""Raised whenever the same ratings would give another matrix: stored ones are then made anew."""


def build(ratings: Ratings, config: PreprocessConfig) -> Interactions:
    """Filter the ratings and index them.

    Duplicates are settled first, so that a rating that was withdrawn does not count; then `min_rating`; then the
    k-core; then indexes by first appearance.

    Raises
    ------
    DataError
        Duplicates under `duplicates: error`, nothing left after filtering, a confidence that is not above 0.
    """
    titles, frame = ratings.titles, without_duplicates(ratings.frame, config)
    del ratings  # whoever called may need it no more: then filtering frees it
    if "rating" in frame and config.min_rating is not None:
        kept = frame["rating"].to_numpy() >= config.min_rating
        if not kept.any():
            raise DataError(
                f"no rating is at least min_rating {config.min_rating:g}: ratings go from {frame['rating'].min():g} "
                f"to {frame['rating'].max():g}; lower preprocess.min_rating"
            )
        frame = _rows(frame, kept)
    if config.k_core is not None:
        frame = _core(frame, config.k_core)
    user_codes, item_codes = (_by_appearance(frame[side]) for side in ("user", "item"))
    matrix = _lines(frame, user_codes, item_codes)
    lines = matrix.data
    matrix.data = _confidence(frame, config)[lines]
    times = frame["timestamp"].to_numpy()[lines] if "timestamp" in frame else None
    item_ids = _raw(frame["item"], item_codes)
    known = np.array([titles.get(raw, "") for raw in item_ids.tolist()], dtype=np.str_) if titles else None
    return Interactions(matrix, _raw(frame["user"], user_codes), item_ids, known, times)


def confidence(ratings: npt.NDArray[np.float64], config: PreprocessConfig) -> npt.NDArray[np.float64]:
    """What the matrix holds for a rating: itself, 1, 1 + alpha·r, or 1 + alpha·log(1 + r/epsilon).

    The transforms are those of Hu, Koren and Volinsky (2008), sections 4 and 6.
    """
    kind = config.confidence
    if isinstance(kind, Transform):
        grown = ratings if kind.transform == "linear" else np.log1p(ratings / (kind.epsilon or 1.0))
        return np.asarray(1 + kind.alpha * grown)
    return ratings if kind == "rating" else np.ones_like(ratings)


def _confidence(frame: "pd.DataFrame", config: PreprocessConfig) -> npt.NDArray[np.float32]:
    found = np.ones(len(frame), dtype=np.float32)
    whole = frame["rating"].to_numpy() if "rating" in frame else None
    for start in range(0, len(frame), BLOCK_INTERACTIONS):
        part = slice(start, start + BLOCK_INTERACTIONS)
        ratings = np.ones(len(found[part])) if whole is None else whole[part]
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            found[part] = confidence(ratings, config)
        wrong = ~(np.isfinite(found[part]) & (found[part] > 0))
        if wrong.any():
            made = "" if config.confidence == "rating" else f" (made into {found[part][wrong][0]:g})"
            raise DataError(
                f"a rating of {ratings[wrong][0]:g}{made} cannot be a confidence, which is above 0 and below 3e38; "
                "raise preprocess.min_rating, or use confidence: binary"
            )
    return found


def without_duplicates(frame: "pd.DataFrame", config: PreprocessConfig) -> "pd.DataFrame":
    """One rating for each pair of user and item.

    Raises
    ------
    DataError
        A pair is rated twice, and `duplicates` is `error`.
    """
    users, items = (frame[side].cat.codes.to_numpy() for side in ("user", "item"))
    n_users, n_items = (len(frame[side].cat.categories) for side in ("user", "item"))
    matrix = _lines(frame, np.arange(n_users), np.arange(n_items))
    if matrix.has_canonical_format:
        return frame
    again = np.flatnonzero(np.diff(matrix.indices) == 0)
    again = again[~np.isin(again + 1, matrix.indptr)]  # the last of a row and the first of the next are no pair
    lines = np.unique(matrix.data[np.concatenate([again, again + 1])])
    keys = users[lines].astype(np.int64) * n_items + items[lines]
    order = np.argsort(keys, kind="stable")
    if "timestamp" in frame:
        order = np.lexsort((frame["timestamp"].to_numpy()[lines], keys))
    again = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    if config.duplicates == "error":
        pairs = np.sort(lines[order[np.stack([again, again + 1])]], axis=0)
        first, second = pairs[:, np.argmin(pairs[1])].tolist()
        user, item = frame["user"].iloc[first], frame["item"].iloc[first]
        raise DataError(
            f"user {user} rates item {item} twice (ratings {first + 1} and {second + 1} of the file), and "
            f"{len(again)} such repeats in all; preprocess.duplicates: last keeps the last of each"
        )
    keep = np.ones(len(frame), dtype=bool)
    keep[lines[order[again]]] = False
    return _rows(frame, keep)


def _core(frame: "pd.DataFrame", k: int) -> "pd.DataFrame":
    """The k-core: what is left once users and items of fewer than k interactions are dropped, again and again."""
    sides = [frame[side].cat.codes.to_numpy() for side in ("user", "item")]
    kept = _in_core(sides, k)
    if not kept.any():
        low, high = 0, k  # the largest core that is not empty, by halving
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _in_core(sides, middle).any() else (low, middle)
        raise DataError(
            f"preprocess.k_core {k} leaves nothing of {len(frame):,} interactions; the largest that leaves something "
            f"is {low}"
        )
    return _rows(frame, kept)


def _in_core(sides: list[npt.NDArray[Any]], k: int) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(sides[0]), dtype=bool)
    while True:
        enough = kept.copy()
        for codes in sides:
            enough &= (tally(codes[kept], int(codes.max(initial=0)) + 1) >= k)[codes]
        if enough.sum() == kept.sum():
            return kept
        kept = enough


def _rows(frame: "pd.DataFrame", kept: npt.NDArray[np.bool_]) -> "pd.DataFrame":
    """Some of the rows; where it is all, the frame, for pandas would copy it, and index with 8 bytes a row."""
    import pandas as pd

    return frame if kept.all() else pd.DataFrame({name: frame[name].array[kept] for name in frame}, copy=False)


def _by_appearance(column: "pd.Series[Any]") -> npt.NDArray[Any]:
    """The codes of a categorical column, each once, in the order in which they come."""
    import pandas as pd

    return np.asarray(pd.unique(column.cat.codes.to_numpy()))


def _lines(frame: "pd.DataFrame", users: npt.NDArray[Any], items: npt.NDArray[Any]) -> "csr_array":
    """The frame as a CSR matrix whose values are the numbers of its lines, int32.

    Sorted within rows; a pair that is there twice is so in the matrix. No sort of all, and no key of 8 bytes a line:
    scipy transposes by counting, and the transpose of lines x users has the lines of each user.

    users, items : the code that is each row's and column's
    """
    from scipy.sparse import csr_array

    rows, n = _indexes(frame["user"], users), len(frame)
    by_line = csr_array((np.ones(n, dtype=np.int8), rows, np.arange(n + 1, dtype=np.int32)), shape=(n, len(users)))
    by_user = by_line.tocsc()
    lines, starts = by_user.indices, by_user.indptr
    del rows, by_line, by_user
    matrix = csr_array((lines, _indexes(frame["item"], items)[lines], starts), shape=(len(users), len(items)))
    matrix.sort_indices()
    return matrix


def _indexes(column: "pd.Series[Any]", of_index: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """The index of each row's category, (n,)."""
    index = np.zeros(len(column.cat.categories), dtype=np.int32)
    index[of_index] = np.arange(len(of_index), dtype=np.int32)
    return np.asarray(index[column.cat.codes.to_numpy()])


def _raw(column: "pd.Series[Any]", codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    ids: list[RawId] = column.cat.categories[codes].tolist()
    return np.array(ids, dtype=np.int64 if all(isinstance(raw, int) for raw in ids) else np.str_)
