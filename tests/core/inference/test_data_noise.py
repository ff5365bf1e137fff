"""How much of the disagreement within a model is the data's."""

import numpy as np
import pytest

from tasks.core.inference.data_noise import DataNoise, data_noise
from tasks.core.types import Ids


def runs_of(*lists: list[int]) -> list[Ids]:
    """Runs of one user each."""
    return [np.array([of_run], dtype=np.int32) for of_run in lists]


def test_what_runs_that_leave_out_interactions_disagree_by_more_is_the_datas() -> None:
    """Overlaps of 3/4 between two runs; then of 3/4, 1/4 and 1/4 between three, 5/12 on average."""
    found = data_noise(
        "k50",
        "users",
        n=4,
        seed_only=runs_of([1, 2, 3, 4], [4, 3, 2, 9]),
        seed_and_data=runs_of([1, 2, 3, 4], [1, 2, 3, 5], [1, 6, 7, 8]),
    )
    assert (found.model, found.target, found.n, found.runs) == ("k50", "users", 4, 2)
    assert (found.seed_only, found.seed_and_data) == pytest.approx((3 / 4, 5 / 12))
    assert found.of_data == pytest.approx(1 / 3)
    assert found.share == pytest.approx((1 / 3) / (7 / 12))
    assert found.metric == "users_at_4.k50"


def test_runs_that_agree_have_no_share() -> None:
    assert DataNoise("k50", "users", 5, 2, 1.0, 1.0).share is None
