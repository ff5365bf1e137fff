"""Reference recommenders, whose accuracy the models' is compared with: popularity, item-kNN, EASE and random.

An item that no user has in the train part scores -inf for everyone. A user of whom nothing is known gets -inf for every
item from the recommenders that use a user's own interactions (item-kNN, EASE). A block of scores overwrites the one
before.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tasks.core.config.evaluation import EASE, ITEM_KNN, POPULARITY, RANDOM
from tasks.core.data.interactions import count_occurrences
from tasks.core.models import ease, item_knn
from tasks.core.models.score_blocks import ScoreMemory
from tasks.core.types import Floats, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Recommender = Callable[..., Scores]
"""(train (U, I), known (U, I), seed, **settings) -> the scores of all items for every user.

It learns from `train`, and scores a user by the user's row of `known`: see `tasks.core.data.splits.split.Split.known`.
The settings are those of `USUAL`, if they are not given.
"""
Candidates: TypeAlias = "Callable[[csr_array, csr_array], Iterator[tuple[dict[str, float], Scores]]]"
"""(train, known) -> settings to choose from, each with its scores, which are used before the next ones are computed."""

USUAL: dict[str, dict[str, float]] = {ITEM_KNN: item_knn.USUAL, EASE: ease.USUAL}
"""Recommender -> the settings that are used without a choice; only of those that have settings."""
CANDIDATES: dict[str, Candidates] = {ITEM_KNN: item_knn.with_each_setting, EASE: ease.with_each_penalty}
"""Recommender -> its settings to choose from; the same recommenders as in `USUAL`."""


def _popularity(train: "csr_array", known: "csr_array", seed: int) -> Scores:
    """Score an item by the number of users who have it, equally for everyone."""
    counts = count_occurrences(train.indices, train.shape[1]).astype(np.float32)
    counts[counts == 0] = -np.inf
    memory = ScoreMemory(len(counts))

    def scores(start: int, stop: int) -> Floats:
        block = memory.rows(stop - start)
        block[:] = counts
        return block

    return scores


def _item_knn(train: "csr_array", known: "csr_array", seed: int, **settings: float) -> Scores:
    return item_knn.item_knn(train, known, **{**item_knn.USUAL, **settings})


def _ease(train: "csr_array", known: "csr_array", seed: int, **settings: float) -> Scores:
    return ease.ease(train, known, **{**ease.USUAL, **settings})


def _random(train: "csr_array", known: "csr_array", seed: int) -> Scores:
    """Score every item that some user has uniformly at random."""
    rng, untrained = np.random.default_rng(seed), count_occurrences(train.indices, train.shape[1]) == 0
    memory = ScoreMemory(train.shape[1])

    def scores(start: int, stop: int) -> Floats:
        block = memory.rows(stop - start)
        rng.random(dtype=np.float32, out=block)
        block[:, untrained] = -np.inf
        return block

    return scores


RECOMMENDERS: dict[str, Recommender] = {
    POPULARITY: _popularity,
    ITEM_KNN: _item_knn,
    EASE: _ease,
    RANDOM: _random,
}
"""All reference recommenders, by the names in `tasks.core.config.evaluation.REFERENCES`."""


def n_candidates(name: str, items: int) -> int:
    """Return how many settings of a recommender there are to choose from.

    Parameters
    ----------
    name : str
        One of `CANDIDATES`.
    items : int
        Number of items.

    Returns
    -------
    int
    """
    if name == EASE:
        return len(ease.PENALTIES)
    return len(item_knn.SHRINKAGES) * len(item_knn.numbers_of_neighbours(items))
