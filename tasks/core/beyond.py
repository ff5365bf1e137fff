"""What recommendations are like beside accurate: how much of the catalogue they reach, how novel and how varied.

Lists are (T, n) int32 item indexes, best first, -1 where one ends early. How often an item was trained on is its
popularity.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.core.neighbours import Ids

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

MOST_DISTINCT = 4096
"""Items whose similarities are held at once."""


def of_all_lists(lists: Ids, n_items: int) -> dict[str, float]:
    """Metrics of all lists together: `coverage`, `gini`, `entropy`."""
    shown = np.bincount(lists[lists >= 0], minlength=n_items)
    return {"coverage": coverage(shown), "gini": gini(shown), "entropy": entropy(shown)}


def of_each_list(lists: Ids, train: "csr_array") -> dict[str, Values]:
    """Metrics of one list each, (T,): `novelty`, `arp`, `intra_list_similarity`; not a number for an empty list."""
    popularity = np.bincount(train.indices, minlength=train.shape[1])
    return {
        "novelty": novelty(lists, popularity, train.shape[0]),
        "arp": recommendation_popularity(lists, popularity),
        "intra_list_similarity": intra_list_similarity(lists, train),
    }


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


def intra_list_similarity(lists: Ids, train: "csr_array") -> Values:
    """Mean cosine of two items of a list, by who has them (Ziegler et al. 2005, as a mean, not a sum).

    Of lists with fewer than two items it is not a number. Memory is bounded: similarities are held of at most
    `MOST_DISTINCT` items at a time, or of one list's.
    """
    from scipy.sparse import csc_array, diags_array

    owned = csc_array((np.ones(train.nnz), train.tocsc().indices, train.tocsc().indptr), shape=train.shape)
    unit = (owned @ diags_array(1 / np.sqrt(np.maximum(np.diff(owned.indptr), 1)))).tocsc()
    found = np.full(len(lists), np.nan)
    few = len(np.unique(lists)) <= MOST_DISTINCT
    step = len(lists) if few else max(MOST_DISTINCT // max(lists.shape[1], 1), 1)
    for start in range(0, len(lists), max(step, 1)):
        block = lists[start : start + step]
        listed = block >= 0
        items = np.unique(block[listed])
        chosen = unit[:, items]
        cosines = (chosen.T @ chosen).toarray()
        places = np.where(listed, np.searchsorted(items, block), len(items))
        padded = np.pad(cosines, (0, 1))  # an entry that is not there is like nothing
        for first in range(0, len(block), 1024):
            at = places[first : first + 1024]
            sums = padded[at[:, :, None], at[:, None, :]].sum(axis=(1, 2))
            sizes = listed[first : first + 1024].sum(axis=1)
            pairs = sizes * (sizes - 1)
            means = np.divide(sums - sizes, pairs, out=np.full(len(at), np.nan), where=pairs > 0)
            found[start + first : start + first + len(at)] = means
    return found


def _means(lists: Ids, of_item: Values) -> Values:
    listed = lists >= 0
    sums = np.where(listed, of_item[np.maximum(lists, 0)], 0.0).sum(axis=1)
    sizes = listed.sum(axis=1)
    return np.asarray(np.divide(sums, sizes, out=np.full(len(lists), np.nan), where=sizes > 0))
