"""The matrix of interactions, with the ids of its rows and columns."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.data.filters import RatingCounts
from tasks.core.types import Counts, Mask, Values

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

BLOCK_INTERACTIONS = 1 << 20
"""Number of interactions that are processed at a time where temporary copies are needed; limits their memory."""


@dataclass(frozen=True)
class Interactions:
    """A users x items matrix with the ids of its rows and columns.

    Attributes
    ----------
    matrix : (U, I) CSR float32
        The stored values are confidences. Indices are int32 and sorted within rows.
    user_ids : (U,) int64, or object: str
        Raw ids: row u is the user user_ids[u]. Texts are Python objects, because an array of NumPy's own texts takes
        for each of them the memory of the longest.
    item_ids : (I,) int64, or object: str
        Raw ids.
    item_titles : (I,) object: str, or None
        None if the data set has no titles.
    times : (nnz,) float64 or None
        The timestamp of each stored value, in the order of matrix.data. None if the data set has no timestamps.
    counts : RatingCounts or None
        Ratings that were read, and dropped. None for a file that an earlier version stored.
    """

    matrix: "csr_array"
    user_ids: npt.NDArray[Any]
    item_ids: npt.NDArray[Any]
    item_titles: npt.NDArray[np.object_] | None
    times: Values | None = None
    counts: RatingCounts | None = None

    def digest(self) -> str:
        """Return the sha256 of everything that a fit depends on, equal on every machine.

        Timestamps are left out: only splits use them. So are the counts: dropped ratings change no fit.
        """
        hasher = hashlib.sha256()
        titles = self.item_titles if self.item_titles is not None else np.array([], dtype=object)
        matrix = self.matrix
        for array in (matrix.indptr, matrix.indices, matrix.data):
            little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            hasher.update(little_endian.dtype.str.encode())
            hasher.update(little_endian.data)
        for names in (self.user_ids, self.item_ids, titles):
            kind = "U" if names.dtype == object else names.dtype.kind  # earlier versions had NumPy's own texts
            hasher.update("\x1f".join(map(str, names.tolist())).encode() + kind.encode())
        hasher.update(repr(matrix.shape).encode())
        return hasher.hexdigest()

    def save(self, path: Path) -> None:
        """Write as npz without pickles."""
        arrays = _packed("user_ids", self.user_ids) | _packed("item_ids", self.item_ids)
        if self.item_titles is not None:
            arrays |= _packed("item_titles", self.item_titles)
        if self.times is not None:
            arrays["times"] = self.times
        if self.counts is not None:
            arrays["counts"] = self.counts.array()
        save_matrix(self.matrix, path, **arrays)

    @classmethod
    def load(cls, path: Path, *, times: bool = True) -> "Interactions":
        """Read a file that `save` wrote, in this or an earlier version.

        Parameters
        ----------
        path : Path
            The file.
        times : bool
            Whether to read the timestamps, which take as much memory as the matrix.

        Returns
        -------
        Interactions
        """
        with np.load(path, allow_pickle=False) as arrays:
            return cls(
                _matrix_of(arrays),
                _unpacked("user_ids", arrays),
                _unpacked("item_ids", arrays),
                _unpacked("item_titles", arrays),
                arrays.get("times") if times else None,
                RatingCounts.of_array(arrays["counts"]) if "counts" in arrays else None,
            )

    def users_frame(self) -> "pd.DataFrame":
        """Return the columns `index` and `raw_id`, one row for each user."""
        import pandas as pd

        return pd.DataFrame({"index": np.arange(len(self.user_ids)), "raw_id": self.user_ids})

    def items_frame(self) -> "pd.DataFrame":
        """Return the columns `index`, `raw_id` and `title` (empty if there is none), one row for each item."""
        import pandas as pd

        titles = self.item_titles if self.item_titles is not None else np.full(len(self.item_ids), "")
        return pd.DataFrame({"index": np.arange(len(self.item_ids)), "raw_id": self.item_ids, "title": titles})


@dataclass(frozen=True)
class Summary:
    """Counts of users, items and interactions, and the interactions of a user and of an item."""

    users: int
    items: int
    interactions: int
    mean_per_user: float
    mean_per_item: float
    max_per_user: int
    max_per_item: int
    min_per_user: int
    min_per_item: int

    @property
    def size(self) -> tuple[int, int, int]:
        """Numbers of users, of items and of interactions."""
        return self.users, self.items, self.interactions


def save_matrix(matrix: "csr_array", path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write a CSR matrix as npz without pickles.

    Parameters
    ----------
    matrix : csr_array
        What `load_matrix` returns.
    path : Path
        Replaced if it exists.
    **arrays
        Further arrays to write into the same file, by name.
    """
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
    """Read the matrix of a file that `save_matrix` or `Interactions.save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return _matrix_of(arrays)


def _packed(name: str, values: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays that hold integers as they are, or texts as the UTF-8 bytes of all and the end of each."""
    if values.dtype != object:
        return {name: values}
    texts = [text.encode() for text in values.tolist()]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return {f"{name}_bytes": np.frombuffer(b"".join(texts), dtype=np.uint8), f"{name}_ends": ends}


