"""Ranking accuracy on held-out interactions.

Each metric is computed for every user with at least one test item, then averaged over those users
(macro). `relevant` is the number of a user's test items, `hits` which of its first K recommendations are
among them. Where the literature disagrees, the variant is in the name.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.core.neighbours import Ids

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """Metrics of one model on one split.

    users : (T,) indexes of the users that have test items
    per_user : metric name, such as `ndcg_at_10`, -> (T,) float64 in the order of `users`
    """

    users: npt.NDArray[np.int64]
    per_user: dict[str, Values]

    def means(self) -> dict[str, float]:
        """Each metric averaged over users."""
        return {name: float(values.mean()) for name, values in self.per_user.items()}


def evaluate(recommended: Ids, test: "csr_array", cutoffs: tuple[int, ...]) -> Accuracy:
    """Every metric at every cutoff.

    Parameters
    ----------
    recommended : (U, n) int32
        Best first, -1 where a list ends early; n at least the largest cutoff or all candidates.
    test : (U, I) CSR
        The held-out interactions.
    """
    relevant = np.diff(test.indptr)
    users = np.flatnonzero(relevant)
    hits = _hits(recommended, test)[users]  # (T, n)
    per_user: dict[str, Values] = {}
    for cutoff in cutoffs:
        # a list shorter than the cutoff has no hits after its end
        short = max(0, cutoff - hits.shape[1])
        padded = np.pad(hits[:, :cutoff], ((0, 0), (0, short)))
        for name, metric in METRICS.items():
            per_user[f"{name}_at_{cutoff}"] = metric(padded, relevant[users])
    return Accuracy(users, per_user)


def precision(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """Hits / K."""
    return np.asarray(hits.sum(axis=1) / hits.shape[1])


def recall(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """Hits / relevant."""
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
    """As `ndcg`, but over the gain of *all* relevant items at the top, beyond K too."""
    return (hits @ _discounts(hits.shape[1])) / _ideal(relevant)


def average_precision(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """Mean over min(K, relevant) of the precision at each hit."""
    ranks = np.arange(1, hits.shape[1] + 1)
    precisions = np.cumsum(hits, axis=1) / ranks
    return np.asarray((precisions * hits).sum(axis=1) / np.minimum(hits.shape[1], relevant))


def reciprocal_rank(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """1 / rank of the first hit, 0 without one."""
    return np.asarray(hits.any(axis=1) / (hits.argmax(axis=1) + 1))


def hit_rate(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> Values:
    """1 where there is a hit, else 0."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)


METRICS = {
    "precision": precision,
    "recall": recall,
    "recall_capped": recall_capped,
    "ndcg": ndcg,
    "ndcg_all": ndcg_all,
    "map": average_precision,
    "mrr": reciprocal_rank,
    "hit_rate": hit_rate,
}


def _hits(recommended: Ids, test: "csr_array") -> npt.NDArray[np.bool_]:
    """(U, n): whether a recommendation is a test item. Both sides as sorted keys user * I + item."""
    n_items = np.int64(test.shape[1])
    owners = np.repeat(np.arange(test.shape[0], dtype=np.int64), np.diff(test.indptr))
    truth = owners * n_items + test.indices
    keys = np.arange(len(recommended), dtype=np.int64)[:, None] * n_items + recommended
    return np.isin(keys, truth) & (recommended >= 0)


def _discounts(n: int) -> Values:
    return np.asarray(1 / np.log2(np.arange(2, n + 2)))


def _ideal(counts: npt.NDArray[np.int64]) -> Values:
    """The gain of 1, 2, ... hits at the top, looked up for each count."""
    return np.asarray(np.cumsum(_discounts(int(counts.max(initial=1))))[counts - 1])
