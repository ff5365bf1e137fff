"""The matrix of interactions, with the names of its rows and columns."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

BLOCK_INTERACTIONS = 1 << 20  # interactions of which temporary copies are made


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
    for start in range(0, len(indexes), BLOCK_INTERACTIONS):
        found += np.bincount(indexes[start : start + BLOCK_INTERACTIONS], minlength=n)
    return found
