"""Recommenders that every model is compared with: popularity, item-kNN, EASE, random."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.core.types import Floats, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEIGHBOURS = 20
"""Of an item in item-kNN, beside itself: implicit's default."""
PENALTY = 250.0
"""EASE's L2 penalty, in the middle of what its paper found best (200 to 1000)."""
MOST_ITEMS = 8_000
"""Beyond, EASE's I x I inverse takes more time and memory than the models that it stands beside."""


def popularity(train: "csr_array", seed: int) -> Scores:
    """The same for everyone: how many users have an item."""
    counts = np.bincount(train.indices, minlength=train.shape[1]).astype(np.float32)
    counts[counts == 0] = -np.inf
    return lambda start, stop: np.tile(counts, (stop - start, 1))


def item_knn(train: "csr_array", seed: int) -> Scores:
    """An item's cosines with what a user has, summed by confidence over each one's nearest items (implicit's)."""
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    model = CosineRecommender(K=NEIGHBOURS + 1)  # which counts the item itself
    with warnings.catch_warnings():  # implicit warns of a format of its own making
        warnings.simplefilter("ignore")
        model.fit(csr_matrix(train, dtype=np.float64), show_progress=False)
    similarity = model.similarity.tocsr()

    def scores(start: int, stop: int) -> Floats:
        block: Floats = (train[start:stop] @ similarity).toarray().astype(np.float32)
        block[block <= 0] = -np.inf
        return block

    return scores


def ease(train: "csr_array", seed: int) -> Scores:
    """EASE (Steck 2019): X·B with B = I - P/diag(P), P the inverse of XᵀX + penalty·I, X of ones; closed form."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.sparse import csr_array

    owned = csr_array((np.ones(train.nnz, dtype=np.float32), train.indices, train.indptr), shape=train.shape)
    gram = (owned.T @ owned).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += PENALTY
    inverse = cho_solve(cho_factor(gram, overwrite_a=True), np.eye(len(gram)))
    weights = (-inverse / np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    unknown = _untrained(train)

    def scores(start: int, stop: int) -> Floats:
        block = np.asarray(owned[start:stop] @ weights, dtype=np.float32)
        block[:, unknown] = -np.inf
        block[np.diff(owned.indptr[start : stop + 1]) == 0] = -np.inf  # of no interactions nothing follows
        return block

    return scores


def random(train: "csr_array", seed: int) -> Scores:
    """Any item as likely as any other, of those that someone has."""
    rng, unknown = np.random.default_rng(seed), _untrained(train)

    def scores(start: int, stop: int) -> Floats:
        block = rng.random((stop - start, train.shape[1]), dtype=np.float32)
        block[:, unknown] = -np.inf
        return block

    return scores


Recommender = Callable[["csr_array", int], Scores]
"""(train, seed) -> the scores of every user for every item."""
RECOMMENDERS: dict[str, Recommender] = {
    "popularity": popularity,
    "item-knn": item_knn,
    "ease": ease,
    "random": random,
}


def references_for(items: int) -> dict[str, Recommender]:
    """The references for a catalogue of so many items: EASE only where that is not too many."""
    return {name: make for name, make in RECOMMENDERS.items() if name != "ease" or items <= MOST_ITEMS}


def _untrained(train: "csr_array") -> npt.NDArray[np.bool_]:
    return np.asarray(np.bincount(train.indices, minlength=train.shape[1]) == 0)
