"""Coverage, novelty and diversity of recommendations.

Lists are (T, n) int32 item indexes, best first, -1 where a list has ended. The popularity of an item is the number of
users who have it in the train part.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.data.interactions import count_occurrences
from tasks.core.models.cost import BLOCK_BYTES
from tasks.core.types import Counts, Ids, Values

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

MAX_DISTINCT_ITEMS = 4096
"""If the lists name more items, intra-list similarity is computed for a sample of lists: memory and time stay bounded.
The (items, items) cosines are held in memory at once."""
SAMPLED_LISTS = 2000
"""Number of lists in the sample."""
ITEMS_AT_ONCE = 512
"""Items whose cosines are computed at once for sampled lists: the work grows with the square of this number."""


def of_all_lists(lists: Ids, n_items: int) -> dict[str, float]:
    """Return the metrics that all lists have together.

    Parameters
    ----------
    lists : (T, n) int32
        Recommended items of each user, best first.
    n_items : int
        I, the number of items in the catalogue.

    Returns
    -------
    dict of str to float
        `coverage`: share of the catalogue that is on any list (Ge, Delgado-Battenfeld, Jannach 2010).
        `gini`: inequality of how often items are listed, from 0 for equally often (Gini 1912).
        `entropy`: of the item in a random entry, in bits, at most log2(I) (Shannon 1948).
    """
    counts = np.bincount(lists[lists >= 0], minlength=n_items)  # (I,)
    return {"coverage": float((counts > 0).mean()), "gini": _gini(counts), "entropy": _entropy(counts)}


def of_each_list(lists: Ids, train: "csr_array", cutoffs: Sequence[int]) -> dict[str, Values]:
    """Return the metrics of each list.

    Parameters
    ----------
    lists : (T, n) int32
        Recommended items of each user, best first.
    train : (U, I) CSR
        Only which items each user has is used, not the values.
    cutoffs : sequence of int
        Lengths to which the lists are cut.

    Returns
    -------
    dict of str to (T,) float64
        By names such as `novelty_at_10`; not a number for an empty list.
        `novelty`: mean self-information of the items, -log2 of the share of users who have them (Zhou et al. 2010).
        `arp`: average recommendation popularity, the mean number of users who have the items (Yin et al. 2012).
        `intra_list_similarity`: mean cosine of two items, by their users (Ziegler et al. 2005, as a mean instead of a
        sum); not a number for fewer than two items, and for lists outside the sample, if one is used.
    """
    popularity = count_occurrences(train.indices, train.shape[1])  # (I,)
    with np.errstate(divide="ignore"):
        information = -np.log2(popularity / train.shape[0])
    metrics: dict[str, Values] = {}
    for cutoff, similarity in zip(cutoffs, _intra_list_similarity(lists, train, cutoffs), strict=True):
        metrics[f"novelty_at_{cutoff}"] = _means(lists[:, :cutoff], information)
        metrics[f"arp_at_{cutoff}"] = _means(lists[:, :cutoff], popularity.astype(np.float64))
        metrics[f"intra_list_similarity_at_{cutoff}"] = similarity
    return metrics


def _gini(counts: Counts) -> float:
    """Return the sum of (2k - I - 1) x_k / (I · sum of x), for counts x in ascending order and k from 1."""
    ordered, size = np.sort(counts), len(counts)
    weights = 2 * np.arange(1, size + 1) - size - 1
    return float((weights * ordered).sum() / (size * max(ordered.sum(), 1)))


def _entropy(counts: Counts) -> float:
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum())


def _means(lists: Ids, item_values: Values) -> Values:
    """Return the mean of an item's value over the items of each list."""
    listed = lists >= 0
    sums = np.where(listed, item_values[np.maximum(lists, 0)], 0.0).sum(axis=1)
    sizes = listed.sum(axis=1)
    return np.asarray(np.divide(sums, sizes, out=np.full(len(lists), np.nan), where=sizes > 0))


def _intra_list_similarity(lists: Ids, train: "csr_array", cutoffs: Sequence[int]) -> list[Values]:
    """Return the mean cosine of two items of each list, (T,) for each cutoff."""
    unit = _unit_columns(train)
    similarities = [np.full(len(lists), np.nan) for _ in cutoffs]
    measured, step = np.arange(len(lists)), max(len(lists), 1)
    if len(np.unique(lists)) > MAX_DISTINCT_ITEMS:
        measured = np.unique(np.linspace(0, len(lists) - 1, SAMPLED_LISTS).astype(np.int64))
        step = max(ITEMS_AT_ONCE // max(lists.shape[1], 1), 1)
    for start in range(0, len(measured), step):
        rows = measured[start : start + step]
        items = np.unique(lists[rows][lists[rows] >= 0])
        columns = unit[:, items]
        # one more row and column of zeros: -1 has cosine 0 with every item
        cosines = np.pad((columns.T @ columns).toarray(), (0, 1))
        at_once = max(1, min(1024, BLOCK_BYTES // (4 * max(lists.shape[1], 1) ** 2)))  # (B, n, n) float32
        for part in np.array_split(rows, -(-len(rows) // at_once)):
            listed = lists[part] >= 0
            positions = np.where(listed, np.searchsorted(items, lists[part]), len(items))
            pairwise = cosines[positions[:, :, None], positions[:, None, :]]  # (B, n, n)
            for values, cutoff in zip(similarities, cutoffs, strict=True):
                sizes = listed[:, :cutoff].sum(axis=1)
                # without the diagonal, the cosine of each item with itself
                sums = pairwise[:, :cutoff, :cutoff].sum(axis=(1, 2), dtype=np.float64) - sizes
                pairs = sizes * (sizes - 1)
                values[part] = np.divide(sums, pairs, out=np.full(len(part), np.nan), where=pairs > 0)
    return similarities


def _unit_columns(train: "csr_array") -> "csc_array":
    """Return which users have each item, (U, I), as columns of norm 1."""
    from scipy.sparse import csc_array, diags_array

    columns = train.tocsc()
    ones = csc_array((np.ones(train.nnz, dtype=np.float32), columns.indices, columns.indptr), shape=train.shape)
    popularity = np.diff(ones.indptr)
    return csc_array(ones @ diags_array((1 / np.sqrt(np.maximum(popularity, 1))).astype(np.float32)))
