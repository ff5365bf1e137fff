"""Small data and settings that the tests of models and rankings share."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.config.evaluation import RandomSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import hold_out


def confidences(users: int = 30, items: int = 20, seed: int = 0) -> csr_array:
    """Random confidences from 1 to 5 in about 30% of the cells."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 6, (users, items)) * (rng.random((users, items)) < 0.3)
    return csr_array(dense.astype(np.float32))


def settings(**changes: Any) -> AlsConfig:
    return AlsConfig.model_validate({"factors": 4, "iterations": 5, **changes})


def two_blocks(users: int = 60, items: int = 40) -> Split:
    """Even users like even items and odd users odd items; a part of the interactions is held out."""
    rng = np.random.default_rng(0)
    same_parity = (np.arange(users)[:, None] + np.arange(items)[None, :]) % 2 == 0
    dense = (same_parity & (rng.random((users, items)) < 0.6)).astype(np.float32)
    interactions = Interactions(csr_array(dense), np.arange(users), np.arange(items), None)
    return hold_out(interactions, RandomSplit(), seed=1)
