"""Reference recommenders, whose accuracy the models' is compared with: popularity, item-kNN, EASE and random.

An item that no user has in the train part scores -inf for everyone. A user of whom nothing is known gets -inf for every
item from the recommenders that use a user's own interactions (item-kNN, EASE). A block of scores overwrites the
one before.
"""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.evaluation import EASE, ITEM_KNN, POPULARITY, RANDOM
from tasks.core.models.score_blocks import ScoreMemory
from tasks.core.types import Floats, Mask, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MAX_NEIGHBOURS = 20
"""Nearest items that item-kNN uses for each item, besides the item itself: implicit's default."""
EASE_PENALTY = 250.0
"""L2 penalty of EASE, among the best values in its paper (200 to 1000)."""
MOST_ITEMS = 8_000
"""Most items for which EASE is computed: beyond, its I x I inverse would cost more time and memory than the models."""

Recommender = Callable[["csr_array", "csr_array", int], Scores]
"""(train (U, I), known (U, I), seed) -> the scores of all items for every user.

It learns from `train`, and scores a user by the user's row of `known`: see `tasks.core.data.splits.split.Split.known`.
"""


def _popularity(train: "csr_array", known: "csr_array", seed: int) -> Scores:
    """Score an item by the number of users who have it, equally for everyone."""
    counts = np.bincount(train.indices, minlength=train.shape[1]).astype(np.float32)
    counts[counts == 0] = -np.inf
    memory = ScoreMemory(len(counts))

    def scores(start: int, stop: int) -> Floats:
        block = memory.rows(stop - start)
        block[:] = counts
        return block

    return scores


def _item_knn(train: "csr_array", known: "csr_array", seed: int) -> Scores:
    """Score an item by its cosines with the user's items, weighted by confidence (implicit's CosineRecommender).

    A cosine counts only if the item is among the nearest of the user's item.
    """
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    model = CosineRecommender(K=MAX_NEIGHBOURS + 1)  # implicit counts the item itself
    with warnings.catch_warnings():  # implicit warns of the format of a matrix that it makes itself
        warnings.simplefilter("ignore")
        model.fit(csr_matrix(train, dtype=np.float64), show_progress=False)
    similarity = model.similarity.tocsr()  # (I, I)
    memory = ScoreMemory(train.shape[1])

    def scores(start: int, stop: int) -> Floats:
        # rounded before the zeros are added: most scores are 0
        block: Floats = (known[start:stop] @ similarity).astype(np.float32).toarray(out=memory.rows(stop - start))
        block[block <= 0] = -np.inf
        return block

    return scores


def _ease(train: "csr_array", known: "csr_array", seed: int) -> Scores:
    """Score by EASE: X B with B = I - P / diag(P) and P = (XᵀX + penalty I)⁻¹, for X of ones (Steck 2019)."""
    from scipy.linalg import cho_factor, cho_solve

    ones = _ones(train)
    gram = (ones.T @ ones).toarray().astype(np.float64)  # (I, I)
    gram[np.diag_indices_from(gram)] += EASE_PENALTY
    inverse = cho_solve(cho_factor(gram, overwrite_a=True), np.eye(len(gram)))
    weights = (-inverse / np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    untrained, known_ones = _untrained(train), _ones(known)

    def scores(start: int, stop: int) -> Floats:
        block = np.asarray(known_ones[start:stop] @ weights, dtype=np.float32)
        block[:, untrained] = -np.inf
        # users without interactions get no recommendations
        block[np.diff(known_ones.indptr[start : stop + 1]) == 0] = -np.inf
        return block

    return scores


def _random(train: "csr_array", known: "csr_array", seed: int) -> Scores:
    """Score every item that some user has uniformly at random."""
    rng, untrained = np.random.default_rng(seed), _untrained(train)
    memory = ScoreMemory(train.shape[1])

    def scores(start: int, stop: int) -> Floats:
        block = memory.rows(stop - start)
        rng.random(dtype=np.float32, out=block)
        block[:, untrained] = -np.inf
        return block

    return scores


def _ones(matrix: "csr_array") -> "csr_array":
    """Return 1 in place of each stored value, (U, I) float32."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(matrix.nnz, dtype=np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _untrained(train: "csr_array") -> Mask:
    """Return which items no user has, (I,)."""
    return np.asarray(np.bincount(train.indices, minlength=train.shape[1]) == 0)


RECOMMENDERS: dict[str, Recommender] = {
    POPULARITY: _popularity,
    ITEM_KNN: _item_knn,
    EASE: _ease,
    RANDOM: _random,
}
"""All reference recommenders, by the names in `tasks.core.config.evaluation.REFERENCES`."""


def references_for(items: int) -> dict[str, Recommender]:
    """Return the reference recommenders for a number of items: all, or all but EASE above `MOST_ITEMS`."""
    return {name: recommender for name, recommender in RECOMMENDERS.items() if name != EASE or items <= MOST_ITEMS}
