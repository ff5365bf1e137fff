"""Recommendations: the items with the highest predicted scores."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.models.factors import Factors
from tasks.core.models.fold_in import fold_in
from tasks.core.models.score_blocks import ProductBlocks
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.top_n import top_n
from tasks.core.types import Floats, Ids, OnProgress, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def recommend(
    factors: Factors,
    liked: "csr_array",
    *,
    n: int,
    rows: Ids | None = None,
    on_progress: OnProgress | None = None,
) -> Lists:
    """Return the n items with the highest score x.y for each user, without those that the user has liked.

    A user or an item of norm zero was not trained: such a user's list is empty, and no list includes such an item.

    Parameters
    ----------
    factors : Factors
        Factors of a trained model.
    liked : (U, I) CSR
        Interactions of each user.
    n : int
        Greatest length of a list.
    rows : (Q,) int32, optional
        Users whose lists are computed, by default all.
    on_progress : callable, optional
        Called after each block with the users done and the total.

    Returns
    -------
    Lists
        One list for each of `rows`, in their order.
    """
    if rows is not None:
        factors, liked = Factors(factors.users[rows], factors.items), liked[rows]
    return top_n(exclude(preferences(factors), liked), len(factors.users), len(factors.items), n, on_progress)


def recommend_to_new_user(item_factors: Floats, owned: Ids, settings: AlsConfig, *, confidence: float, n: int) -> Lists:
    """Return the n items with the highest score for a user whom the model was not trained on.

    Parameters
    ----------
    item_factors : (I, k) float32
        Of a trained model.
    owned : (m,) int32
        Items of the user, all different. They are folded in, and not recommended.
    settings : AlsConfig
        Settings of the model.
    confidence : float
        Stored confidence of each of these items; it is multiplied by alpha.
    n : int
        Greatest length of the list.

    Returns
    -------
    Lists
        One list.

    Raises
    ------
    TrainingError
        See `fold_in`.
    """
    from scipy.sparse import csr_array

    values = np.full(len(owned), confidence, dtype=np.float32)
    liked = csr_array((values, np.sort(owned), np.array([0, len(owned)])), shape=(1, len(item_factors)))
    return recommend(Factors(fold_in(liked, item_factors, settings), item_factors), liked, n=n)


def preferences(factors: Factors) -> Scores:
    """Return the scores x.y of all items for every user; -inf for users and items that were not trained.

    A block of scores overwrites the one before.
    """
    untrained_items = ~np.any(factors.items, axis=1)
    untrained_users = np.asarray(~np.any(factors.users, axis=1))
    products = ProductBlocks(factors.items)

    def scores(start: int, stop: int) -> Floats:
        block = products.of(factors.users[start:stop])  # (B, I)
        block[:, untrained_items] = -np.inf
        block[untrained_users[start:stop]] = -np.inf
        return block

    return scores


def exclude(scores: Scores, interactions: "csr_array") -> Scores:
    """Return the same scores with -inf for every interaction.

    Parameters
    ----------
    scores : callable
        Its blocks are overwritten.
    interactions : (U, I) CSR
        Only where they are is used, not the values.

    Returns
    -------
    callable
        As `scores`.
    """

    def masked(start: int, stop: int) -> Floats:
        block = scores(start, stop)
        rows = np.repeat(np.arange(stop - start), np.diff(interactions.indptr[start : stop + 1]))
        columns = interactions.indices[interactions.indptr[start] : interactions.indptr[stop]]
        block[rows, columns] = -np.inf
        return block

    return masked
