"""Agreement of lists within a model and between two models.

Within a model, every two of its replicates are compared: they differ by the seed only. Between two models, every
replicate of one is compared with every replicate of the other: they differ by the seed and by the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product

import numpy as np

from tasks.core.comparison.overlap import Agreement, Pair, chance_neighbours, chance_recommendations
from tasks.core.ranking.lists import Lists
from tasks.core.types import Counts, Ids, Values

TARGETS = ("users", "items", "recommendations")
"""The kinds of lists of a run: neighbours of users, neighbours of items, recommendations for users."""


@dataclass(frozen=True)
class RunLists:
    """All lists of one replicate.

    Attributes
    ----------
    users, items : Lists
        Neighbours of every user and of every item.
    recommendations : Lists
        Items recommended to every user.
    """

    users: Lists
    items: Lists
    recommendations: Lists


@dataclass(frozen=True)
class Row:
    """Agreement of models `a` and `b` on one target at one depth; with a = b, of the replicates of one model.

    Attributes
    ----------
    target : str
        `users`, `items`, `recommendations`, or the name of a query.
    depth : int
    a, b : str
        Names of the models.
    pairs : int
        Pairs of runs that the means are over; 0 within a model of one replicate.
    overlap, jaccard, rbo : float or None
        Means over the pairs, see `Agreement`; None without pairs.
    chance : float
        Expected overlap of random lists.
    """

    target: str
    depth: int
    a: str
    b: str
    pairs: int
    overlap: float | None
    jaccard: float | None
    rbo: float | None
    chance: float

    @property
    def metric(self) -> str:
        """Name among the parent run's metrics, after `overlap/`: such as `users_at_5.k50_vs_k500`."""
        models = self.a if self.a == self.b else f"{self.a}_vs_{self.b}"
        return f"{self.target}_at_{self.depth}.{models}"


@dataclass(frozen=True)
class Curve:
    """Mean overlap of models `a` and `b` on one target at every depth 1, 2, ...; with a = b, within one model.

    Attributes
    ----------
    target : str
        `users`, `items` or `recommendations`.
    a, b : str
        Names of the models.
    overlap : list of float
        Overlap at depth 1, 2, ...; empty within a model of one replicate.
    chance : list of float
        Expected overlap of random lists at the same depths.
    """

    target: str
    a: str
    b: str
    overlap: list[float]
    chance: list[float]


def compare(
    runs: Mapping[str, Sequence[RunLists]],
    *,
    depths: Sequence[int],
    query: Sequence[tuple[str, str, int]],
    candidates: Counts,
    longest: int = 0,
) -> tuple[list[Row], list[Curve]]:
    """Compare every two models, and every model with itself.

    Parameters
    ----------
    runs : mapping of model to sequence of RunLists
        One element for each replicate.
    depths : sequence of int
        Depths of the rows.
    query : sequence of (name, target, entity)
        Single entities to compare besides the targets, as `queries` yields them.
    candidates : (U,) int64
        Number of items that can be recommended to each user.
    longest : int
        Curves cover the depths 1 to `longest`.

    Returns
    -------
    rows : list of Row
        One for each pair of models, target or query, and depth.
    curves : list of Curve
        One for each pair of models and target.
    """
    rows, curves = [], []
    for target in TARGETS:
        lists = {model: [getattr(run, target).ids for run in replicates] for model, replicates in runs.items()}
        # All entities of the target come first, then its queries.
        subjects = [(target, None), *((name, entity) for name, of, entity in query if of == target)]
        chances = {name: [_chance(lists, target, n, entity, candidates) for n in depths] for name, entity in subjects}
        chance_curve = [_chance(lists, target, n, None, candidates) for n in range(1, longest + 1)]
        for a, b in combinations_with_replacement(runs, 2):
            run_pairs = combinations(lists[a], 2) if a == b else product(lists[a], lists[b])
            overlaps: list[Values] = []
            agreements: dict[tuple[str, int], list[Agreement]] = {(name, n): [] for name, _ in subjects for n in depths}
            for left, right in run_pairs:  # a pair takes some 800 bytes an entity: one at a time is in memory
                pair = Pair.of(left, right)
                overlaps.append(pair.overlaps(longest))
                for (name, entity), n in product(subjects, depths):
                    agreements[name, n].append((pair if entity is None else pair.of_entity(entity)).at(n))
            means = np.mean(overlaps, axis=0).tolist() if overlaps else []
            curves.append(Curve(target, a, b, means, chance_curve))
            for name, _ in subjects:
                for n, chance in zip(depths, chances[name], strict=True):
                    of_pairs = agreements[name, n]
                    overlap = _mean([agreement.overlap for agreement in of_pairs])
                    jaccard = _mean([agreement.jaccard for agreement in of_pairs])
                    rbo = _mean([agreement.rbo for agreement in of_pairs])
                    rows.append(Row(name, n, a, b, len(of_pairs), overlap, jaccard, rbo, chance))
    return rows, curves


def _chance(
    lists: Mapping[str, Sequence[Ids]],
    target: str,
    n: int,
    entity: int | None,
    candidates: Counts,
) -> float:
    if target == "recommendations":
        return chance_recommendations(n, candidates if entity is None else candidates[entity : entity + 1])
    return chance_neighbours(n, len(next(iter(lists.values()))[0]))


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
