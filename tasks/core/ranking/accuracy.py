"""One accuracy metric as a mean over users: fast enough to be measured many times, along a fit or over a choice."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.data.splits.split import Split
from tasks.core.models.factors import Factors
from tasks.core.ranking import metrics
from tasks.core.ranking.evaluation import evaluate, with_held_out_users
from tasks.core.ranking.recommendations import preferences, recommend
from tasks.core.types import Ids

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def accuracy_of_factors(factors: Factors, split: Split, settings: AlsConfig, metric: str) -> float:
    """Return one accuracy metric, as the mean over the users who have test items.

    Parameters
    ----------
    factors : Factors
        Of a model that was fitted to the train part.
    split : Split
        The test part, and what is known of each user.
    settings : AlsConfig
        Of the model: users who are held out as a whole are folded in.
    metric : str
        Such as `ndcg_at_10`, or `auc`.

    Returns
    -------
    float
        The same as that of `tasks.core.ranking.evaluation.evaluate_factors`.

    Raises
    ------
    TrainingError
        See `tasks.core.ranking.evaluation.with_held_out_users`.
    """
    factors = with_held_out_users(factors, split, settings)
    if metric == "auc":
        return evaluate(preferences(factors), split, (1,)).means()[metric]
    users = np.flatnonzero(np.diff(split.test.indptr)).astype(np.int32)
    recommended = recommend(factors, split.known, n=cutoff_of(metric), rows=users).ids
    return accuracy_of_lists(recommended, split.test[users], metric)


def accuracy_of_lists(recommended: Ids, test: "csr_array", metric: str) -> float:
    """Return one accuracy metric of lists of recommendations, as the mean over their users.

    Parameters
    ----------
    recommended : (T, n) int32
        Best first, padded with -1; n is the metric's cutoff.
    test : (T, I) CSR
        Test items of the same users, who all have some.
    metric : str
        Such as `ndcg_at_10`.

    Returns
    -------
    float
    """
    relevant = np.diff(test.indptr).astype(np.int64)
    hits = metrics.find_hits(recommended, test)  # (T, n)
    return float(metrics.accuracy(hits, relevant, cutoff_of(metric))[metric].mean())


def cutoff_of(metric: str) -> int:
    """Return the cutoff in the name of a metric, such as 10 of `ndcg_at_10`."""
    return int(metric.rpartition("_at_")[2])
