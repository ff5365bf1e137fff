"""Ratings -> the matrix of interactions, and its splits.

Indexes are by first appearance after filtering, as `pandas.factorize` gives them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config import PreprocessConfig, RandomSplit
from tasks.core.datasets import Ratings, RawId
from tasks.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

ALGORITHM = 1
"""Raised whenever the same ratings would give another matrix: stored ones are then made anew."""


@dataclass(frozen=True)
class Interactions:
    """A users x items matrix with the names of its rows and columns.

    matrix : (U, I) CSR float32 with int32 indices, sorted; the stored value is the confidence
    user_ids : (U,) raw ids, int64 or text; row u is user_ids[u]
    item_ids : (I,) raw ids
    item_titles : (I,) text, or None where the data set has no titles
    """

    matrix: "csr_array"
    user_ids: npt.NDArray[Any]
    item_ids: npt.NDArray[Any]
    item_titles: npt.NDArray[np.str_] | None

    def digest(self) -> str:
        """sha256 over everything that it holds, equal on every machine."""
        hasher = hashlib.sha256()
        titles = self.item_titles if self.item_titles is not None else np.array([], dtype=np.str_)
        matrix = self.matrix
        for array in (matrix.indptr, matrix.indices, matrix.data):
            little = array.astype(array.dtype.newbyteorder("<"))
            hasher.update(little.dtype.str.encode() + little.tobytes())
        for names in (self.user_ids, self.item_ids, titles):
            hasher.update("\x1f".join(map(str, names.tolist())).encode() + names.dtype.kind.encode())
        hasher.update(repr(matrix.shape).encode())
        return hasher.hexdigest()

    def save(self, path: Path) -> None:
        """Write as npz without pickles."""
        arrays = {"user_ids": self.user_ids, "item_ids": self.item_ids}
        if self.item_titles is not None:
            arrays["item_titles"] = self.item_titles
        matrix = self.matrix
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

    @classmethod
    def load(cls, path: Path) -> "Interactions":
        """Read what `save` wrote."""
        from scipy.sparse import csr_array

        with np.load(path, allow_pickle=False) as arrays:
            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            matrix = csr_array(parts, shape=tuple(arrays["shape"].tolist()))
            return cls(matrix, arrays["user_ids"], arrays["item_ids"], arrays.get("item_titles"))

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


@dataclass(frozen=True)
class Split:
    """Two matrices of one shape whose interactions are disjoint.

    train, test : (U, I) CSR float32
    users_without_train, items_without_train : how many the split emptied
    """

    train: "csr_array"
    test: "csr_array"
    users_without_train: int
    items_without_train: int


def build(ratings: Ratings, config: PreprocessConfig) -> Interactions:
    """Filter the ratings and index them.

    Duplicates are settled first, so that a rating that was withdrawn does not count; then `min_rating`;
    then indexes by first appearance.

    Raises
    ------
    DataError
        Duplicates under `duplicates: error`, nothing left after filtering, a confidence that is not above 0.
    """
    import pandas as pd
    from scipy.sparse import csr_array

    frame = _without_duplicates(ratings.frame, config)
    if "rating" in frame and config.min_rating is not None:
        kept = frame[frame["rating"] >= config.min_rating]
        if kept.empty:
            raise DataError(
                f"no rating is at least min_rating {config.min_rating:g}: ratings go from {frame['rating'].min():g} "
                f"to {frame['rating'].max():g}; lower preprocess.min_rating"
            )
        frame = kept
    confidence = np.ones(len(frame), dtype=np.float32)
    if config.confidence == "rating" and "rating" in frame:
        confidence = frame["rating"].to_numpy(dtype=np.float32)
        if not (np.isfinite(confidence) & (confidence > 0)).all():
            bad = frame["rating"][~(np.isfinite(confidence) & (confidence > 0))].iloc[0]
            raise DataError(
                f"a rating of {bad:g} cannot be a confidence, which is above 0 and below 3e38; "
                "raise preprocess.min_rating, or use confidence: binary"
            )
    rows, row_codes = pd.factorize(frame["user"].cat.codes)
    columns, column_codes = pd.factorize(frame["item"].cat.codes)
    shape = (len(row_codes), len(column_codes))
    matrix = csr_array((confidence, (rows.astype(np.int32), columns.astype(np.int32))), shape=shape)
    matrix.sort_indices()
    item_ids = _raw(frame["item"], np.asarray(column_codes))
    titles = ratings.titles
    known = np.array([titles.get(raw, "") for raw in item_ids.tolist()], dtype=np.str_) if titles else None
    return Interactions(matrix, _raw(frame["user"], np.asarray(row_codes)), item_ids, known)


def summarize(matrix: "csr_array") -> Summary:
    """Count users, items and interactions, and interactions a user and an item."""
    per_user = np.diff(matrix.indptr)
    per_item = np.bincount(matrix.indices, minlength=matrix.shape[1])
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


def split_random(matrix: "csr_array", config: RandomSplit, *, seed: int) -> Split:
    """Hold out each interaction with probability `test_fraction`, by a permutation of all of them.

    Raises
    ------
    DataError
        One side would be empty.
    """
    from scipy.sparse import csr_array

    n_test = round(config.test_fraction * matrix.nnz)
    if not 0 < n_test < matrix.nnz:
        raise DataError(
            f"a test fraction of {config.test_fraction:g} of {matrix.nnz} interactions leaves one side empty; "
            "change evaluation.split.test_fraction, or set evaluation: null"
        )
    held_out = np.zeros(matrix.nnz, dtype=bool)
    held_out[np.random.default_rng(seed).permutation(matrix.nnz)[:n_test]] = True

    def part(chosen: npt.NDArray[np.bool_]) -> "csr_array":
        counts = np.concatenate([[0], np.cumsum(chosen)])[matrix.indptr].astype(np.int32)
        return csr_array((matrix.data[chosen], matrix.indices[chosen], counts), shape=matrix.shape)

    train, test = part(~held_out), part(held_out)
    return Split(
        train,
        test,
        users_without_train=int((np.diff(train.indptr) == 0).sum()),
        items_without_train=int((np.bincount(train.indices, minlength=matrix.shape[1]) == 0).sum()),
    )


def _without_duplicates(frame: "pd.DataFrame", config: PreprocessConfig) -> "pd.DataFrame":
    keys = frame["user"].cat.codes.to_numpy(np.int64) * len(frame["item"].cat.categories) + frame[
        "item"
    ].cat.codes.to_numpy(np.int64)
    order = np.argsort(keys, kind="stable")
    if "timestamp" in frame:
        order = np.lexsort((frame["timestamp"].to_numpy(), keys))
    again = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    if not len(again):
        return frame
    if config.duplicates == "error":
        first, second = sorted((order[again[0]], order[again[0] + 1]))
        user, item = frame["user"].iloc[first], frame["item"].iloc[first]
        raise DataError(
            f"user {user} rates item {item} twice (ratings {first + 1} and {second + 1} of the file), and "
            f"{len(again)} such repeats in all; preprocess.duplicates: last keeps the last of each"
        )
    keep = np.ones(len(frame), dtype=bool)
    keep[order[again]] = False
    return frame[keep]


def _raw(column: "pd.Series[Any]", codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    ids: list[RawId] = column.cat.categories[codes].tolist()
    return np.array(ids, dtype=np.int64 if all(isinstance(raw, int) for raw in ids) else np.str_)
