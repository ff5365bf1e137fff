"""Agreement of lists within a model and between two models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import numpy.typing as npt

from tasks.core.comparison.overlap import Pair, chance_neighbours, chance_recommendations
from tasks.core.ranking.lists import Lists

TARGETS = ("users", "items", "recommendations")


@dataclass(frozen=True)
class RunLists:
    """The lists of one replicate: neighbours of users and of items, recommendations."""

    users: Lists
    items: Lists
    recommendations: Lists


@dataclass(frozen=True)
class Row:
    """Agreement of `a` and `b` (the same model: of its replicates among themselves) on one target at one depth.

    pairs : of runs that the means are over; 0 for a model of one replicate, whose means are None
    chance : the overlap that random lists would have
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
        """Its name among the parent run's metrics: `overlap.users_at_5.k50_vs_k500`."""
        models = self.a if self.a == self.b else f"{self.a}_vs_{self.b}"
        return f"overlap.{self.target}_at_{self.depth}.{models}"


@dataclass(frozen=True)
class Curve:
    """Mean overlap@n of `a` and `b` on one target for n = 1, 2, ...: as `Row`'s, at every depth.

    overlap : empty for a model of one replicate
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
    candidates: npt.NDArray[np.int64],
    longest: int = 0,
) -> tuple[list[Row], list[Curve]]:
    """Every two models, on every target and query at every one of `depths`; on every target at depths 1 ... longest.

    Parameters
    ----------
    runs : model -> its replicates' lists
    query : (name, target, entity), as `queries` gives them
    candidates : (U,) items that could be recommended to each user
    """
    every = range(1, longest + 1)
    curves = []
    names = [(target, target, None) for target in TARGETS] + list(query)
    rows = []
    for target in TARGETS:
        lists = {model: [getattr(run, target).ids for run in replicates] for model, replicates in runs.items()}
        asked = [(name, entity) for name, of, entity in names if of == target]
        chances = {name: [_chance(lists, target, n, entity, candidates) for n in depths] for name, entity in asked}
        for a, b in combinations_with_replacement(runs, 2):
            chosen = combinations(lists[a], 2) if a == b else product(lists[a], lists[b])
            pairs = [Pair.of(left, right) for left, right in chosen]
            means = np.mean([pair.overlaps(longest) for pair in pairs], axis=0).tolist() if pairs else []
            chance_at = [_chance(lists, target, n, None, candidates) for n in every]
            curves.append(Curve(target, a, b, means, chance_at))
            for name, entity in asked:
                compared = pairs if entity is None else [pair.of_entity(entity) for pair in pairs]
                for n, chance in zip(depths, chances[name], strict=True):
                    found = [pair.at(n) for pair in compared]
                    overlap = _mean([each.overlap for each in found])
                    jaccard = _mean([each.jaccard for each in found])
                    rbo = _mean([each.rbo for each in found])
                    rows.append(Row(name, n, a, b, len(found), overlap, jaccard, rbo, chance))
    return rows, curves


def _chance(
    lists: Mapping[str, Sequence[npt.NDArray[np.int32]]],
    target: str,
    n: int,
    entity: int | None,
    candidates: npt.NDArray[np.int64],
) -> float:
    if target == "recommendations":
        return chance_recommendations(n, candidates if entity is None else candidates[entity : entity + 1])
    return chance_neighbours(n, len(next(iter(lists.values()))[0]))


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
