"""Recommendations: the items of the highest predicted score."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.models.factors import Factors
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.top_n import top_n
from tasks.core.types import Floats, OnProgress, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def recommend(factors: Factors, liked: "csr_array", *, n: int, told: OnProgress | None = None) -> Lists:
    """The n items of the highest score x.y for each user, those it has liked left out.

    A user or item of norm zero was not trained: such a user's list is empty, such an item is on none.

    Parameters
    ----------
    liked : (U, I) CSR
    """
    return top_n(without(preferences(factors), liked), len(factors.users), len(factors.items), n, told)


def preferences(factors: Factors) -> Scores:
    """Every user's preference for every item; -inf for users and items that were not trained."""
    unknown_items = ~np.any(factors.items, axis=1)
    unknown_users = np.asarray(~np.any(factors.users, axis=1))

    def scores(start: int, stop: int) -> Floats:
        block = score(factors.users[start:stop], factors.items)  # (B, I)
        block[:, unknown_items] = -np.inf
        block[unknown_users[start:stop]] = -np.inf
        return block

    return scores


def without(scores: Scores, liked: "csr_array") -> Scores:
    """The same scores, which may be overwritten, with -inf for what a user has liked; `liked` is (U, I) CSR."""

    def masked(start: int, stop: int) -> Floats:
        block = scores(start, stop)
        rows = np.repeat(np.arange(stop - start), np.diff(liked.indptr[start : stop + 1]))
        block[rows, liked.indices[liked.indptr[start] : liked.indptr[stop]]] = -np.inf
        return block

    return masked


def score(users: Floats, items: Floats) -> Floats:
    """Preference of each user for each item, the dot product of their factors: (B, k), (I, k) -> (B, I)."""
    return users @ items.T
