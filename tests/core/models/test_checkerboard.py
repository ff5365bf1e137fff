"""A data set with a known answer, from implicit's own tests: a checkerboard.

User i likes all items of i's parity but i, so that every recommender that learns must recommend item i.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import EASE, ITEM_KNN
from tasks.core.models.als import fit
from tasks.core.models.reference_recommenders import RECOMMENDERS
from tasks.core.ranking.recommendations import exclude, preferences
from tasks.core.ranking.top_n import top_n
from tasks.core.types import Scores
from tests.core.models.examples import settings

SIZE = 40  # 20 items of each parity: item-kNN uses an item's 20 nearest

Learner = Callable[[csr_array], Scores]


def als(**changes: Any) -> Learner:
    config = settings(factors=3, iterations=15, **changes)
    return lambda liked: preferences(fit(liked, config, seed=23))


LEARNERS: dict[str, Learner] = {
    **{
        f"als-{solver}-{orientation}-{acceleration}": als(
            solver=solver, orientation=orientation, acceleration=acceleration
        )
        for solver in ("cg", "cholesky")
        for orientation in ("user_item", "item_user")
        for acceleration in ("none", "balanced")
    },
    **{name: lambda liked, name=name: RECOMMENDERS[name](liked, liked, 23) for name in (ITEM_KNN, EASE)},
}


@pytest.mark.parametrize("name", LEARNERS)
def test_the_withheld_diagonal_is_recommended(name: str) -> None:
    same_parity = np.add.outer(np.arange(SIZE), np.arange(SIZE)) % 2 == 0
    liked = csr_array((same_parity & ~np.eye(SIZE, dtype=bool)).astype(np.float32))
    lists = top_n(exclude(LEARNERS[name](liked), liked), SIZE, SIZE, 1)
    assert lists.ids[:, 0].tolist() == list(range(SIZE))
