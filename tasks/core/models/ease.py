"""EASE: each item is predicted by a linear regression on all others, in closed form (Steck 2019)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.data.interactions import count_occurrences
from tasks.core.types import Floats, Scores, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PENALTIES = (10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0)
"""L2 penalties to choose from. The best values in the paper are 200 to 1000, for larger data."""
USUAL = {"penalty": 250.0}
"""The setting that is used without a choice."""
BYTES_PER_CELL = 12
"""Memory of a fit for each cell of the I x I matrices: one matrix of float64 and one of float32 at a time."""
BYTES_PER_CELL_OF_A_CHOICE = 16
"""The same where penalties are compared: the Gram matrix in float32 is kept."""
_BLOCK_BYTES = 4 << 20
"""Memory of a block of rows of float64."""


def ease(train: "csr_array", known: "csr_array", *, penalty: float) -> Scores:
    """Fit EASE, and return its scores.

    Parameters
    ----------
    train : (U, I) CSR
        Only where interactions are is used, not their values.
    known : (U, I) CSR
        Interactions that a user is scored by.
    penalty : float
        Above 0.

    Returns
    -------
    callable
        -inf for an item that nobody has in `train`, and for a user without interactions in `known`.
    """
    return _scores(train, known, weights(_gram(train).astype(np.float64), penalty))


def with_each_penalty(train: "csr_array", known: "csr_array") -> Iterator[tuple[dict[str, float], Scores]]:
    """Yield EASE with each of `PENALTIES`, all from one Gram matrix.

    Parameters
    ----------
    train, known : (U, I) CSR
        See `ease`. `known` may have fewer rows.

    Yields
    ------
    dict of str to float
        The penalty.
    callable
        Scores, as `ease` returns them.
    """
    gram = _gram(train)
    for penalty in PENALTIES:
        # A factorization for each penalty takes less time than one decomposition into eigenvectors: with 3,500 items,
        # 0.4 s each, against 3.9 s and then 0.7 s for each inverse.
        yield {"penalty": penalty}, _scores(train, known, weights(gram.astype(np.float64), penalty))


def weights(gram: Values, penalty: float) -> Floats:
    """Return B, which minimises |X - XB|² + penalty·|B|² among the matrices whose diagonal is 0.

    B = I - P / diag(P), where P = (XᵀX + penalty·I)⁻¹ and column j is divided by P_jj (Steck 2019, equation 8).

    Parameters
    ----------
    gram : (I, I) float64, C order
        XᵀX. It is overwritten: beside it, only the result takes memory.
    penalty : float
        Above 0.

    Returns
    -------
    (I, I) float32
    """
    from scipy.linalg import cho_factor, lapack

    items = len(gram)
    gram[np.diag_indices(items)] += penalty
    # LAPACK works in place on the columns of the transpose, which are the rows of `gram`
    factor, _ = cho_factor(gram.T, lower=True, overwrite_a=True, check_finite=False)
    inverse = lapack.dpotri(factor, lower=1, overwrite_c=1)[0].T  # (I, I), only the upper triangle
    variances = np.diag(inverse).copy()
    result = np.empty((items, items), dtype=np.float32)
    step = _rows_of_a_block(items)
    for start in range(0, items, step):
        stop = min(start + step, items)
        block = -inverse[start:stop, start:]
        on_diagonal = block[:, : stop - start]
        on_diagonal[:] = np.triu(on_diagonal) + np.triu(on_diagonal, 1).T
        result[start:stop, start:] = block / variances[start:]
        result[start:, start:stop] = block.T / variances[start:stop]
    np.fill_diagonal(result, 0)
    return result


def _gram(train: "csr_array") -> Floats:
    """Return XᵀX for X of ones, (I, I) float32: numbers of users, which are exact below 2²⁴."""
    ones = _ones(train)
    items = train.shape[1]
    by_item = ones.T.tocsr()
    gram = np.empty((items, items), dtype=np.float32)
    step = _rows_of_a_block(items)
    for start in range(0, items, step):  # the product as a sparse matrix can take more memory than as a dense one
        (by_item[start : start + step] @ ones).toarray(out=gram[start : start + step])
    return gram


def _scores(train: "csr_array", known: "csr_array", item_weights: Floats) -> Scores:
    """Return the scores X B of each user of `known`."""
    untrained = count_occurrences(train.indices, train.shape[1]) == 0
    ones = _ones(known)

    def scores(start: int, stop: int) -> Floats:
        block = np.asarray(ones[start:stop] @ item_weights, dtype=np.float32)
        block[:, untrained] = -np.inf
        # users without interactions get no recommendations
        block[np.diff(ones.indptr[start : stop + 1]) == 0] = -np.inf
        return block

    return scores


def _rows_of_a_block(items: int) -> int:
    return max(1, _BLOCK_BYTES // (8 * max(items, 1)))


def _ones(matrix: "csr_array") -> "csr_array":
    """Return 1 in place of each stored value, (U, I) float32."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(matrix.nnz, dtype=np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
