"""What an overlap is to be read against, beside chance: hubs, raw interactions, and users one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tasks.core import inference
from tasks.core.interactions import Interactions
from tasks.core.neighbours import Ids, Lists, similar_raw, spread
from tasks.core.overlap import Counts, Pair, overlap_counts_by_entity

MOST_USERS = 20_000
"""Users tested one by one; beyond, as many are drawn."""
MOST_RAW = 2_000
"""Users and items whose neighbours by raw cosine are sought; beyond, as many are spread over all."""
BINS = 40
FLOOR_PAIRS = 9


@dataclass(frozen=True)
class Reference:
    """What the overlaps of one target stand beside, at the endpoint's depth.

    floor : overlap of one entity's list under a with *another* entity's under b: what shared hubs alone give
    raw : by model, overlap of its lists with the neighbours by raw interaction cosine; empty for recommendations
    """

    target: str
    n: int
    a: str
    b: str
    floor: float
    raw: dict[str, float]


@dataclass(frozen=True)
class Raw:
    """Neighbours by raw interaction cosine of some users or items.

    rows : (R,) whose lists they are
    lists : of R
    """

    rows: Ids
    lists: Lists


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


def raw_neighbours(loaded: Interactions, *, n: int) -> dict[str, Raw]:
    """Neighbours by raw interaction cosine, of users and of items: of all, or of `MOST_RAW` spread over them."""
    sides = {"users": loaded.matrix, "items": loaded.matrix.T.tocsr()}
    return {
        side: Raw(rows := spread(matrix.shape[0], MOST_RAW), similar_raw(matrix, n=n, rows=rows))
        for side, matrix in sides.items()
    }


def reference(
    target: str, n: int, a: str, b: str, lists: Mapping[str, Sequence[Ids]], raw: Raw | None, *, seed: int
) -> Reference:
    """The references of `a` against `b` on one target; `lists` are each model's runs', (E, >= 0) int32."""
    entities = len(lists[a][0])
    shift = int(np.random.default_rng(seed).integers(1, entities)) if entities > 1 else 0
    some = list(product(lists[a], lists[b]))
    some = some[:: max(1, len(some) // FLOOR_PAIRS)]
    floor = [Pair.of(of_a[:, :n], np.roll(of_b[:, :n], shift, axis=0)).at(n).overlap for of_a, of_b in some]
    remembered = {}
    if raw is not None:
        for model in (a, b):
            found = [Pair.of(run[raw.rows, :n], raw.lists.ids[:, :n]).at(n).overlap for run in lists[model]]
            remembered[model] = float(np.mean(found))
    return Reference(target, n, a, b, float(np.mean(floor)), remembered)


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
    moved = n * inference.deltas(overlaps, labels)
    adjusted = inference.benjamini_hochberg(inference.permutation_by_entity(overlaps, labels, seed=seed))
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
        significant=float((adjusted <= inference.LEVEL).mean()),
        least_adjusted=inference.smallest_p(len(of_a), len(of_b)),
        activity=None if constant else float(spearmanr(moved, activity[chosen]).statistic),
        queries={f"user_{user}": float(moved[at]) for user, at in place.items()},
    )
