"""Agreement of lists within a model and between two models.

Within a model, every two of its replicates are compared: they differ by the seed only. Between two models, every
replicate of one is compared with every replicate of the other: they differ by the seed and by the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product

import numpy as np

from tasks.core.comparison.overlap import Agreement, Pair, chance_neighbours, chance_recommendations
from tasks.core.inference.overlap_counts import overlap_counts
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.lists import Lists
from tasks.core.types import Counts, Ids, Values

SIDES = {"users": "users", "items": "items", "recommendations": "users"}
"""Kind of lists of a run (neighbours of users, neighbours of items, recommendations) -> whose lists they are."""
LISTED = {"users": "users", "items": "items", "recommendations": "items"}
"""Kind of lists of a run -> what they include."""
TARGETS = tuple(SIDES)


@dataclass(frozen=True)
class RunLists:
    """The lists of one replicate: those of the rows of `Entities`, which are all users and items unless some are drawn.

    Attributes
    ----------
    users, items : Lists or None
        Neighbours of users and of items. None for lists that are not compared, which are so in all runs.
    recommendations : Lists or None
        Items recommended to users.
    """

    users: Lists | None = None
    items: Lists | None = None
    recommendations: Lists | None = None

    @property
    def targets(self) -> list[str]:
        """The kinds of lists that there are."""
        return [target for target in TARGETS if getattr(self, target) is not None]

    def ids(self, target: str) -> Ids:
        """Return the listed ids of one of the targets, (E, n)."""
        lists: Lists = getattr(self, target)
        return lists.ids


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


@dataclass(frozen=True)
class OtherSimilarity:
    """Agreement of two models' neighbours by the similarity that gets no verdict.

    Attributes
    ----------
    target : str
        `users`, `items`, or the name of a query.
    by : str
        `factors` or `scores`.
    n : int
        Length of the lists.
    a, b : str
        Names of the models.
    within_a, within_b : float or None
        Mean overlap of two runs of one model; None for a single run.
    between : float
        Mean overlap of a run of A and a run of B.
    """

    target: str
    by: str
    n: int
    a: str
    b: str
    within_a: float | None
    within_b: float | None
    between: float

    @property
    def delta(self) -> float | None:
        """Excess disagreement, see `tasks.core.inference.effect`; None for a single run."""
        if self.within_a is None or self.within_b is None:
            return None
        return (self.within_a + self.within_b) / 2 - self.between

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the parent run, such as `overlap/users_by_scores_at_5.k50_vs_k500`."""
        lists = f"{self.target}_by_{self.by}_at_{self.n}"
        values = {
            f"overlap/{lists}.{self.a}": self.within_a,
            f"overlap/{lists}.{self.b}": self.within_b,
            f"overlap/{lists}.{self.a}_vs_{self.b}": self.between,
            f"delta/{lists}.{self.a}_vs_{self.b}": self.delta,
        }
        return {name: value for name, value in values.items() if value is not None}


def other_similarity(
    lists: Mapping[str, Sequence[Mapping[str, Ids]]],
    *,
    by: str,
    n: int,
    query: Sequence[tuple[str, str, int]],
    entities: Mapping[str, Entities],
) -> list[OtherSimilarity]:
    """Describe every two models by neighbours that get no verdict.

    Parameters
    ----------
    lists : mapping of model to sequence of mappings
        Of each replicate, `users` and `items` -> (E, >= 0) int32 neighbours.
    by : str
        What they are nearest by: `factors` or `scores`.
    n : int
        Length of the lists that are compared.
    query : sequence of (name, target, entity)
        Single entities, as `queries` yields them; recommendations are passed over.
    entities : mapping of str to Entities
        The `users` and the `items` that have lists.

    Returns
    -------
    list of OtherSimilarity
    """
    owners = np.array([model for model, replicates in lists.items() for _ in replicates])
    runs_of = {model: np.flatnonzero(owners == model) for model in lists}
    rows = []
    for target, of_target in entities.items():
        subjects = [(name, of_target.position(entity)) for name, of, entity in query if of == target]
        runs = [replicate[target] for replicates in lists.values() for replicate in replicates]
        own = {name: [run[position : position + 1] for run in runs] for name, position in subjects}
        for name, ids in {target: [of_target.of_sample(run) for run in runs], **own}.items():
            overlaps = overlap_counts(ids, n)
            within = {
                model: overlaps.of_runs(own_runs).mean_of_pairs if len(own_runs) > 1 else None
                for model, own_runs in runs_of.items()
            }
            for a, b in combinations(lists, 2):
                between = float(overlaps.counts[np.ix_(runs_of[a], runs_of[b])].mean() / overlaps.denominator)
                rows.append(OtherSimilarity(name, by, n, a, b, within[a], within[b], between))
    return rows


def compare(
    runs: Mapping[str, Sequence[RunLists]],
    *,
    depths: Sequence[int],
    query: Sequence[tuple[str, str, int]],
    candidates: Counts,
    entities: Mapping[str, Entities] | None = None,
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
    candidates : (E,) int64
        Number of items that can be recommended to each user who has a list.
    entities : mapping of str to Entities, optional
        The `users` and the `items` that have lists; by default all.
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
    entities = entities or every_entity(next(iter(runs.values()))[0])
    for target in next(iter(runs.values()))[0].targets:
        of_target = entities[SIDES[target]]
        lists = {model: [run.ids(target) for run in replicates] for model, replicates in runs.items()}
        # All entities of the target come first, then its queries.
        subjects = [(target, None), *((name, entity) for name, of, entity in query if of == target)]
        chances = {
            name: [_chance(of_target, target, n, entity, candidates) for n in depths] for name, entity in subjects
        }
        chance_curve = [_chance(of_target, target, n, None, candidates) for n in range(1, longest + 1)]
        for a, b in combinations_with_replacement(runs, 2):
            run_pairs = combinations(lists[a], 2) if a == b else product(lists[a], lists[b])
            overlaps: list[Values] = []
            agreements: dict[tuple[str, int], list[Agreement]] = {(name, n): [] for name, _ in subjects for n in depths}
            for left, right in run_pairs:  # a pair takes some 800 bytes an entity: one at a time is in memory
                pair = Pair.of(left, right)
                drawn = pair if of_target.are_all else pair.of_rows(of_target.drawn)
                overlaps.append(drawn.overlaps(longest))
                for (name, entity), n in product(subjects, depths):
                    subject = drawn if entity is None else pair.of_entity(of_target.position(entity))
                    agreements[name, n].append(subject.at(n))
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


def every_entity(run: RunLists) -> dict[str, Entities]:
    """Return all users and items, if a run has the lists of all."""
    users = run.users or run.recommendations
    return {
        "users": Entities.all(len(users.ids) if users else 0),
        "items": Entities.all(len(run.items.ids) if run.items else 0),
    }


def _chance(entities: Entities, target: str, n: int, entity: int | None, candidates: Counts) -> float:
    if target != "recommendations":
        return chance_neighbours(n, entities.candidates or entities.population)
    if entity is None:
        return chance_recommendations(n, entities.of_sample(candidates))
    position = entities.position(entity)
    return chance_recommendations(n, candidates[position : position + 1])


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
