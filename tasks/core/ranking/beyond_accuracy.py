"""Catalogue coverage, novelty and diversity of recommendations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.types import Counts, Ids, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_DISTINCT = 4096
"""Items whose similarities are held at once."""
MOST_LISTS = 2000
TOGETHER = 512
"""Items whose similarities are computed at once where lists are sampled: the work grows with the square of it."""


def of_all_lists(lists: Ids, n_items: int) -> dict[str, float]:
    """Metrics of all lists together: `coverage`, `gini`, `entropy`."""
    shown = np.bincount(lists[lists >= 0], minlength=n_items)
    return {"coverage": coverage(shown), "gini": gini(shown), "entropy": entropy(shown)}


def of_each_list(lists: Ids, train: "csr_array", cutoffs: Sequence[int]) -> dict[str, Values]:
    """Metrics of one list each, such as `novelty_at_10`, (T,): `novelty`, `arp`, `intra_list_similarity`.

    Not a number for an empty list.
    """
    popularity = np.bincount(train.indices, minlength=train.shape[1])
    found: dict[str, Values] = {}
    for cutoff, alike in zip(cutoffs, intra_list_similarity(lists, train, cutoffs), strict=True):
        first = lists[:, :cutoff]
        found[f"novelty_at_{cutoff}"] = novelty(first, popularity, train.shape[0])
        found[f"arp_at_{cutoff}"] = recommendation_popularity(first, popularity)
        found[f"intra_list_similarity_at_{cutoff}"] = alike
    return found


def coverage(shown: Counts) -> float:
    """Share of the catalogue on any list (Ge, Delgado-Battenfeld, Jannach 2010); `shown` (I,): on how many each is."""
    return float((shown > 0).mean())


def gini(shown: Counts) -> float:
    """How unequally items are shown, 0 if equally and towards 1 if few are shown alone.

    sum of (2k - I - 1) x_k / (I · sum of x), x in ascending order, k from 1 (Gini 1912; items that are never shown
    count).
    """
    ordered, size = np.sort(shown), len(shown)
    weights = 2 * np.arange(1, size + 1) - size - 1
    return float((weights * ordered).sum() / (size * max(ordered.sum(), 1)))


def entropy(shown: Counts) -> float:
    """Shannon's entropy of which item is shown, in bits: log2(I) if all are shown equally (Shannon 1948)."""
    shares = shown[shown > 0] / max(shown.sum(), 1)
    return float(-(shares * np.log2(shares)).sum())


def novelty(lists: Ids, popularity: Counts, n_users: int) -> Values:
    """Mean self-information of a list's items in bits, -log2 of the share of users who have each (Zhou et al. 2010)."""
    with np.errstate(divide="ignore"):
        return _means(lists, -np.log2(popularity / n_users))


def recommendation_popularity(lists: Ids, popularity: Counts) -> Values:
    """Mean number of users who have each of a list's items: average recommendation popularity (Yin et al. 2012)."""
    return _means(lists, popularity.astype(np.float64))


def intra_list_similarity(lists: Ids, train: "csr_array", cutoffs: Sequence[int]) -> list[Values]:
    """Mean cosine of two items of a list, by who has them (Ziegler et al. 2005, as a mean, not a sum); (T,) a cutoff.

    Of lists with fewer than two items it is not a number. Where the lists name more than `MOST_DISTINCT` items, it is
    of `MOST_LISTS` lists at even distances, and not a number of the others: time and memory stay bounded.
    """
    from scipy.sparse import csc_array, diags_array

    columns = train.tocsc()
    owned = csc_array((np.ones(train.nnz, dtype=np.float32), columns.indices, columns.indptr), shape=train.shape)
    owners = np.diff(owned.indptr)
    unit = csc_array(owned @ diags_array((1 / np.sqrt(np.maximum(owners, 1))).astype(np.float32)))
    found = [np.full(len(lists), np.nan) for _ in cutoffs]
    chosen, step = np.arange(len(lists)), len(lists)
    if len(np.unique(lists)) > MOST_DISTINCT:
        chosen = np.unique(np.linspace(0, len(lists) - 1, MOST_LISTS).astype(np.int64))
        step = max(TOGETHER // max(lists.shape[1], 1), 1)
    for start in range(0, len(chosen), max(step, 1)):
        rows = chosen[start : start + step]
        items = np.unique(lists[rows][lists[rows] >= 0])
        some = unit[:, items]
        cosines = np.pad((some.T @ some).toarray(), (0, 1))  # an entry that is not there is like nothing
        for part in np.array_split(rows, -(-len(rows) // 1024)):
            listed = lists[part] >= 0
            places = np.where(listed, np.searchsorted(items, lists[part]), len(items))
            alike = cosines[places[:, :, None], places[:, None, :]]
            for values, cutoff in zip(found, cutoffs, strict=True):
                sizes = listed[:, :cutoff].sum(axis=1)
                sums = alike[:, :cutoff, :cutoff].sum(axis=(1, 2), dtype=np.float64) - sizes
                pairs = sizes * (sizes - 1)
                values[part] = np.divide(sums, pairs, out=np.full(len(part), np.nan), where=pairs > 0)
    return found


def _means(lists: Ids, of_item: Values) -> Values:
    listed = lists >= 0
    sums = np.where(listed, of_item[np.maximum(lists, 0)], 0.0).sum(axis=1)
    sizes = listed.sum(axis=1)
    return np.asarray(np.divide(sums, sizes, out=np.full(len(lists), np.nan), where=sizes > 0))
