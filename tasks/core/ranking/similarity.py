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
    """Return vectors of norm 1 whose inner products are the cosines of the rows' predicted scores.

    The scores of row u are x_u·Vᵀ, and the inner product of those of u and w is x_u·VᵀV·x_w. With VᵀV = L·Lᵀ it is that
    of the rows of U·L. No R x C matrix of scores is needed. All is computed in float64, and rounded at the end.

    Parameters
    ----------
    rows : (R, k) float32
        Factors of the users, or of the items.
    columns : (C, k) float32
        Factors of the other side.

    Returns
    -------
    (R, k) float32
        A row whose scores are zero up to the rounding of float32 is zero.
    """
    gram: Values = np.zeros((columns.shape[1], columns.shape[1]))
    for block in _blocks(columns):
        gram += block.T @ block
    root = _square_root(gram)
    relative_rounding = np.finfo(np.float32).eps * np.sqrt(np.linalg.norm(gram))
    vectors: Floats = np.empty(rows.shape, dtype=np.float32)
    start = 0
    for block in _blocks(rows):
        scores = block @ root
        norms = np.linalg.norm(scores, axis=1)
        norms[norms <= relative_rounding * np.linalg.norm(block, axis=1)] = np.inf
        # before the rounding to float32, in whose range the squares of large and of small scores are not
        vectors[start : start + len(block)] = np.divide(scores, norms[:, None], out=scores)
        start += len(block)
    return vectors


def _square_root(gram: Values) -> Values:
    """Return L (k, k) with L·Lᵀ = VᵀV (k, k)."""
    try:
        # takes a tenth of the time of the eigendecomposition
        return np.linalg.cholesky(gram).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        # VᵀV is singular, as with k above the number of users or items, and has eigenvalues just below zero
        eigenvalues, eigenvectors = np.linalg.eigh(gram)
        root: Values = eigenvectors * np.sqrt(np.maximum(eigenvalues, 0))
        return root


def _blocks(factors: Floats) -> Iterator[Values]:
    """Yield the rows in float64, as many at a time as take about `_BLOCK_BYTES`."""
    step = max(1, _BLOCK_BYTES // (8 * max(factors.shape[1], 1)))
    for start in range(0, len(factors), step):
        yield factors[start : start + step].astype(np.float64)
