"""Reference overlaps that help to interpret the overlap of two models.

The floor is what popular entries ("hubs") alone give: entries that are in everybody's list. The overlap with neighbours
by the raw interactions is what a model that memorises the interactions would have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tasks.core.comparison.overlap import Pair
from tasks.core.data.interactions import Interactions
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.neighbours import evenly_spread, nearest_by_interactions
from tasks.core.types import Ids

MOST_RAW = 2_000
"""Most users, and most items, whose raw neighbours are computed; of more, as many are taken at even intervals."""
FLOOR_PAIRS = 9
"""Approximate number of pairs of runs that the floor is averaged over."""


@dataclass(frozen=True)
class Reference:
    """Reference overlaps of one target at the depth of its endpoint.

    Attributes
    ----------
    target : str
    n : int
        Depth.
    a, b : str
        Names of the models.
    floor : float
        Overlap of an entity's list under a with the list of a *different* entity under b.
    raw : dict of model to float
        Overlap of each model's lists with the raw neighbours; empty for recommendations.
    """

    target: str
    n: int
    a: str
    b: str
    floor: float
    raw: dict[str, float]


@dataclass(frozen=True)
class RawNeighbours:
    """Neighbours by the cosine of the raw interactions, of some users or items.

    Attributes
    ----------
    rows : (R,) int32
        Positions of the users or items among those that were drawn.
    lists : Lists
        One list for each row.
    """

    rows: Ids
    lists: Lists


def raw_neighbours(
    interactions: Interactions, *, n: int, entities: Mapping[str, Entities], sides: Sequence[str] = ("users", "items")
) -> dict[str, RawNeighbours]:
    """Compute neighbours by the cosine of the raw interactions.

    Parameters
    ----------
    interactions : Interactions
        What the models were fitted on.
    n : int
        Length of the lists.
    entities : mapping of str to Entities
        The `users` and the `items` that have lists.
    sides : sequence of str
        `users`, `items`, or both.

    Returns
    -------
    dict
        For each of the sides, the neighbours of all that were drawn, or of `MOST_RAW` at even intervals.
    """
    neighbours = {}
    for side in sides:
        matrix = interactions.matrix if side == "users" else interactions.matrix.T.tocsr()
        drawn = entities[side].of_sample(entities[side].rows)
        rows = evenly_spread(len(drawn), MOST_RAW)
        neighbours[side] = RawNeighbours(rows, nearest_by_interactions(matrix, n=n, rows=drawn[rows]))
    return neighbours


def reference(
    lists: Mapping[str, Sequence[Ids]], a: str, b: str, *, target: str, n: int, raw: RawNeighbours | None, seed: int
) -> Reference:
    """Compute the reference overlaps of two models on one target.

    Parameters
    ----------
    lists : mapping of model to sequence of (E, >= 0) int32
        The lists of each run.
    a, b : str
        Names of the models.
    target : str
        `users`, `items` or `recommendations`.
    n : int
        Depth.
    raw : RawNeighbours or None
        None for recommendations.
    seed : int
        Decides which entities' lists the floor compares.

    Returns
    -------
    Reference
    """
    entities = len(lists[a][0])
    # Every entity is compared with the one that is `shift` rows further on, so never with itself.
    shift = int(np.random.default_rng(seed).integers(1, entities)) if entities > 1 else 0
    run_pairs = list(product(lists[a], lists[b]))
    run_pairs = run_pairs[:: max(1, len(run_pairs) // FLOOR_PAIRS)]
    floor = [Pair.of(run_a[:, :n], np.roll(run_b[:, :n], shift, axis=0)).at(n).overlap for run_a, run_b in run_pairs]
    raw_overlap = {}
    if raw is not None:
        for model in (a, b):
            overlaps = [Pair.of(run[raw.rows, :n], raw.lists.ids[:, :n]).at(n).overlap for run in lists[model]]
            raw_overlap[model] = float(np.mean(overlaps))
    return Reference(target, n, a, b, float(np.mean(floor)), raw_overlap)
