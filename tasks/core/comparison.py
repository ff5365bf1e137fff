"""Models compared by the lists that their replicates give: agreement within a model and between two.

Within a model, over every two of its replicates: what the seed alone changes. Between two models, over every
pair of a replicate of each: what seed and model change together. The statistics that turn the
difference into a verdict belong beside this.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.neighbours import Lists
from tasks.core.overlap import Pair, chance_neighbours, chance_recommendations

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


@dataclass(frozen=True)
class Names:
    """What rows and columns are called: raw ids (U,), (I,), and titles (I,) where the data set has them."""

    user_ids: npt.NDArray[Any]
    item_ids: npt.NDArray[Any]
    item_titles: npt.NDArray[np.str_] | None

    def of(self, index: int, *, item: bool) -> tuple[int | str, str]:
        """Raw id and title (empty for users, and where there is none)."""
        raw: int | str = (self.item_ids if item else self.user_ids)[index].item()
        return raw, str(self.item_titles[index]) if item and self.item_titles is not None else ""


@dataclass(frozen=True)
class Entry:
    """An entry of a query's list: who it is, the share of the model's seeds that list it, mean rank and score there."""

    index: int
    raw_id: int | str
    title: str
    share: float
    rank: float
    score: float


@dataclass(frozen=True)
class QueryLists:
    """One query's lists, by model: what its seeds list, most often listed first."""

    name: str
    target: str
    index: int
    raw_id: int | str
    title: str
    n: int
    models: dict[str, list[Entry]]


def queries(users: Sequence[int], items: Sequence[int], recommend_for: Sequence[int]) -> Iterator[tuple[str, str, int]]:
    """(name, target, entity) of each query: `("user_10", "users", 10)`."""
    kinds = (("user", "users", users), ("item", "items", items), ("recommend_for", "recommendations", recommend_for))
    for prefix, target, indexes in kinds:
        for index in indexes:
            yield f"{prefix}_{index}", target, index


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


def query_lists(
    name: str, target: str, index: int, *, n: int, names: Names, lists: Mapping[str, Sequence[Lists]]
) -> QueryLists:
    """What each model's replicates list for one entity in their first n: most often listed first, then best ranked."""
    raw, title = names.of(index, item=target == "items")
    models = {model: _consensus(found, index, n, names, item=target != "users") for model, found in lists.items()}
    return QueryLists(name, target, index, raw, title, n, models)


def _consensus(lists: Sequence[Lists], entity: int, n: int, names: Names, *, item: bool) -> list[Entry]:
    ranks: dict[int, list[int]] = {}
    scores: dict[int, list[float]] = {}
    for run in lists:
        listed = zip(run.ids[entity, :n].tolist(), run.scores[entity, :n].tolist(), strict=True)
        for rank, (index, score) in enumerate(listed, start=1):
            if index >= 0:
                ranks.setdefault(index, []).append(rank)
                scores.setdefault(index, []).append(score)
    found = [
        Entry(index, *names.of(index, item=item), len(at) / len(lists), sum(at) / len(at), sum(scores[index]) / len(at))
        for index, at in ranks.items()
    ]
    return sorted(found, key=lambda entry: (-entry.share, entry.rank, entry.index))


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
