"""Neighbours by factors and by predicted scores.

The scores U·Vᵀ determine the factors only up to an invertible map: (U·A, V·A⁻ᵀ) gives the same scores for every
invertible A, and other cosines between the rows of U (Steck, Ekanadham and Kallus 2024, *Is cosine-similarity of
embeddings really about similarity?*). Cosines between the predicted scores of users do not change with A.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.models.factors import Factors
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.neighbours import nearest
from tasks.core.ranking.recommendations import recommend
from tasks.core.types import Floats, Ids, OnProgress, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SIMILARITIES = FACTORS, SCORES = ("factors", "scores")
"""What the cosine of two users or items is computed from."""
_BLOCK_BYTES = 64 << 20
"""Approximate size of the float64 copy of a block of rows."""


def make_lists(
    factors: Factors,
    target: str,
    by: str,
    *,
    liked: "csr_array",
    n: int,
    rows: Ids | None = None,
    on_progress: OnProgress | None = None,
) -> Lists:
    """Return neighbours of users or of items, or recommendations for users.

    Parameters
    ----------
    factors : Factors
        Of a trained model.
    target : str
        `users`, `items` or `recommendations`.
    by : str
        For neighbours: `factors` or `scores`.
    liked : (U, I) CSR
        Interactions, which are not recommended.
    n : int
        Greatest length of a list.
    rows : (Q,) int32, optional
        Users or items whose lists are computed, by default all.
    on_progress : callable, optional
        Called after each block with the lists done and the total.

    Returns
    -------
    Lists
        One list for each of `rows`, in their order.
    """
    if target == "recommendations":
        return recommend(factors, liked, n=n, rows=rows, on_progress=on_progress)
    return make_neighbours(factors, target, by, n=n, rows=rows, on_progress=on_progress)


def make_neighbours(
    factors: Factors,
    target: str,
    by: str,
    *,
    n: int,
    rows: Ids | None = None,
    on_progress: OnProgress | None = None,
) -> Lists:
    """Return neighbours of users or of items by the cosine of their factors, or of their predicted scores.

    Parameters
    ----------
    factors, target, by, n, rows, on_progress
        As in `make_lists`; `target` is `users` or `items`.

    Returns
    -------
    Lists
        One list for each of `rows`, in their order.
    """
    own, other = (factors.users, factors.items) if target == "users" else (factors.items, factors.users)
    vectors = own if by == FACTORS else score_vectors(own, other)
    return nearest(vectors, n=n, rows=rows, on_progress=on_progress)


def score_vectors(rows: Floats, columns: Floats) -> Floats:
    """Return vectors with the inner products, and hence the cosines, of the rows' predicted scores.

    The scores of row u are x_u·Vᵀ, and the inner product of those of u and w is x_u·VᵀV·x_w. With VᵀV = L·Lᵀ it is that
    of the rows of U·L. L comes from the eigendecomposition of VᵀV, without eigenvalues that are zero up to rounding. No
    R x C matrix of scores is needed.

    Parameters
    ----------
    rows : (R, k) float32
        Factors of the users, or of the items.
    columns : (C, k) float32
        Factors of the other side.

    Returns
    -------
    (R, r) float32
        r ≤ min(k, C), at least 1. A row whose scores are zero up to the rounding of float32 is zero.
    """
    size = columns.shape[1]
    gram: Values = np.zeros((size, size))
    for block in _blocks(columns):
        gram += block.T @ block
    eigenvalues, eigenvectors = np.linalg.eigh(gram)  # ascending
    largest = max(float(eigenvalues[-1]), 0.0)
    kept = eigenvalues > largest * size * np.finfo(np.float64).eps
    kept[-1] = True
    root: Values = eigenvectors[:, kept] * np.sqrt(np.maximum(eigenvalues[kept], 0))  # (k, r)
    vectors: Floats = np.empty((len(rows), root.shape[1]), dtype=np.float32)
    start = 0
    for block in _blocks(rows):
        part = block @ root
        rounding = np.finfo(np.float32).eps * np.sqrt(largest) * np.linalg.norm(block, axis=1)
        part[np.linalg.norm(part, axis=1) <= rounding] = 0
        vectors[start : start + len(part)] = part
        start += len(part)
    return vectors


def _blocks(factors: Floats) -> Iterator[Values]:
    """Yield the rows in float64, as many at a time as take about `_BLOCK_BYTES`."""
    step = max(1, _BLOCK_BYTES // (8 * max(factors.shape[1], 1)))
    for start in range(0, len(factors), step):
        yield factors[start : start + step].astype(np.float64)
