"""Item-kNN: an item is scored by its similarity with the user's items."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from tasks.core.models.cost import BLOCK_BYTES
from tasks.core.models.score_blocks import ScoreMemory
from tasks.core.types import Floats, Ids, Scores, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

NEIGHBOURS = (5, 10, 20, 50, 100, 200, 500, 1000)
"""Numbers of neighbours to choose from."""
MOST_WITH_ALL = 2_000
"""Most items of a catalogue in which all other items are to choose from too."""
SHRINKAGES = (0.0, 10.0, 100.0, 1000.0)
"""Shrinkages to choose from."""
USUAL = {"neighbours": 20.0, "shrinkage": 0.0}
"""The settings that are used without a choice: those of implicit's CosineRecommender."""

_DENSE_SHARE = 0.1
"""Similarities are a dense matrix if more than this share of them is above 0."""


@dataclass(frozen=True)
class NearestItems:
    """The items that are most similar to each item, without itself.

    Attributes
    ----------
    ids : (I, n) int32
        The most similar first.
    similarities : (I, n) float64
        0 where two items have no user in common.
    """

    ids: Ids
    similarities: Values

    def matrix(self, n: int) -> "csr_matrix":
        """Return the similarities of each item's n nearest, (I, I)."""
        from scipy.sparse import csr_matrix

        items, most = self.ids.shape
        n = min(n, most)
        rows = np.arange(items + 1) * n
        similarity = csr_matrix((self.similarities[:, :n].ravel(), self.ids[:, :n].ravel(), rows), shape=(items, items))
        similarity.eliminate_zeros()
        return similarity


def item_knn(train: "csr_array", known: "csr_array", *, neighbours: float, shrinkage: float) -> Scores:
    """Fit item-kNN, and return its scores.

    The similarity of items i and j is x_i·x_j / (|x_i| |x_j| + shrinkage), where x_i are the confidences of all users
    in item i (Ferrari Dacrema, Cremonesi and Jannach 2019, section 3.1). Without shrinkage it is their cosine. The
    score of item j for a user is the sum of the similarities of i and j, times the confidence in i, over the user's
    items i that have j among their nearest. That is implicit's CosineRecommender.

    Parameters
    ----------
    train : (U, I) CSR
        Confidences that similarities are computed from.
    known : (U, I) CSR
        Confidences that a user is scored by.
    neighbours : float
        Number of nearest items of each item, besides itself.
    shrinkage : float
        0 or more.

    Returns
    -------
    callable
        -inf for an item that no similarity leads to. A block overwrites the one before.
    """
    n = int(neighbours)
    if shrinkage:
        return _scores(known, next(nearest_items(train, n, [shrinkage])).matrix(n))
    return _scores(known, _cosines(train, n))


def with_each_setting(train: "csr_array", known: "csr_array") -> Iterator[tuple[dict[str, float], Scores]]:
    """Yield item-kNN with each of `SHRINKAGES`, and for each of them with each of `numbers_of_neighbours`.

    Parameters
    ----------
    train, known : (U, I) CSR
        See `item_knn`. `known` may have fewer rows.

    Yields
    ------
    dict of str to float
        The settings.
    callable
        Scores, as `item_knn` returns them.
    """
    numbers = numbers_of_neighbours(train.shape[1])
    for shrinkage, nearest in zip(SHRINKAGES, nearest_items(train, numbers[-1], SHRINKAGES), strict=True):
        for n in numbers:
            yield {"neighbours": float(n), "shrinkage": shrinkage}, _scores(known, nearest.matrix(n))


def numbers_of_neighbours(items: int) -> list[int]:
    """Return the numbers of neighbours to choose from.

    Parameters
    ----------
    items : int
        Number of items.

    Returns
    -------
    list of int
        `NEIGHBOURS` below the number of other items, and in a catalogue that is not large all other items.
    """
    others = max(items - 1, 1)
    fewer = [n for n in NEIGHBOURS if n < others]
    return fewer if items > MOST_WITH_ALL else [*fewer, others]


