"""Lists and interactions of any size, drawn at random, for the tests of the section Explore."""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from tasks.core.comparison.agreement import RunLists
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Interactions, text_array
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.lists import Lists

Replicates = Mapping[str, Sequence[RunLists]]


def config(**changes: Any) -> ExperimentConfig:
    """Return a config of two models with queries of user 3 and 0 and item 4."""
    return ExperimentConfig.model_validate(
        {
            "name": "small",
            "dataset": {"name": "synthetic-100k"},
            "models": {"a": {"factors": 2, "iterations": 1}, "b": {"factors": 3, "iterations": 1}},
            "replicates": 3,
            "queries": {"users": [3], "items": [4], "recommend_for": [0], "n": 3, "recommend_n": 4},
            "comparison": {"depths": [3]},
            "evaluation": None,
            **changes,
        }
    )


def draw_lists(rng: np.random.Generator, n_lists: int, candidates: int, width: int) -> Lists:
    """Return lists with scores of one decimal; the last tenth of the lists is a third shorter."""
    ids = np.argsort(rng.random((n_lists, min(candidates, 4 * width))), axis=1)[:, :width].astype(np.int32)
    ids += rng.integers(0, max(1, candidates - 4 * width), (n_lists, 1), dtype=np.int32)
    scores = -np.sort(-rng.random((n_lists, width)).astype(np.float32).round(1), axis=1)
    short = slice(n_lists - n_lists // 10, None), slice(width - width // 3, None)
    ids[short], scores[short] = -1, np.nan
    return Lists(ids, scores)


def draw(
    n_users: int, n_items: int, per_user: int, *, seeds: int = 3, width: int = 6, titles: Sequence[str] | None = None
) -> tuple[Replicates, Interactions]:
    """Return the lists of two models, whose lists of one seed differ from those of another, and interactions."""
    rng = np.random.default_rng(5)
    lists = {
        model: [
            RunLists(
                users=draw_lists(rng, n_users, n_users, width),
                items=draw_lists(rng, n_items, n_items, width),
                recommendations=draw_lists(rng, n_users, n_items, width),
            )
            for _ in range(seeds)
        ]
        for model in ("a", "b")
    }
    users = np.repeat(np.arange(n_users), per_user)
    pairs = np.unique(np.column_stack([users, rng.integers(0, n_items, len(users))]), axis=0)
    values = rng.integers(3, 6, len(pairs)).astype(np.float32)
    matrix = csr_array((values, pairs.T), shape=(n_users, n_items))
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    names = text_array(titles) if titles is not None else None
    return lists, Interactions(matrix, np.arange(n_users) + 1000, np.arange(n_items) + 2000, names)


def everyone(interactions: Interactions) -> dict[str, Entities]:
    """Return all users and items."""
    n_users, n_items = interactions.matrix.shape
    return {"users": Entities.all(n_users), "items": Entities.all(n_items)}


def unpack(text: str) -> Any:
    """Return the data of a packed text, or of a section."""
    _, _, after = text.partition('id="explore-data">')
    packed = after.partition("</script>")[0] or text
    return json.loads(zlib.decompress(base64.b64decode(packed, validate=True)))