def _unpacked(name: str, arrays: Any) -> Any:
    """Return what `_packed` was given, or None if the file has nothing of this name."""
    if name in arrays:
        values = arrays[name]
        return values.astype(object) if values.dtype.kind == "U" else values  # texts of earlier versions
    if f"{name}_bytes" not in arrays:
        return None
    joined, ends = arrays[f"{name}_bytes"].tobytes(), arrays[f"{name}_ends"].tolist()
    return text_array(joined[start:end].decode() for start, end in pairwise([0, *ends]))


def text_array(texts: Iterable[str]) -> npt.NDArray[np.object_]:
    """Return texts as an array whose memory follows their own lengths, not the longest.

    Parameters
    ----------
    texts : iterable of str
        In the order of the array.

    Returns
    -------
    (n,) object
    """
    return np.array(list(texts), dtype=object)


def _matrix_of(arrays: Any) -> "csr_array":
    from scipy.sparse import csr_array

    return csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(arrays["shape"].tolist()))


def summarize(matrix: "csr_array") -> Summary:
    """Return the summary of a (U, I) CSR matrix."""
    if not matrix.nnz:  # the users and items of lists that others made
        return Summary(*matrix.shape, 0, 0.0, 0.0, 0, 0, 0, 0)
    per_user = np.diff(matrix.indptr)
    per_item = count_occurrences(matrix.indices, matrix.shape[1])
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


def select(matrix: "csr_array", selected: Mask) -> "csr_array":
    """Return the matrix with some of its stored values only.

    Parameters
    ----------
    matrix : (U, I) CSR
        Not changed.
    selected : (nnz,) bool
        Which values are kept, in the order of matrix.data.

    Returns
    -------
    (U, I) CSR
    """
    from scipy.sparse import csr_array

    selected_before = np.zeros(matrix.nnz + 1, dtype=np.int32)  # number of selected values before each stored value
    np.cumsum(selected, out=selected_before[1:])
    indptr = selected_before[matrix.indptr]
    del selected_before  # before the copies below
    return csr_array((matrix.data[selected], matrix.indices[selected], indptr), shape=matrix.shape)


def count_occurrences(indexes: npt.NDArray[Any], n: int) -> Counts:
    """Return how often each of the numbers 0 to n - 1 occurs.

    Parameters
    ----------
    indexes : (any,) integers
        From 0 to n - 1.
    n : int
        Length of the result.

    Returns
    -------
    (n,) int64
    """
    counts = np.zeros(n, dtype=np.int64)
    # block by block, because bincount copies its whole input to int64
    for start in range(0, len(indexes), BLOCK_INTERACTIONS):
        counts += np.bincount(indexes[start : start + BLOCK_INTERACTIONS], minlength=n)
    return counts
