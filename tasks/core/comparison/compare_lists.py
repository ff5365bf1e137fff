"""Comparison of models by the lists of all their runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.comparison import query_lists
from tasks.core.comparison.agreement import SIDES, Curve, Row, RunLists, compare, every_entity
from tasks.core.comparison.answers import Answer, answer
from tasks.core.comparison.endpoints import count_tests, endpoints
from tasks.core.comparison.factorial import Factorial, factorial
from tasks.core.comparison.per_user import PerUser, per_user
from tasks.core.comparison.query_lists import Names, QueryLists
from tasks.core.comparison.references import Reference, raw_neighbours, reference
from tasks.core.comparison.run_matrix import RunMatrix
from tasks.core.config.base import LIST_LENGTH
from tasks.core.data.interactions import Interactions
from tasks.core.inference.multiplicity import Levels
from tasks.core.inference.permutation import replicates_needed, smallest_p
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.similarity import FACTORS

if TYPE_CHECKING:
    from tasks.core.config.experiment import ComparisonConfig, ResampleConfig
    from tasks.core.config.queries import QueriesConfig

ALGORITHM = 4
"""A stored comparison is used again if it was made with this number. It is raised when the same runs would give another
result."""


@dataclass(frozen=True)
class ListComparison:
    """Everything that the lists of an experiment say about its models.

    Attributes
    ----------
    rows : list of Row
        Agreement of every two models on each target and query, at the depths of the config.
    curves : list of Curve
        Overlap of every two models on each target, at every depth.
    answers : list of Answer
        Of every two models on each endpoint, the primary endpoint's first; empty for single runs.
    matrices : list of RunMatrix
        Overlap of every two runs on each endpoint.
    smallest_p : float
        The smallest p after Holm's adjustment that the baseline and the model with most runs can reach.
    replicates_needed : int
        The fewest replicates of each model for which that is at most the level of a difference.
    factorial : Factorial or None
        None if the models do not cross two settings.
    references : list of Reference
        Of the baseline with each other model on each target; empty for single runs.
    per_user : list of PerUser
        Of the baseline with each other model; empty for single runs.
    queries : list of QueryLists
        The lists of each query.
    """

    rows: list[Row]
    curves: list[Curve]
    answers: list[Answer]
    matrices: list[RunMatrix]
    smallest_p: float
    replicates_needed: int
    factorial: Factorial | None
    references: list[Reference]
    per_user: list[PerUser]
    queries: list[QueryLists]


def compare_lists(
    lists: Mapping[str, Sequence[RunLists]],
    interactions: Interactions,
    *,
    models: Mapping[str, Mapping[str, Any]],
    baseline: str,
    queries: "QueriesConfig",
    comparison: "ComparisonConfig",
    seed: int,
    levels: Levels = Levels(),
    entities: Mapping[str, Entities] | None = None,
    similarity: str = FACTORS,
    resample: "ResampleConfig | None" = None,
    longest: int = LIST_LENGTH,
) -> ListComparison:
    """Compare models by the lists of all their runs.

    Parameters
    ----------
    lists : mapping of model to sequence of RunLists
        One element for each replicate; models in the order of the config.
    interactions : Interactions
        What the models were fitted on.
    models : mapping of model to dict
        The settings of each model.
    baseline : str
        The model that the others are compared with.
    queries : QueriesConfig
        Queried users and items, and the lengths of the lists.
    comparison : ComparisonConfig
        Depths and margins.
    seed : int
        Of permutations, samples of users and the floor, where they are random.
    levels : Levels
        What the adjusted p-values of the verdicts are compared with.
    entities : mapping of str to Entities, optional
        The `users` and the `items` that have lists; by default all.
    similarity : str
        What the neighbours are nearest by: `factors` or `scores`.
    resample : ResampleConfig, optional
        What each run was fitted without.
    longest : int
        Greatest depth of the curves.

    Returns
    -------
    ListComparison
    """
    entities = entities or every_entity(next(iter(lists.values()))[0])
    targets = next(iter(lists.values()))[0].targets
    users = entities["users"]
    activity = np.diff(interactions.matrix.indptr).astype(np.int64)[users.rows]  # (E,)
    named_queries = list(query_lists.queries(queries.users, queries.items, queries.recommend_for))
    rows, curves = compare(
        lists,
        depths=comparison.depths,
        query=named_queries,
        candidates=interactions.matrix.shape[1] - activity,
        entities=entities,
        longest=longest,
    )
    trained = all("iterations" in settings for settings in models.values())  # the others are read from files
    judged = list(endpoints(queries, comparison, similarity, resample, targets, trained=trained))
    answers, matrices = answer(lists, judged, baseline=baseline, seed=seed, levels=levels, entities=entities)
    pairs = list(dict.fromkeys((row.a, row.b) for row in answers if row.a == baseline))
    ids = {
        target: {
            model: [entities[SIDES[target]].of_sample(run.ids(target)) for run in runs] for model, runs in lists.items()
        }
        for target in targets
    }
    sides = [side for side in entities if side in targets]
    # without interactions, as for lists that others made, there are no neighbours by them
    has_raw = bool(pairs) and interactions.matrix.nnz > 0
    raw = raw_neighbours(interactions, n=queries.n, entities=entities, sides=sides) if has_raw else {}
    names = Names(interactions.user_ids, interactions.item_ids, interactions.item_titles)
    tests = count_tests(judged, len(models))
    runs_of_others = [len(runs) for model, runs in lists.items() if model != baseline]
    return ListComparison(
        rows=rows,
        curves=curves,
        answers=answers,
        matrices=matrices,
        smallest_p=smallest_p(len(lists[baseline]), max(runs_of_others, default=len(lists[baseline])), endpoints=tests),
        replicates_needed=replicates_needed(tests, level=levels.difference),
        factorial=factorial(models, answers, matrices) if trained else None,
        references=[
            reference(ids[endpoint.of], a, b, target=endpoint.of, n=endpoint.n, raw=raw.get(endpoint.of), seed=seed)
            for a, b in pairs
            for endpoint in judged
            if endpoint.entity is None
        ],
        per_user=[
            per_user(
                {model: [run.ids("users") for run in runs] for model, runs in lists.items()},
                a,
                b,
                n=queries.n,
                activity=activity,
                entities=users,
                queries=queries.users,
                seed=seed,
            )
            for a, b in pairs
            if "users" in targets
        ],
        queries=[
            query_lists.query_lists(
                name,
                target,
                entity,
                n=queries.recommend_n if target == "recommendations" else queries.n,
                names=names,
                lists={model: [getattr(run, target) for run in runs] for model, runs in lists.items()},
                position=entities[SIDES[target]].position(entity),
                similarity=similarity,
            )
            for name, target, entity in named_queries
        ],
    )
