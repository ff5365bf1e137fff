"""Ratings -> the matrix of interactions.

Indexes are by first appearance after filtering, as `pandas.factorize` gives them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config import PreprocessConfig, Transform
from tasks.core.datasets import Ratings, RawId
from tasks.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

ALGORITHM = 2
"""Raised whenever the same ratings would give another matrix: stored ones are then made anew."""

_AT_A_TIME = 1 << 20  # interactions of which temporary copies are made


@dataclass(frozen=True)
class Interactions:
    """A users x items matrix with the names of its rows and columns.

    matrix : (U, I) CSR float32 with int32 indices, sorted; the stored value is the confidence
    user_ids : (U,) raw ids, int64 or text; row u is user_ids[u]
    item_ids : (I,) raw ids
    item_titles : (I,) text, or None where the data set has no titles
    times : (nnz,) float64, the timestamp of each stored interaction in the matrix' order, or None where there are none
    """

    matrix: "csr_array"
    user_ids: npt.NDArray[Any]
    item_ids: npt.NDArray[Any]
    item_titles: npt.NDArray[np.str_] | None
    times: npt.NDArray[np.float64] | None = None

    def digest(self) -> str:
        """sha256 over all that a fit on every interaction depends on, equal on every machine; times are not."""
        hasher = hashlib.sha256()
        titles = self.item_titles if self.item_titles is not None else np.array([], dtype=np.str_)
        matrix = self.matrix
        for array in (matrix.indptr, matrix.indices, matrix.data):
            little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            hasher.update(little.dtype.str.encode())
            hasher.update(little.data)
        for names in (self.user_ids, self.item_ids, titles):
            hasher.update("\x1f".join(map(str, names.tolist())).encode() + names.dtype.kind.encode())
        hasher.update(repr(matrix.shape).encode())
        return hasher.hexdigest()

    def save(self, path: Path) -> None:
        """Write as npz without pickles."""
        arrays = {"user_ids": self.user_ids, "item_ids": self.item_ids}
        if self.item_titles is not None:
            arrays["item_titles"] = self.item_titles
        if self.times is not None:
            arrays["times"] = self.times
        save_matrix(self.matrix, path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Interactions":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(
                _matrix(arrays), arrays["user_ids"], arrays["item_ids"], arrays.get("item_titles"), arrays.get("times")
            )

    def users_frame(self) -> "pd.DataFrame":
        """`index`, `raw_id`, one row a user."""
        import pandas as pd

        return pd.DataFrame({"index": np.arange(len(self.user_ids)), "raw_id": self.user_ids})

    def items_frame(self) -> "pd.DataFrame":
        """`index`, `raw_id`, `title` (empty where there is none), one row an item."""
        import pandas as pd

        titles = self.item_titles if self.item_titles is not None else np.full(len(self.item_ids), "")
        return pd.DataFrame({"index": np.arange(len(self.item_ids)), "raw_id": self.item_ids, "title": titles})


@dataclass(frozen=True)
class Summary:
    """The notebook's eight figures, and the number of interactions."""

    users: int
    items: int
    interactions: int
    mean_per_user: float
    mean_per_item: float
    max_per_user: int
    max_per_item: int
    min_per_user: int
    min_per_item: int


def save_matrix(matrix: "csr_array", path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write a CSR matrix, and arrays beside it, as npz without pickles."""
    with path.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            data=matrix.data,
            indices=matrix.indices,
            indptr=matrix.indptr,
            shape=np.array(matrix.shape),
            **arrays,
        )


def load_matrix(path: Path) -> "csr_array":
    """Read the matrix that `save_matrix` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return _matrix(arrays)


def _matrix(arrays: Any) -> "csr_array":
    from scipy.sparse import csr_array

    return csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(arrays["shape"].tolist()))


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


def summarize(matrix: "csr_array") -> Summary:
    """Count users, items and interactions, and interactions a user and an item."""
    per_user = np.diff(matrix.indptr)
    per_item = tally(matrix.indices, matrix.shape[1])
    return Summary(
        users=matrix.shape[0],
        items=matrix.shape[1],
        interactions=matrix.nnz,
        mean_per_user=float(per_user.mean()),
        mean_per_item=float(per_item.mean()),
        max_per_user=int(per_user.max()),
        max_per_item=int(per_item.max()),
        min_per_user=int(per_user.min()),
        min_per_item=int(per_item.min()),
    )


def tally(indexes: npt.NDArray[Any], n: int) -> npt.NDArray[np.int64]:
    """How often each of 0 to n - 1 is among the indexes, (n,); bincount, which makes all of them int64, by parts."""
    found = np.zeros(n, dtype=np.int64)
    for start in range(0, len(indexes), _AT_A_TIME):
        found += np.bincount(indexes[start : start + _AT_A_TIME], minlength=n)
    return found


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
    for start in range(0, len(frame), _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
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


def _raw(column: "pd.Series[Any]", codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    ids: list[RawId] = column.cat.categories[codes].tolist()
    return np.array(ids, dtype=np.int64 if all(isinstance(raw, int) for raw in ids) else np.str_)