def bytes_of_choice(items: int) -> int:
    """Return the memory of `with_each_setting` beside its blocks: the nearest items, and these as a matrix.

    Parameters
    ----------
    items : int
        Number of items.

    Returns
    -------
    int
    """
    nearest = 12 * items * numbers_of_neighbours(items)[-1]
    return 2 * nearest + (8 * items**2 if is_dense(numbers_of_neighbours(items)[-1], items) else 0)


def is_dense(neighbours: int, items: int) -> bool:
    """Return whether the similarities of so many neighbours of each item are computed with as a dense matrix.

    Parameters
    ----------
    neighbours, items : int
        Numbers of nearest items of each item, and of items.

    Returns
    -------
    bool
    """
    return neighbours > _DENSE_SHARE * items


def nearest_items(train: "csr_array", n: int, shrinkages: Sequence[float]) -> Iterator[NearestItems]:
    """Yield the nearest items of each item with each shrinkage.

    Parameters
    ----------
    train : (U, I) CSR
        Confidences.
    n : int
        Number of nearest items. There are fewer if the catalogue has no more.
    shrinkages : sequence of float
        0 or more.

    Yields
    ------
    NearestItems
    """
    items = train.shape[1]
    n = min(n, items - 1)
    confidences = train.astype(np.float64)
    by_item = confidences.T.tocsr()  # (I, U)
    norms = np.sqrt(confidences.power(2).sum(axis=0))  # (I,)
    # a block of products, of similarities, and of the positions that sort them
    step = max(1, BLOCK_BYTES // (24 * max(items, 1)))
    for shrinkage in shrinkages:
        ids, similarities = np.empty((items, n), dtype=np.int32), np.empty((items, n))
        for start in range(0, items, step):
            block = (by_item[start : start + step] @ confidences).toarray()  # (B, I)
            # items without interactions have a norm of 0
            block /= np.maximum(norms[start : start + step, None] * norms + shrinkage, np.finfo(np.float64).tiny)
            block[np.arange(len(block)), start + np.arange(len(block))] = -1  # itself
            nearest = np.argpartition(block, items - n - 1, axis=1)[:, items - n :]
            values = np.take_along_axis(block, nearest, axis=1)
            order = np.argsort(-values, axis=1)
            ids[start : start + step] = np.take_along_axis(nearest, order, axis=1)
            similarities[start : start + step] = np.take_along_axis(values, order, axis=1)
        yield NearestItems(ids, similarities)


def _cosines(train: "csr_array", n: int) -> "csr_matrix":
    """Return the cosines of each item's n nearest and of itself, (I, I), as implicit computes them.

    It uses all cores and never has a dense block, unlike `nearest_items`.
    """
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    model = CosineRecommender(K=n + 1)  # implicit counts the item itself
    with warnings.catch_warnings():  # implicit warns of the format of a matrix that it makes itself
        warnings.simplefilter("ignore")
        model.fit(csr_matrix(train, dtype=np.float64), show_progress=False)
    similarity: csr_matrix = model.similarity.tocsr()
    return similarity


def _scores(known: "csr_array", similarity: "csr_matrix") -> Scores:
    items = known.shape[1]
    memory = ScoreMemory(items)
    # Where so many pairs of items have a similarity, the product with a dense matrix takes less time. Its sums are the
    # same ones in the same order.
    factor = similarity.toarray() if similarity.nnz > _DENSE_SHARE * items**2 else similarity

    def scores(start: int, stop: int) -> Floats:
        block: Floats
        product = known[start:stop] @ factor
        if isinstance(product, np.ndarray):
            block = product.astype(np.float32)
        else:
            # Rounded before the zeros are added, because most scores are 0. The matrix's own `astype` would sort it.
            sparse = cast("csr_array", product)
            sparse.data = sparse.data.astype(np.float32)
            block = sparse.toarray(out=memory.rows(stop - start))
        block[block <= 0] = -np.inf
        return block

    return scores
