"""Timestamps of a part of the interactions."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.data.interactions import Interactions
from tasks.core.types import Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def times_of_part(interactions: Interactions, part: "csr_array") -> Values | None:
    """Return the timestamp of each stored value of a part, in the order of its data.

    Parameters
    ----------
    interactions : Interactions
        With or without timestamps.
    part : (U, I) CSR
        Some of the interactions.

    Returns
    -------
    (nnz,) float64 or None
        None if the interactions have no timestamps.
    """
    if interactions.times is None:
        return None
    return interactions.times[np.isin(_cells(interactions.matrix), _cells(part), assume_unique=True)]


def _cells(matrix: "csr_array") -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return a number for each stored value that says in which row and column it is, ascending."""
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return rows * matrix.shape[1] + matrix.indices
