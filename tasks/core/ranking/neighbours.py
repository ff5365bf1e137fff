"""Nearest neighbours, in factor space and by raw interactions."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.ranking.lists import Lists
from tasks.core.ranking.top_n import top_n
from tasks.core.types import Floats, Ids, OnProgress

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def nearest(factors: Floats, *, n: int, rows: Ids | None = None, told: OnProgress | None = None) -> Lists:
    """The n nearest rows of each row by cosine, itself left out.

    A row of norm zero has no direction: its list is empty, and it is on no other's.

    Parameters
    ----------
    factors : (R, k) float32
    rows : those whose lists are wanted, in the order wanted; all by default
    """
    asked = np.arange(len(factors), dtype=np.int32) if rows is None else rows
    norms = np.linalg.norm(factors, axis=1)
    directed = norms > 0
    unit: Floats = np.zeros_like(factors)
    np.divide(factors, norms[:, None], out=unit, where=directed[:, None])

    def scores(start: int, stop: int) -> Floats:
        chosen = asked[start:stop]
        block = (unit[start:stop] if rows is None else unit[chosen]) @ unit.T  # (B, R)
        block[:, ~directed] = -np.inf
        block[~directed[chosen]] = -np.inf
        block[np.arange(stop - start), chosen] = -np.inf
        return block

    return top_n(scores, len(asked), len(unit), n, told)


def nearest_by_interactions(matrix: "csr_array", *, n: int, rows: Ids | None = None) -> Lists:
    """The n nearest rows of each row by the cosine of their interactions; only rows that share a column count.

    What a model that had memorised the interactions would list.

    Parameters
    ----------
    matrix : (R, C) CSR float32
    rows : those whose lists are wanted; all by default
    """
    from scipy.sparse import diags_array

    asked = np.arange(matrix.shape[0], dtype=np.int32) if rows is None else rows
    norms = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    unit = (diags_array(1 / np.where(norms > 0, norms, 1)) @ matrix).tocsr()
    turned = unit.T.tocsr()

    def scores(start: int, stop: int) -> Floats:
        chosen = asked[start:stop]
        block: Floats = (unit[chosen] @ turned).toarray().astype(np.float32)
        block[block <= 0] = -np.inf
        block[np.arange(stop - start), chosen] = -np.inf
        return block

    return top_n(scores, len(asked), unit.shape[0], n)


def evenly_spread(entities: int, most: int) -> Ids:
    """Indexes of at most so many entities, spread evenly over all."""
    return np.unique(np.linspace(0, entities - 1, min(most, entities)).astype(np.int32))
