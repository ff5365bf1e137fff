"""The effect user by user."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.inference import effect, multiplicity, permutation
from tasks.core.inference.overlap_counts import overlap_counts_by_entity
from tasks.core.types import Counts, Ids

MOST_USERS = 20_000
"""Users tested one by one; beyond, as many are drawn."""
BINS = 40


@dataclass(frozen=True)
class PerUser:
    """n·Δ user by user: neighbours of each that are replaced beyond what the seed replaces.

    edges, counts : the histogram, (BINS + 1,) and (BINS,)
    quartiles : of n·Δ
    significant : share of users with p ≤ .05 after Benjamini and Hochberg's adjustment
    least_adjusted : the smallest adjusted p that the design can reach (every user at its best)
    activity : Spearman's correlation of n·Δ with the number of interactions; None where one of them is constant
    queries : n·Δ of the query users, by name
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


def per_user(
    n: int,
    a: str,
    b: str,
    of_a: Sequence[Ids],
    of_b: Sequence[Ids],
    activity: Counts,
    queries: Sequence[int],
    *,
    seed: int,
) -> PerUser:
    """Test every user alone. `activity`: (U,) interactions of each."""
    from scipy.stats import spearmanr

    users = len(activity)
    chosen = np.arange(users)
    if users > MOST_USERS:
        drawn = np.random.default_rng(seed).choice(users, MOST_USERS, replace=False)
        chosen = np.union1d(drawn, np.asarray(queries, dtype=np.int64))
    labels = np.repeat([False, True], [len(of_a), len(of_b)])
    overlaps = overlap_counts_by_entity([run[chosen] for run in (*of_a, *of_b)], n)
    moved = n * effect.deltas(overlaps, labels)
    adjusted = multiplicity.benjamini_hochberg(permutation.permutation_by_entity(overlaps, labels, seed=seed))
    counts, edges = np.histogram(moved, bins=BINS)
    constant = np.ptp(moved) == 0 or np.ptp(activity[chosen]) == 0
    place = {user: int(np.searchsorted(chosen, user)) for user in queries}
    low, median, high = np.quantile(moved, [0.25, 0.5, 0.75]).tolist()
    return PerUser(
        n=n,
        a=a,
        b=b,
        users=len(chosen),
        edges=edges.tolist(),
        counts=counts.tolist(),
        quartiles=(low, median, high),
        significant=float((adjusted <= multiplicity.LEVEL).mean()),
        least_adjusted=permutation.smallest_p(len(of_a), len(of_b)),
        activity=None if constant else float(spearmanr(moved, activity[chosen]).statistic),
        queries={f"user_{user}": float(moved[at]) for user, at in place.items()},
    )
