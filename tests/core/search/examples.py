"""A search on interactions of two blocks of users and items, small enough for a hundred fits in a second."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.config.search.sections import SearchSpace
from tasks.core.data.splits.split import Split
from tasks.core.search.plan import ModelSearch

SPACE = {"regularization": {"low": 0.01, "high": 100.0, "log": True}, "factors": {"low": 1, "high": 6}}


def blocks_split() -> Split:
    """Return a split of 40 users and 30 items; users like about half of the items of their block."""
    rng = np.random.default_rng(7)
    liked = (np.arange(40)[:, None] % 2 == np.arange(30) % 2) & (rng.random((40, 30)) < 0.6)
    liked |= rng.random((40, 30)) < 0.1
    in_test = liked & (rng.random(liked.shape) < 0.3)
    return Split(csr_array((liked & ~in_test).astype(np.float32)), csr_array(in_test.astype(np.float32)))


def small_search(space: dict[str, Any] = SPACE, **changes: Any) -> ModelSearch:
    """Return a search of 12 trials of two seeds."""
    defaults: dict[str, Any] = {
        "model": "k4",
        "settings": AlsConfig(factors=4, iterations=6),
        "metric": "ndcg_at_5",
        "trials": 12,
        "seeds": (1, 2),
        "pruner": "median",
        "snapshots": (1, 3),
        "root_seed": 0,
        "identity": "a" * 64,
    }
    return ModelSearch(space=SearchSpace.model_validate(space), **{**defaults, **changes})
