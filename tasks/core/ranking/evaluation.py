"""Evaluation of scores on a held-out split: every metric, in one pass over blocks of users."""

from dataclasses import dataclass, replace

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.data.splits.split import Split
from tasks.core.models.factors import Factors
from tasks.core.models.fold_in import fold_in
from tasks.core.ranking import beyond_accuracy, metrics
from tasks.core.ranking.recommendations import exclude, preferences
from tasks.core.ranking.top_n import top_n
from tasks.core.types import Counts, Floats, Ids, OnProgress, Scores, Values


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one model on one split.

    Attributes
    ----------
    users : (T,) int64
        Indexes of the users who have test items.
    per_user : dict of str to (T,) float64
        Metrics of each of these users, by names such as `ndcg_at_10`.
    overall : dict of str to float
        Metrics of all lists together, by names such as `coverage_at_10`.
    """

    users: Counts
    per_user: dict[str, Values]
    overall: dict[str, float]

    def means(self) -> dict[str, float]:
        """Return all metrics, those per user as the mean over the users for whom they are defined.

        A metric that is defined for no user is left out.
        """
        defined = {name: values[np.isfinite(values)] for name, values in self.per_user.items()}
        return {name: float(values.mean()) for name, values in defined.items() if len(values)} | self.overall


def evaluate_factors(
    factors: Factors,
    split: Split,
    settings: AlsConfig,
    cutoffs: tuple[int, ...],
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Return every metric of a trained model, after users who are held out as a whole are folded in.

    Parameters
    ----------
    factors : Factors
        Trained on the train part. They are not modified.
    split : Split
        The users of its visible part, if it has one, are folded in with these interactions.
    settings : AlsConfig
        Settings of the model.
    cutoffs, on_progress
        See `evaluate`.

    Returns
    -------
    Evaluation

    Raises
    ------
    TrainingError
        See `fold_in`.
    """
    return evaluate(preferences(with_held_out_users(factors, split, settings)), split, cutoffs, on_progress)


def with_held_out_users(factors: Factors, split: Split, settings: AlsConfig) -> Factors:
    """Return factors with those of users who are held out as a whole, folded in with what is visible of them.

    Parameters
    ----------
    factors, split, settings
        See `evaluate_factors`.

    Returns
    -------
    Factors

    Raises
    ------
    TrainingError
        See `fold_in`.
    """
    if split.visible is None:
        return factors
    held_out = np.flatnonzero(np.diff(split.visible.indptr))
    users = factors.users.copy()
    users[held_out] = fold_in(split.visible[held_out], factors.items, settings)
    return Factors(users, factors.items)


def evaluate(
    scores: Scores, split: Split, cutoffs: tuple[int, ...], on_progress: OnProgress | None = None
) -> Evaluation:
    """Return every metric at every cutoff, and AUC, for the users who have test items.

    Parameters
    ----------
    scores : callable
        Scores of all items, also of those that are known of a user, which are never recommended. Its blocks are
        overwritten.
    split : Split
        The test part, the train part that the scores were learned from, and what is known of held-out users.
    cutoffs : tuple of int
        Lengths of the lists, ascending.
    on_progress : callable, optional
        Called after each block of users with the users done and the total.

    Returns
    -------
    Evaluation
    """
    n_users, n_items = split.test.shape
    auc = np.empty(n_users)
    known = split.known

    def scores_and_auc(start: int, stop: int) -> Floats:
        # AUC needs the scores of all items, which are discarded once the lists are made
        block = scores(start, stop)
        auc[start:stop] = metrics.auc(block, known[start:stop], split.test[start:stop])
        return block

    recommended = top_n(exclude(scores_and_auc, known), n_users, n_items, cutoffs[-1], on_progress).ids
    evaluation = evaluate_lists(recommended, split, cutoffs)
    return replace(evaluation, per_user={"auc": auc[evaluation.users], **evaluation.per_user})


def evaluate_lists(recommended: Ids, split: Split, cutoffs: tuple[int, ...]) -> Evaluation:
    """Return every metric of lists of recommendations at every cutoff, for the users who have test items.

    Parameters
    ----------
    recommended : (U, n) int32
        Best first, padded with -1; a user without a list has an empty one.
    split : Split
        The test part, and the train part that the lists were learned from. Without a train part, the metrics that
        depend on it are left out.
    cutoffs : tuple of int
        Lengths of the lists, ascending.

    Returns
    -------
    Evaluation
        Without AUC, which depends on the order of all items.
    """
    relevant = np.diff(split.test.indptr).astype(np.int64)
    users = np.flatnonzero(relevant)
    hits = metrics.find_hits(recommended, split.test)[users]  # (T, n)
    lists = recommended[users]
    per_user: dict[str, Values] = {}
    overall: dict[str, float] = {}
    for cutoff in cutoffs:
        per_user |= metrics.accuracy(hits, relevant[users], cutoff)
        of_all_lists = beyond_accuracy.of_all_lists(lists[:, :cutoff], split.test.shape[1])
        overall |= {f"{name}_at_{cutoff}": value for name, value in of_all_lists.items()}
    if split.train.nnz:
        train = split.train
        if split.visible is not None:  # popularity is a share of the users of the train part
            train = train[np.flatnonzero(np.diff(train.indptr))]
        per_user |= beyond_accuracy.of_each_list(lists, train, cutoffs)
    return Evaluation(users, per_user, overall)
