"""Excess disagreement of two models, user by user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.formatting import decimals, number_word, p_value
from tasks.core.inference.effect import delta_by_entity
from tasks.core.inference.multiplicity import LEVEL, benjamini_hochberg
from tasks.core.inference.overlap_counts import overlap_counts_by_entity
from tasks.core.inference.permutation import permutation_p_by_entity, replicates_needed, smallest_p
from tasks.core.ranking.entities import Entities
from tasks.core.types import Counts, Ids

MOST_USERS = 20_000
"""Most users that are tested; of more, as many are sampled."""
BINS = 40
"""Bins of the histogram."""


@dataclass(frozen=True)
class PerUser:
    """Distribution over users of n·Δ, the neighbours of a user that are replaced beyond seed variance.

    Attributes
    ----------
    n : int
        Length of the lists.
    a, b : str
        Names of the models.
    users : int
        Number of users tested.
    edges, counts : lists of BINS + 1 float and BINS int
        Histogram of n·Δ.
    quartiles : tuple of float
        Quartiles of n·Δ.
    significant : float
        Share of users with p ≤ 0.05 after the adjustment of Benjamini and Hochberg.
    least_adjusted : float
        Smallest adjusted p that so many runs can reach, namely if every user has the smallest p.
    activity : float or None
        Spearman's correlation of n·Δ with the number of interactions; None if either is constant.
    queries : dict of query name to float
        n·Δ of the queried users.
    """

    n: int
    a: str
    b: str
    users: int
    edges: list[float]
    counts: list[int]
    quartiles: tuple[float, float, float]
    significant: float
    least_adjusted: float
    activity: float | None
    queries: dict[str, float]

    def sentence(self, beyond: str) -> str:
        """Put the distribution into words.

        Parameters
        ----------
        beyond : str
            What Δ is more than, such as `beyond seed variance`.

        Returns
        -------
        str
            Two or three sentences: the median user, and how many users differ, or that no single user can.
        """
        text = f"Per user, {self.a} against {self.b}: the median user has {decimals(self.quartiles[1], 2)} of {self.n} "
        text += f"neighbours replaced {beyond}. "
        if self.least_adjusted > LEVEL:
            text += "With so few seeds no single user can be significant, however different the lists are: the "
            text += f"smallest p that the test can reach is {p_value(self.least_adjusted)} (level {LEVEL:g}); "
            text += f"{number_word(replicates_needed(1))} seeds per model can reach the level."
        else:
            text += f"A permutation test for each user finds a difference for {round(self.significant * self.users):,} "
            text += f"of {self.users:,} users, at a false discovery rate of {LEVEL:.0%}."
        if self.activity is not None:
            text += f" The rank correlation of n·Δ with the number of a user's interactions is {self.activity:.2f}."
        return text


def per_user(
    lists: Mapping[str, Sequence[Ids]],
    a: str,
    b: str,
    *,
    n: int,
    activity: Counts,
    entities: Entities,
    queries: Sequence[int],
    seed: int,
) -> PerUser:
    """Test two models on the neighbours of every user.

    Parameters
    ----------
    lists : mapping of model to sequence of (E, >= 0) int32
        Neighbours of the users in each run.
    a, b : str
        Names of the models.
    n : int
        Length of the lists.
    activity : (E,) int64
        Number of interactions of each user who has a list.
    entities : Entities
        The users who have lists.
    queries : sequence of int
        Users who are tested in any case, and reported.
    seed : int
        Of the sample of users and of the splits that are sampled.

    Returns
    -------
    PerUser

    Raises
    ------
    ValueError
        If a model has fewer than two runs.
    """
    import pandas as pd

    users = np.arange(len(activity))  # positions among the users who have lists
    queried = {user: entities.position(user) for user in queries}
    if len(users) > MOST_USERS:
        sample = np.random.default_rng(seed).choice(len(users), MOST_USERS, replace=False)
        users = np.union1d(sample, np.array(list(queried.values()), dtype=np.int64))
    runs_a, runs_b = lists[a], lists[b]
    labels = np.repeat([False, True], [len(runs_a), len(runs_b)])
    overlaps = overlap_counts_by_entity([run[users] for run in (*runs_a, *runs_b)], n)
    replaced = n * delta_by_entity(overlaps, labels)  # (users,)
    adjusted = benjamini_hochberg(permutation_p_by_entity(overlaps, labels, seed=seed))
    counts, edges = np.histogram(replaced, bins=BINS)
    ranked = pd.DataFrame({"replaced": replaced, "activity": activity[users]})
    constant = np.ptp(replaced) == 0 or np.ptp(activity[users]) == 0
    low, median, high = np.quantile(replaced, [0.25, 0.5, 0.75]).tolist()
    return PerUser(
        n=n,
        a=a,
        b=b,
        users=len(users),
        edges=edges.tolist(),
        counts=counts.tolist(),
        quartiles=(low, median, high),
        significant=float((adjusted <= LEVEL).mean()),
        # Benjamini and Hochberg leave p unchanged if all users have the same p.
        least_adjusted=smallest_p(len(runs_a), len(runs_b)),
        activity=None if constant else float(ranked.corr(method="spearman").to_numpy()[0, 1]),
        queries={
            f"user_{user}": float(replaced[np.searchsorted(users, position)]) for user, position in queried.items()
        },
    )
