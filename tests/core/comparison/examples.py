"""Configs and lists of runs for the tests of comparisons."""

from collections.abc import Sequence

import numpy as np

from tasks.core.comparison.agreement import RunLists
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.inference.means.resampled import SplitValues
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.lists import Lists
from tasks.core.types import Values


def lists(*rows: Sequence[int]) -> Lists:
    """Lists of these ids, with score 1 / r at rank r."""
    ids = np.array(rows, dtype=np.int32)
    scores = np.broadcast_to(1 / np.arange(1, ids.shape[1] + 1), ids.shape).astype(np.float32)
    return Lists(ids, np.where(ids >= 0, scores, np.nan).astype(np.float32))


NO_LISTS = lists([-1, -1], [-1, -1])
"""Two empty lists."""


def on_one_split(values: Values) -> SplitValues:
    """Values (S, T) or (T,) of one split."""
    return SplitValues((values,), (np.arange(values.shape[-1]),), held_out_ratio=0.25)


def config_of(models: list[str], **changes: object) -> ExperimentConfig:
    """A config whose queries are user 1, item 2 and the recommendations for user 0."""
    content = {
        "name": "test",
        "dataset": {"name": "synthetic-100k"},
        "models": {model: {"factors": 2, "iterations": 2} for model in models},
        "replicates": 5,
        "queries": {"users": [1], "items": [2], "recommend_for": [0], "n": 3, "recommend_n": 2},
        **changes,
    }
    return ExperimentConfig.model_validate(content)


def random_lists(rng: np.random.Generator, first: int, entities: int = 6, n: int = 4) -> Lists:
    """Lists of n of the six candidates from `first` on, for each entity."""
    ids = np.array([first + rng.permutation(6)[:n] for _ in range(entities)], dtype=np.int32)
    return Lists(ids, np.ones_like(ids, dtype=np.float32))


def random_runs(rng: np.random.Generator, first: int, replicates: int, entities: int = 6) -> list[RunLists]:
    """Replicates of a model whose lists are random."""
    return [RunLists(*(random_lists(rng, first, entities) for _ in range(3))) for _ in range(replicates)]


SAMPLE = {
    "users": Entities(np.array([0, 1, 4, 9, 13], dtype=np.int32), np.array([False, False, True, True, True]), 20),
    "items": Entities(np.array([2, 5, 6], dtype=np.int32), np.array([True, True, True]), 20),
}
"""A sample of 20 users and 20 items, and the queries of `config_of`: users 0 and 1 were not drawn, item 2 was."""


def of_sample(run: RunLists, *, drawn_only: bool = False) -> RunLists:
    """Return the lists that a run of 20 users and items makes if its config draws `SAMPLE`."""

    def some(lists: Lists, side: str) -> Lists:
        entities = SAMPLE[side]
        rows = entities.rows[entities.drawn] if drawn_only else entities.rows
        return Lists(lists.ids[rows], lists.scores[rows])

    return RunLists(some(run.users, "users"), some(run.items, "items"), some(run.recommendations, "users"))
