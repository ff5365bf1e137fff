"""Whether the order of a file can be the order of time: a file that was sorted has lost it."""

import numpy as np

from tasks.core.config.evaluation import TimeSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.draw import Drawn, needs_times
from tasks.core.errors import DataError

_FEWEST_PAIRS = 30
"""Pairs of consecutive items of one user from which on their order is judged. By chance, all of 30 ascend in one of 10⁹
files."""


def check_order(interactions: Interactions, config: Drawn) -> None:
    """Refuse a split by time of a file in which the order of lines is not that of time.

    Parameters
    ----------
    interactions : Interactions
        With times that are the order of the file, see `tasks.core.data.timestamps.with_order`.
    config : Drawn
        Strategies other than `leave_last` and `time` use no times.

    Raises
    ------
    DataError
        If the items of every user are in the order of their ids; or, with `time`, if the lines are grouped by user.
    """
    if interactions.times is None or not needs_times(config):
        return
    matrix = interactions.matrix
    users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    by_time = np.lexsort((interactions.times, users))
    same_user = users[by_time][1:] == users[by_time][:-1]
    _, places = np.unique(interactions.item_ids, return_inverse=True)  # of the ids, in their order
    steps = np.diff(places[matrix.indices[by_time]])[same_user]
    if len(steps) < _FEWEST_PAIRS:
        return
    if (steps > 0).all() or (steps < 0).all():
        raise DataError(
            "dataset.order: time, but the items of every user are in the order of their ids, as in a file that was "
            f"sorted: {len(steps):,} of {len(steps):,} consecutive items of a user; expected the order of time: use "
            "the file before it was sorted, or strategy random_user"
        )
    in_file = users[np.argsort(interactions.times, kind="stable")]
    groups = 1 + np.count_nonzero(np.diff(in_file))
    if isinstance(config, TimeSplit) and groups == matrix.shape[0] > 1:
        raise DataError(
            f"dataset.order: time, but the lines are grouped by user: {groups:,} groups of {groups:,} users, so that "
            "the last lines are those of the last users, and not the latest; expected the order of time across users: "
            "use strategy leave_last, or timestamps"
        )
