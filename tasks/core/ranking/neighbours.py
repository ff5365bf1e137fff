"""Nearest neighbours by cosine, in factor space and by interactions."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.models.score_blocks import ProductBlocks
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.top_n import top_n
from tasks.core.types import Floats, Ids, OnProgress

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def nearest(factors: Floats, *, n: int, rows: Ids | None = None, on_progress: OnProgress | None = None) -> Lists:
    """Return the n nearest rows of each row by the cosine of their factors, without the row itself.

    A row of norm zero has no direction: its list is empty, and no other list includes it.

    Parameters
    ----------
    factors : (R, k) float32
        Of the users, or of the items.
    n : int
        Greatest length of a list.
    rows : (Q,) int32, optional
        Rows whose lists are computed, by default all.
    on_progress : callable, optional
        Called after each block with the rows done and the total.

    Returns
    -------
    Lists
        One list for each of `rows`, in their order.
    """
    queries = np.arange(len(factors), dtype=np.int32) if rows is None else rows
    norms = np.linalg.norm(factors, axis=1)
    nonzero = norms > 0
    unit: Floats = np.zeros_like(factors)
    np.divide(factors, norms[:, None], out=unit, where=nonzero[:, None])
    products = ProductBlocks(unit)

    def scores(start: int, stop: int) -> Floats:
        ids = queries[start:stop]
        # a slice needs no copy
        block = products.of(unit[start:stop] if rows is None else unit[ids])  # (B, R)
        block[:, ~nonzero] = -np.inf
        block[~nonzero[ids]] = -np.inf
        block[np.arange(stop - start), ids] = -np.inf
        return block

    return top_n(scores, len(queries), len(unit), n, on_progress)


def nearest_by_interactions(matrix: "csr_array", *, n: int, rows: Ids | None = None) -> Lists:
    """Return the n nearest rows of each row by the cosine of their interactions, without the row itself.

    A model that had memorised the interactions would give these lists. Rows without a common column are not listed.

    Parameters
    ----------
    matrix : (R, C) CSR float32
        Confidences; rows are the users, or the items.
    n : int
        Greatest length of a list.
    rows : (Q,) int32, optional
        Rows whose lists are computed, by default all.

    Returns
    -------
    Lists
        One list for each of `rows`, in their order.
    """
    from scipy.sparse import diags_array

    queries = np.arange(matrix.shape[0], dtype=np.int32) if rows is None else rows
    norms = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    unit = (diags_array(1 / np.where(norms > 0, norms, 1)) @ matrix).tocsr()
    unit_transposed = unit.T.tocsr()

    def scores(start: int, stop: int) -> Floats:
        ids = queries[start:stop]
        block: Floats = (unit[ids] @ unit_transposed).toarray().astype(np.float32)  # (B, R)
        block[block <= 0] = -np.inf
        block[np.arange(stop - start), ids] = -np.inf
        return block

    return top_n(scores, len(queries), unit.shape[0], n)


def evenly_spread(entities: int, most: int) -> Ids:
    """Return the indexes of a sample of entities, spread evenly over all.

    Parameters
    ----------
    entities : int
        Number of entities.
    most : int
        Greatest number in the sample.

    Returns
    -------
    (min(most, entities),) int32
        Ascending.
    """
    return np.unique(np.linspace(0, entities - 1, min(most, entities)).astype(np.int32))
