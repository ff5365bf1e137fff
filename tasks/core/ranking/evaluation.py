"""Scores of items for users -> every metric on a held-out split."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.core.data.splits import Split
from tasks.core.ranking import beyond_accuracy, metrics, recommendations
from tasks.core.ranking.top_n import top_n
from tasks.core.types import Floats, OnProgress, Scores, Values


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one model on one split.

    users : (T,) indexes of the users that have test items
    per_user : metric, such as `ndcg_at_10`, -> (T,) float64 in the order of `users`
    overall : metric of all lists together, such as `coverage_at_10`
    """

    users: npt.NDArray[np.int64]
    per_user: dict[str, Values]
    overall: dict[str, float]

    def means(self) -> dict[str, float]:
        """Each metric: those per user averaged over the users for whom it is defined, if any."""
        defined = {name: values[np.isfinite(values)] for name, values in self.per_user.items()}
        return {name: float(values.mean()) for name, values in defined.items() if len(values)} | self.overall


def evaluate(scores: Scores, split: Split, cutoffs: tuple[int, ...], told: OnProgress | None = None) -> Evaluation:
    """Every metric at every cutoff, and AUC, over the users that have test items.

    Parameters
    ----------
    scores : of all items for users start to stop; what a user was trained on is left out here
    cutoffs : increasing
    """
    n_users, n_items = split.test.shape
    area = np.empty(n_users)
    trained = np.diff(split.train.indptr).astype(np.int64)
    candidates = recommendations.without(scores, split.train)

    def watched(start: int, stop: int) -> Floats:
        block = candidates(start, stop)
        area[start:stop] = metrics.areas(block, trained[start:stop], split.test[start:stop])
        return block

    recommended = top_n(watched, n_users, n_items, cutoffs[-1], told).ids
    relevant = np.diff(split.test.indptr).astype(np.int64)
    users = np.flatnonzero(relevant)
    hits = metrics.find_hits(recommended, split.test)[users]  # (T, n)
    lists = recommended[users]
    per_user: dict[str, Values] = {"auc": area[users]}
    overall: dict[str, float] = {}
    for cutoff in cutoffs:
        per_user |= metrics.accuracy(hits, relevant[users], cutoff)
        shown = beyond_accuracy.of_all_lists(lists[:, :cutoff], n_items)
        overall |= {f"{name}_at_{cutoff}": value for name, value in shown.items()}
    return Evaluation(users, per_user | beyond_accuracy.of_each_list(lists, split.train, cutoffs), overall)
