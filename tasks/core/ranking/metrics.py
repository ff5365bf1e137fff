"""Ranking accuracy on held-out interactions."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.core.types import Floats, Ids, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALGORITHM = 3
"""Part of an evaluation's identity; raised whenever metrics are added, or the same factors would give other values."""


def accuracy(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64], cutoff: int) -> dict[str, Values]:
    """Every metric at one cutoff, such as `ndcg_at_10`: (T,) float64 each.

    Parameters
    ----------
    hits : (T, n)
        Which of the recommendations are test items, best first; a list shorter than the cutoff has none after its end.
    relevant : (T,)
        Test items of each user, at least one.
    """
    short = max(0, cutoff - hits.shape[1])
    padded = np.pad(hits[:, :cutoff], ((0, 0), (0, short)))
    return {f"{name}_at_{cutoff}": metric(padded, relevant) for name, metric in METRICS.items()}


def precision(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """Hits / K (trec_eval's P)."""
    return np.asarray(hits.sum(axis=1) / hits.shape[1])


def recall(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """Hits / relevant (trec_eval's recall)."""
    return np.asarray(hits.sum(axis=1) / relevant)


def recall_capped(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """Hits / min(K, relevant), so that a full list of hits gives 1 (Liang et al. 2018, eq. for Recall@R)."""
    return np.asarray(hits.sum(axis=1) / np.minimum(hits.shape[1], relevant))


def ndcg(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """Discounted gain, 1/log2(rank + 1) a hit, over that of min(K, relevant) hits at the top.

    Järvelin and Kekäläinen 2002 with binary gains; trec_eval's ndcg_cut.
    """
    return (hits @ _discounts(hits.shape[1])) / _ideal(np.minimum(hits.shape[1], relevant))


def ndcg_all(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """As `ndcg`, but over the gain of *all* relevant items at the top, beyond K too (Järvelin and Kekäläinen 2002)."""
    return (hits @ _discounts(hits.shape[1])) / _ideal(relevant)


def average_precision(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """Mean over min(K, relevant) of the precision at each hit (Kaggle's and LensKit's MAP@K)."""
    ranks = np.arange(1, hits.shape[1] + 1)
    precisions = np.cumsum(hits, axis=1) / ranks
    return np.asarray((precisions * hits).sum(axis=1) / np.minimum(hits.shape[1], relevant))


def average_precision_all(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """As `average_precision`, but the mean over *all* relevant items, beyond K too (trec_eval's map_cut)."""
    return average_precision(hits, relevant) * np.minimum(hits.shape[1], relevant) / relevant


def reciprocal_rank(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """1 / rank of the first hit, 0 without one (trec_eval's recip_rank, within K)."""
    return np.asarray(hits.any(axis=1) / (hits.argmax(axis=1) + 1))


def hit_rate(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """1 where there is a hit, else 0 (trec_eval's success)."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)


METRICS = {
    "precision": precision,
    "recall": recall,
    "recall_capped": recall_capped,
    "ndcg": ndcg,
    "ndcg_all": ndcg_all,
    "map": average_precision,
    "map_all": average_precision_all,
    "mrr": reciprocal_rank,
    "hit_rate": hit_rate,
}


def find_hits(recommended: Ids, test: "csr_array") -> npt.NDArray[np.bool_]:
    """(U, n): whether a recommendation is a test item. Both sides as sorted keys user * I + item."""
    n_items = np.int64(test.shape[1])
    owners = np.repeat(np.arange(test.shape[0], dtype=np.int64), np.diff(test.indptr))
    truth = owners * n_items + test.indices
    keys = np.arange(len(recommended), dtype=np.int64)[:, None] * n_items + recommended
    return np.isin(keys, truth) & (recommended >= 0)


def areas(scores: Floats, trained: npt.NDArray[np.int64], test: "csr_array") -> Values:
    """AUC: the share of pairs of a test item and another candidate that are in the right order, ties by half; (B,).

    Candidates are all items that a user was not trained on; what is scored -inf comes last. 0.5 without test items,
    or where nothing but test items is left. Rendle et al. 2009, section 3.2 (per-user AUC).

    Parameters
    ----------
    scores : (B, I) float32
        -inf for what the user was trained on, and for what has no score.
    trained : (B,)
        How many items each of these users was trained on.
    test : (B, I) CSR
    """
    ordered = np.sort(scores, axis=1)
    found = np.full(len(scores), 0.5)
    for row in np.flatnonzero(np.diff(test.indptr)):
        items = test.indices[test.indptr[row] : test.indptr[row + 1]]
        below = np.maximum(np.searchsorted(ordered[row], scores[row, items]), trained[row])
        up_to = np.searchsorted(ordered[row], scores[row, items], side="right")
        positive, others = len(items), scores.shape[1] - trained[row] - len(items)
        if others:
            # the test items among themselves give half of all their ordered pairs, each with itself included
            right = (below - trained[row]).sum() + (up_to - below).sum() / 2 - positive**2 / 2
            found[row] = right / (positive * others)
    return found


def _discounts(n: int) -> Values:
    return np.asarray(1 / np.log2(np.arange(2, n + 2)))


def _ideal(counts: npt.NDArray[np.int64]) -> Values:
    """The gain of 1, 2, ... hits at the top, looked up for each count."""
    return np.asarray(np.cumsum(_discounts(int(counts.max(initial=1))))[counts - 1])
