"""Reference overlaps: hubs alone, and neighbours by raw interactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tasks.core.comparison.overlap import Pair
from tasks.core.data.interactions import Interactions
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.neighbours import evenly_spread, nearest_by_interactions
from tasks.core.types import Ids

MOST_RAW = 2_000
"""Users and items whose neighbours by raw cosine are sought; beyond, as many are spread over all."""
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


def raw_neighbours(loaded: Interactions, *, n: int) -> dict[str, Raw]:
    """Neighbours by raw interaction cosine, of users and of items: of all, or of `MOST_RAW` evenly_spread over them."""
    sides = {"users": loaded.matrix, "items": loaded.matrix.T.tocsr()}
    return {
        side: Raw(rows := evenly_spread(matrix.shape[0], MOST_RAW), nearest_by_interactions(matrix, n=n, rows=rows))
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
