"""One accuracy metric of one model: fast enough to be measured along the iterations of a fit."""

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.data.splits.split import Split
from tasks.core.models.factors import Factors
from tasks.core.ranking import metrics
from tasks.core.ranking.evaluation import evaluate, with_held_out_users
from tasks.core.ranking.recommendations import preferences, recommend


def mean_accuracy(factors: Factors, split: Split, settings: AlsConfig, metric: str) -> float:
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
    cutoff = int(metric.rpartition("_at_")[2])
    relevant = np.diff(split.test.indptr).astype(np.int64)
    users = np.flatnonzero(relevant).astype(np.int32)
    recommended = recommend(factors, split.known, n=cutoff, rows=users).ids
    hits = metrics.find_hits(recommended, split.test[users])  # (T, n)
    return float(metrics.accuracy(hits, relevant[users], cutoff)[metric].mean())
